"""Every picture-side number that ComfyUI 0.3.64 made, through our nodes on the same random SD1.5 checkpoint.

Slow: builds a checkpoint and a ControlNet of real size (2.8 GB on disk, about 6 GB of memory).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from engine.graph.builder import Builder, Handle
from engine.graph.prompt import Link
from tests.nodes.bench import Bench
from tests.random_checkpoint import write_random_checkpoint

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[1]
POSITIVE = "a red apple, (glossy:1.3) on a [wooden] table"
TOLERANCE = 1e-4  # Relative to the largest number: sums are ordered differently. Source: goldens/README.


class Recorded(dict[str, Tensor]):
    """The goldens, remembering which of them were asked for."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__(tensors)
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> Tensor:
        self.asked.add(name)
        return super().__getitem__(name)


@pytest.fixture(scope="module")
def goldens(request: pytest.FixtureRequest) -> Iterator[Recorded]:
    """All goldens of SD1.5; when every test here has run, none may be left that nobody looked at."""
    recorded = Recorded(load_file(TESTS / "goldens" / "sd15.safetensors"))
    yield recorded
    run = {item.originalname for item in request.session.items if item.path == request.path}
    written = {name for name in vars(request.module) if name.startswith("test_")}
    assert run != written or request.session.testsfailed or recorded.asked == recorded.keys()


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A bench with models of real size; they are deleted afterwards."""
    root = tmp_path_factory.mktemp("real")
    files = {root / "checkpoints" / "sd15.safetensors": 0, root / "controlnet" / "controlnet_sd15.safetensors": 1}
    for path, seed in files.items():
        path.parent.mkdir()
        write_random_checkpoint(path.stem, path, seed)
    yield Bench(root, tmp_path_factory.mktemp("base") / "base", catch_mutation=False)
    for path in files:
        path.unlink()


class Golden:
    """The graph of the goldens: names of what a test may wire or replace."""

    def __init__(self, goldens: Recorded, bench: Bench) -> None:
        self.graph, self.goldens, self.bench = Builder(), goldens, bench
        self.checkpoint = self.graph.node("CheckpointLoaderSimple", ckpt_name="sd15.safetensors")
        self.model, self.clip, self.vae = (self.checkpoint.out(slot) for slot in range(3))
        self.positive, self.negative = self.text(POSITIVE), self.text("blurry")

    def text(self, text: str) -> Handle:
        return self.graph.node("CLIPTextEncode", text=text, clip=self.clip)

    def empty(self, width: int = 64, height: int = 64, batch: int = 1) -> Handle:
        return self.graph.node("EmptyLatentImage", width=width, height=height, batch_size=batch)

    def given(self, name: str) -> Link:
        """A tensor of the goldens on a wire."""
        return self.bench.constant(self.graph, self.goldens[name])

    def encoded(self) -> Handle:
        return self.graph.node("VAEEncode", pixels=self.given("pixels"), vae=self.vae)

    def drawn(self, latent: Handle | None = None, **changes: Any) -> Tensor:
        inputs = {
            "model": self.model,
            "seed": 7,
            "steps": 4,
            "cfg": 7.0,
            "sampler_name": "euler",
            "scheduler": "normal",
            "positive": self.positive,
            "negative": self.negative,
            "latent_image": latent or self.empty(),
            "denoise": 1.0,
        }
        return self.value(self.graph.node("KSampler", **{**inputs, **changes}))["samples"]

    def part(self, latent: Handle, **changes: Any) -> Handle:
        inputs = {
            "model": self.model,
            "add_noise": "enable",
            "noise_seed": 7,
            "steps": 6,
            "cfg": 7.0,
            "sampler_name": "euler",
            "scheduler": "normal",
            "positive": self.positive,
            "negative": self.negative,
            "latent_image": latent,
            "start_at_step": 0,
            "end_at_step": 10000,
            "return_with_leftover_noise": "disable",
        }
        return self.graph.node("KSamplerAdvanced", **{**inputs, **changes})

    def value(self, node: Handle, slot: int = 0) -> Any:
        return self.bench.value(self.graph, node, slot)


@pytest.fixture
def golden(goldens: Recorded, real: Bench) -> Golden:
    return Golden(goldens, real)


def check(ours: Tensor, theirs: Tensor) -> None:
    assert ours.shape == theirs.shape
    assert float((ours.float() - theirs).abs().max() / theirs.abs().max()) < TOLERANCE


def test_texts(golden: Golden) -> None:
    skipped = golden.graph.node("CLIPSetLastLayer", clip=golden.clip, stop_at_clip_layer=-2)
    texts = {
        "cond.pos": golden.positive,
        "cond.neg": golden.negative,
        "cond.long": golden.text("a " * 100),
        "cond.pos.clip_skip_2": golden.graph.node("CLIPTextEncode", text="a red apple", clip=skipped),
    }
    for name, node in texts.items():
        check(golden.value(node)[0][0], golden.goldens[name])
    check(golden.value(golden.positive)[0][1]["pooled_output"], golden.goldens["cond.pos.pooled"])


def test_the_network(golden: Golden) -> None:
    context = torch.cat([golden.goldens["cond.pos"], golden.goldens["cond.neg"]])
    with golden.value(golden.checkpoint, 0).ready() as network, torch.inference_mode():
        out = network(golden.goldens["unet.x"], torch.tensor([10.0, 900.0]), context)
    check(out, golden.goldens["unet.out"])


def test_the_autoencoder(golden: Golden) -> None:
    check(golden.value(golden.encoded())["samples"], golden.goldens["vae.encode"])
    latent = golden.bench.constant(golden.graph, {"samples": golden.goldens["latent.euler"]})
    decoded = golden.graph.node("VAEDecode", samples=latent, vae=golden.vae)
    check(golden.value(decoded), golden.goldens["vae.decode"])


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("euler", {}),
        ("euler_ancestral", {"sampler_name": "euler_ancestral"}),
        ("dpmpp_2m_karras", {"sampler_name": "dpmpp_2m", "scheduler": "karras"}),
        ("dpmpp_2m_sde_karras", {"sampler_name": "dpmpp_2m_sde", "scheduler": "karras"}),
        ("ddim", {"sampler_name": "ddim", "scheduler": "ddim_uniform"}),
        ("cfg1", {"cfg": 1.0}),
    ],
)
def test_drawing(name: str, changes: dict[str, Any], golden: Golden) -> None:
    check(golden.drawn(**changes), golden.goldens[f"latent.{name}"])


def test_a_batch_of_another_shape(golden: Golden) -> None:
    check(golden.drawn(golden.empty(96, 64, 2)), golden.goldens["latent.64x96"])


def test_from_a_picture(golden: Golden) -> None:
    check(golden.drawn(golden.encoded(), denoise=0.6), golden.goldens["latent.img2img_0.6"])


def test_masked(golden: Golden) -> None:
    masked = golden.graph.node("SetLatentNoiseMask", samples=golden.encoded(), mask=golden.given("mask"))
    check(golden.drawn(masked), golden.goldens["latent.masked"])


def test_inpainting(golden: Golden) -> None:
    filled = golden.graph.node(
        "VAEEncodeForInpaint",
        pixels=golden.given("pixels"),
        vae=golden.vae,
        mask=golden.given("mask"),
        grow_mask_by=6,
    )
    latent = golden.value(filled)
    check(latent["samples"], golden.goldens["inpaint.samples"])
    assert torch.equal(latent["noise_mask"], golden.goldens["inpaint.noise_mask"])
    check(golden.drawn(filled), golden.goldens["latent.inpaint_fill"])


def test_areas(golden: Golden) -> None:
    both = golden.positive
    for text, width, height, x, y, strength in (("left", 96, 128, 0, 0, 1.0), ("right", 128, 96, 64, 32, 0.7)):
        area = golden.graph.node(
            "ConditioningSetArea",
            conditioning=golden.text(text),
            width=width,
            height=height,
            x=x,
            y=y,
            strength=strength,
        )
        both = golden.graph.node("ConditioningCombine", conditioning_1=both, conditioning_2=area)
    drawn = golden.drawn(golden.empty(192, 128), steps=2, positive=both)
    check(drawn, golden.goldens["latent.areas"])


def test_a_masked_text(golden: Golden) -> None:
    masked = golden.graph.node(
        "ConditioningSetMask",
        conditioning=golden.text("masked"),
        mask=golden.given("mask"),
        strength=0.8,
        set_cond_area="default",
    )
    both = golden.graph.node("ConditioningCombine", conditioning_1=golden.positive, conditioning_2=masked)
    check(golden.drawn(steps=2, positive=both), golden.goldens["latent.cond_mask"])


def test_texts_in_ranges_of_steps(golden: Golden) -> None:
    parts = [
        golden.graph.node("ConditioningSetTimestepRange", conditioning=text, start=start, end=end)
        for text, start, end in ((golden.positive, 0.0, 0.4), (golden.text("late"), 0.4, 1.0))
    ]
    both = golden.graph.node("ConditioningCombine", conditioning_1=parts[0], conditioning_2=parts[1])
    check(golden.drawn(positive=both), golden.goldens["latent.timestep_range"])


def test_a_controlnet(golden: Golden) -> None:
    both = golden.graph.node(
        "ControlNetApplyAdvanced",
        positive=golden.positive,
        negative=golden.negative,
        control_net=golden.graph.node("ControlNetLoader", control_net_name="controlnet_sd15.safetensors"),
        image=golden.given("pixels"),
        strength=0.8,
        start_percent=0.0,
        end_percent=0.7,
    )
    drawn = golden.drawn(positive=both.out(0), negative=both.out(1))
    check(drawn, golden.goldens["latent.controlnet_advanced"])


def test_a_run_in_two_parts(golden: Golden) -> None:
    first = golden.part(golden.empty(), end_at_step=3, return_with_leftover_noise="enable")
    second = golden.part(first, start_at_step=3, add_noise="disable")
    check(golden.value(first)["samples"], golden.goldens["latent.advanced_0_3_leftover"])
    check(golden.value(second)["samples"], golden.goldens["latent.advanced_3_end"])


@pytest.mark.parametrize("method", ["nearest-exact", "bilinear", "area", "bicubic", "bislerp"])
def test_enlarging_a_latent(method: str, golden: Golden) -> None:
    latent = golden.bench.constant(golden.graph, {"samples": golden.goldens["latent.euler"]})
    larger = golden.graph.node(
        "LatentUpscale", samples=latent, upscale_method=method, width=96, height=80, crop="disabled"
    )
    check(golden.value(larger)["samples"], golden.goldens[f"latent_upscale.{method}"])


@pytest.mark.parametrize("method", ["nearest-exact", "bilinear", "area", "bicubic", "lanczos"])
def test_resizing_a_picture(method: str, golden: Golden) -> None:
    resized = golden.graph.node(
        "ImageScale", image=golden.given("pixels"), upscale_method=method, width=40, height=56, crop="center"
    )
    check(golden.value(resized), golden.goldens[f"image_scale.{method}"])
