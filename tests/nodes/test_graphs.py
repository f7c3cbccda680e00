"""Whole graphs through the real executor, on tiny models: what a workflow draws, checked against the formulas."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from engine.graph.builder import Builder
from engine.graph.run import Run
from engine.graph.validate import validate
from engine.metadata import read_workflow
from engine.models.unet import UNet
from engine.models.unet_config import UNetConfig
from nodes import sampling
from nodes.sampling import ksampler
from tests.nodes.bench import SIZE, STEPS, Bench, Drawing, close

# text to image


def test_a_graph_draws_a_picture_with_the_graph_inside(bench: Bench) -> None:
    drawing = Drawing()
    decoded = drawing.graph.node("VAEDecode", samples=drawing.sampled(), vae=drawing.vae)
    drawing.graph.node("SaveImage", images=decoded, filename_prefix="apples/red")
    prompt = drawing.graph.prompt()
    checked = validate(prompt, bench.registry)
    assert not checked.problems
    outcome = bench.executor.execute(prompt, extra={"workflow": {"nodes": []}}).check()
    (shown,) = [each for ui in outcome.ui.values() for each in ui["images"]]
    assert shown == {"filename": "red_00001_.png", "subfolder": "apples", "type": "output"}
    path = bench.folders.output / "apples" / "red_00001_.png"
    with Image.open(path) as picture:
        assert picture.size == (SIZE, SIZE)
    texts = read_workflow(path)
    assert json.loads(texts["prompt"]) == prompt.to_json()
    assert json.loads(texts["workflow"]) == {"nodes": []}


def test_the_sampler_does_what_the_formulas_say(bench: Bench, models: Path) -> None:
    drawing = Drawing()
    sampled = drawing.sampled(cfg=3.0)
    drawn = bench.value(drawing.graph, sampled)["samples"]
    positive, negative = (bench.value(drawing.graph, text)[0][0] for text in (drawing.positive, drawing.negative))
    expected = euler_by_hand(models / "checkpoints" / "tiny.safetensors", torch.cat([negative, positive]), 3.0)
    assert close(drawn, expected, 1e-3)


def euler_by_hand(path: Path, context: Tensor, cfg: float) -> Tensor:
    """Euler over ε-prediction and classifier-free guidance, written out from design/numerics.md."""
    prefix = "model.diffusion_model."
    weights = {k.removeprefix(prefix): v.float() for k, v in load_file(path).items() if k.startswith(prefix)}
    network = UNet(UNetConfig.from_shapes({name: tuple(weight.shape) for name, weight in weights.items()}))
    network.load_state_dict(weights)
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    kept = torch.cumprod(1 - betas, 0)
    table = ((1 - kept) / kept).sqrt()
    times = torch.linspace(999, 0, STEPS, dtype=torch.float64)
    low = times.floor().long()
    high = times.ceil().long()
    logs = table.log()
    levels = [*(logs[low] + (logs[high] - logs[low]) * (times - low)).exp().tolist(), 0.0]
    noise = torch.randn(1, 4, SIZE // 8, SIZE // 8, generator=torch.Generator().manual_seed(7))
    x = noise * (1 + levels[0] ** 2) ** 0.5
    with torch.inference_mode():
        for sigma, following in pairwise(levels):
            time = torch.tensor(float((table.log() - torch.tensor(sigma).double().log()).abs().argmin()))
            scaled = (x / (sigma**2 + 1) ** 0.5).expand(2, -1, -1, -1)
            eps = network(scaled, time.expand(2), context)
            guided = eps[:1] + cfg * (eps[1:] - eps[:1])
            x = x + guided * (following - sigma)
    return x / 0.18215


def test_the_seed_decides_the_picture(bench: Bench) -> None:
    drawing = Drawing()
    first, again, other = drawing.sampled(), drawing.sampled(), drawing.sampled(seed=2**64 - 1)
    drawn = [bench.value(drawing.graph, each)["samples"] for each in (first, again, other)]
    assert torch.equal(drawn[0], drawn[1])
    assert not close(drawn[0], drawn[2], 0.1)


def test_one_of_a_batch_can_be_drawn_alone(bench: Bench) -> None:
    drawing = Drawing()
    batch = drawing.graph.node("EmptyLatentImage", width=SIZE, height=SIZE, batch_size=3)
    whole = bench.value(drawing.graph, drawing.sampled(latent_image=batch))["samples"]
    assert whole.shape == (3, 4, SIZE // 8, SIZE // 8)
    # The node's own function: no node of this issue makes a batch_index.
    alone = ksampler(
        model=bench.value(drawing.graph, drawing.checkpoint, 0),
        seed=7,
        steps=STEPS,
        cfg=3.0,
        sampler_name="euler",
        scheduler="normal",
        positive=bench.value(drawing.graph, drawing.positive),
        negative=bench.value(drawing.graph, drawing.negative),
        latent_image={"samples": torch.zeros(1, 4, SIZE // 8, SIZE // 8), "batch_index": [2]},
        denoise=1.0,
        drawing=sampling.Drawing(bench.settings),
        run=Run("1", lambda event: None),
    )
    assert close(alone["samples"], whole[2:], 1e-3)
    assert alone["batch_index"] == [2]


@pytest.mark.parametrize("name", ["dpmpp_2m_sde", "uni_pc", "plms", "euler_ancestral_cfg_pp", "lcm"])
def test_other_samplers_and_schedules_run_too(name: str, bench: Bench) -> None:
    drawing = Drawing()
    drawn = bench.value(drawing.graph, drawing.sampled(sampler_name=name, scheduler="karras"))["samples"]
    assert drawn.shape == (1, 4, SIZE // 8, SIZE // 8)
    assert bool(drawn.isfinite().all())


def test_clip_skip_changes_the_text(bench: Bench) -> None:
    drawing = Drawing()
    skipped = drawing.graph.node("CLIPSetLastLayer", clip=drawing.clip, stop_at_clip_layer=-2)
    text = drawing.graph.node("CLIPTextEncode", text="a red apple, (glossy:1.3)", clip=skipped)
    normal, earlier = (bench.value(drawing.graph, node) for node in (drawing.positive, text))
    assert normal[0][0].shape == earlier[0][0].shape == (1, 77, 64)
    assert not close(normal[0][0], earlier[0][0], 0.01)
    assert close(normal[0][1]["pooled_output"], earlier[0][1]["pooled_output"])


# from a picture


def test_no_denoising_gives_the_latent_back(bench: Bench) -> None:
    drawing = Drawing()
    encoded = drawing.graph.node("VAEEncode", pixels=drawing.picture("a.png", bench), vae=drawing.vae)
    drawn = bench.value(drawing.graph, drawing.sampled(latent_image=encoded, denoise=0.0))
    assert torch.equal(drawn["samples"], bench.value(drawing.graph, encoded)["samples"])


def test_a_little_denoising_keeps_more_than_a_lot(bench: Bench) -> None:
    drawing = Drawing()
    encoded = drawing.graph.node("VAEEncode", pixels=drawing.picture("a.png", bench), vae=drawing.vae)
    kept = bench.value(drawing.graph, encoded)["samples"]
    little, lot = (
        bench.value(drawing.graph, drawing.sampled(latent_image=encoded, denoise=share))["samples"]
        for share in (0.1, 0.9)
    )
    assert (little - kept).norm() < (lot - kept).norm()


def test_pictures_are_cut_to_whole_cells(bench: Bench) -> None:
    drawing = Drawing()
    encoded = drawing.graph.node("VAEEncode", pixels=drawing.picture("a.png", bench, (70, 61)), vae=drawing.vae)
    assert bench.value(drawing.graph, encoded)["samples"].shape == (1, 4, 7, 8)


def test_outside_the_mask_nothing_changes(bench: Bench) -> None:
    drawing = Drawing()
    picture = drawing.picture("a.png", bench)
    encoded = drawing.graph.node("VAEEncode", pixels=picture, vae=drawing.vae)
    mask = drawing.graph.node("LoadImageMask", image="a.png", channel="red")
    masked = drawing.graph.node("SetLatentNoiseMask", samples=encoded, mask=mask)
    drawn = bench.value(drawing.graph, drawing.sampled(latent_image=masked))
    kept = bench.value(drawing.graph, encoded)["samples"]
    assert drawn["noise_mask"].shape == (1, 1, SIZE, SIZE)
    top, bottom = (slice(0, 1), slice(-1, None))  # The gradient goes from 0 (kept) to 1 (redrawn).
    difference = (drawn["samples"] - kept).abs().mean(dim=(0, 1, 3))
    assert difference[top] < 0.1 * difference[bottom]


def test_a_mask_of_nothing_keeps_everything(bench: Bench) -> None:
    drawing = Drawing()
    encoded = drawing.graph.node("VAEEncode", pixels=drawing.picture("a.png", bench), vae=drawing.vae)
    Image.new("RGB", (10, 10), "black").save(bench.folders.input / "mask.png")
    mask = drawing.graph.node("LoadImageMask", image="mask.png", channel="red")
    masked = drawing.graph.node("SetLatentNoiseMask", samples=encoded, mask=mask)
    drawn = bench.value(drawing.graph, drawing.sampled(latent_image=masked))["samples"]
    assert close(drawn, bench.value(drawing.graph, encoded)["samples"])


def test_inpainting_greys_what_is_redrawn_before_encoding(bench: Bench) -> None:
    drawing = Drawing()
    picture = drawing.picture("a.png", bench)
    filled = drawing.graph.node(
        "VAEEncodeForInpaint", pixels=picture, vae=drawing.vae, mask=picture.out(1), grow_mask_by=6
    )
    latent = bench.value(drawing.graph, filled)
    pixels, mask = (bench.value(drawing.graph, picture, slot) for slot in (0, 1))
    inside = mask.round()[..., None]
    grey = torch.where(inside == 1, torch.tensor(0.5), pixels)
    vae = bench.value(drawing.graph, drawing.checkpoint, 2)
    assert close(latent["samples"], vae.encode(grey))
    assert latent["noise_mask"].shape == (1, 1, SIZE, SIZE)
    assert set(latent["noise_mask"].unique().tolist()) == {0.0, 1.0}
    assert bool(bench.value(drawing.graph, drawing.sampled(latent_image=filled))["samples"].isfinite().all())


@pytest.mark.parametrize(("images", "masks"), [(2, 1), (1, 3), (2, 2)])
def test_pictures_and_masks_need_not_be_as_many(images: int, masks: int, bench: Bench) -> None:
    drawing = Drawing()
    pixels = bench.constant(drawing.graph, torch.rand(images, SIZE, SIZE, 3))
    mask = bench.constant(drawing.graph, torch.ones(masks, 10, 20))
    filled = drawing.graph.node("VAEEncodeForInpaint", pixels=pixels, vae=drawing.vae, mask=mask, grow_mask_by=0)
    latent = bench.value(drawing.graph, filled)
    assert latent["noise_mask"].shape == (masks, 1, SIZE, SIZE)
    drawn = bench.value(drawing.graph, drawing.sampled(latent_image=filled))["samples"]
    assert drawn.shape == (images, 4, SIZE // 8, SIZE // 8)


# parts of a run, and larger pictures


def test_a_run_in_two_parts_is_the_run(bench: Bench) -> None:
    drawing = Drawing()
    whole = drawing.sampled_part(0, 10000)
    first = drawing.sampled_part(0, 3, return_with_leftover_noise="enable")
    second = drawing.sampled_part(3, 10000, add_noise="disable", latent_image=first)
    drawn = [bench.value(drawing.graph, each)["samples"] for each in (whole, second)]
    assert close(drawn[1], drawn[0], 1e-3)


def test_a_start_behind_the_end_gives_the_latent_back(bench: Bench) -> None:
    drawing = Drawing()
    drawn = bench.value(drawing.graph, drawing.sampled_part(6, 10000))
    assert torch.equal(drawn["samples"], torch.zeros(1, 4, SIZE // 8, SIZE // 8))


def test_a_drawing_is_enlarged_and_drawn_on(bench: Bench) -> None:
    drawing = Drawing()
    larger = drawing.graph.node("LatentUpscaleBy", samples=drawing.sampled(), upscale_method="bislerp", scale_by=1.5)
    finished = drawing.sampled(latent_image=larger, denoise=0.5)
    decoded = drawing.graph.node("VAEDecode", samples=finished, vae=drawing.vae)
    scaled = drawing.graph.node("ImageScaleBy", image=decoded, upscale_method="lanczos", scale_by=0.5)
    assert bench.value(drawing.graph, decoded).shape == (1, 96, 96, 3)
    assert bench.value(drawing.graph, scaled).shape == (1, 48, 48, 3)


def test_a_vae_by_itself_decodes_as_the_one_in_the_checkpoint(bench: Bench) -> None:
    drawing = Drawing()
    vae = drawing.graph.node("VAELoader", vae_name="tiny.safetensors")
    sampled = drawing.sampled()
    decoded = [drawing.graph.node("VAEDecode", samples=sampled, vae=each) for each in (drawing.vae, vae)]
    pictures = [bench.value(drawing.graph, each) for each in decoded]
    assert close(pictures[1], pictures[0])


def test_pixel_space_is_pictures_as_latents(bench: Bench) -> None:
    drawing = Drawing()
    pixels = drawing.graph.node("VAELoader", vae_name="pixel_space")
    picture = drawing.picture("a.png", bench, (21, 13))
    encoded = drawing.graph.node("VAEEncode", pixels=picture, vae=pixels)
    decoded = drawing.graph.node("VAEDecode", samples=encoded, vae=pixels)
    image = bench.value(drawing.graph, picture)
    assert close(bench.value(drawing.graph, encoded)["samples"], image.movedim(-1, 1) * 2 - 1)
    assert close(bench.value(drawing.graph, decoded), image)


def test_a_list_of_pictures_is_saved_one_group_at_a_time(bench: Bench) -> None:
    graph = Builder()
    picture = graph.node("EmptyImage", width=8, height=8, batch_size=3, color=0xFF0000)
    groups = graph.node("RebatchImages", images=picture, batch_size=2)
    saved = graph.node("SaveImage", images=groups, filename_prefix="red")
    outcome = bench.run(graph, saved).check()
    assert len(outcome.ui[saved.id]["images"]) == 3


def test_a_run_that_is_cancelled_stops_between_steps(bench: Bench) -> None:
    drawing = Drawing()
    steps: list[object] = []
    sampled = drawing.sampled(steps=1000)
    outcome = bench.run(
        drawing.graph, sampled, emit=lambda event: steps.append(event), is_cancelled=lambda: len(steps) > 20
    )
    assert outcome.status == "cancelled"
    assert len(steps) < 40


def test_sampling_reports_every_step(bench: Bench) -> None:
    drawing = Drawing()
    sampled = drawing.sampled()
    events: list[Any] = []
    bench.run(drawing.graph, sampled, emit=events.append)
    progress = [(event.value, event.maximum) for event in events if type(event).__name__ == "Progress"]
    assert progress == [(step, STEPS) for step in range(1, STEPS + 1)]


def test_decoding_can_be_cancelled_in_the_middle(bench: Bench) -> None:
    drawing = Drawing()
    decoded = drawing.graph.node("VAEDecode", samples=drawing.latent, vae=drawing.vae)
    asked: list[int] = []

    def is_cancelled() -> bool:
        asked.append(1)
        return len(asked) > 20  # Far fewer than the layers of a decoder; more than the nodes before it ask.

    assert bench.run(drawing.graph, decoded, is_cancelled=is_cancelled).status == "cancelled"
    assert len(asked) < 30
