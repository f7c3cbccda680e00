"""Upscalers in a graph."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL
from safetensors import safe_open
from safetensors.torch import save_file

from engine.graph.builder import Builder
from engine.models.rrdb import RRDBConfig, RRDBNet
from nodes import upscaling
from tests import families
from tests.nodes.bench import Bench, Drawing, close


def test_a_file_is_loaded_and_makes_a_picture_larger(bench: Bench) -> None:
    torch.manual_seed(0)
    network = RRDBNet(RRDBConfig(features=4, blocks=1, growth=2, ups=2)).eval()
    folder = bench.folders.models / "upscale_models"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"params_ema": network.state_dict()}, folder / "tiny.pth")
    graph, image = Builder(), torch.rand(2, 9, 7, 4)
    loaded = graph.node("UpscaleModelLoader", model_name="tiny.pth")
    made = graph.node("ImageUpscaleWithModel", upscale_model=loaded, image=bench.constant(graph, image))
    with torch.no_grad():
        wanted = network(image[..., :3].movedim(-1, 1)).movedim(1, -1).clamp(0, 1)
    assert torch.allclose(bench.value(graph, made), wanted, atol=1e-6)


def test_a_file_of_something_else_is_named(bench: Bench) -> None:
    folder = bench.folders.models / "upscale_models"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"weight": torch.zeros(2)}, folder / "b.pth")
    (folder / "c.pth").write_bytes(b"no weights")
    graph = Builder()
    for name, said in (("b.pth", "b.pth: no upscaler of the ESRGAN family"), ("c.pth", "c.pth: neither safetensors")):
        message = bench.message(graph, graph.node("UpscaleModelLoader", model_name=name))
        assert f"input model_name: {said}" in message


def told(images: torch.Tensor, **inputs: Any) -> Any:
    sides = [[[torch.full((1, 77, 8), value), {"strength": 0.5}]] for value in (1.0, -1.0)]
    return upscaling.sd_4x_upscale_conditioning(images=images, positive=sides[0], negative=sides[1], **inputs)


def test_the_x4_upscaler_is_shown_the_picture_and_draws_on_a_latent_of_its_size() -> None:
    images = torch.rand(2, 6, 10, 3)
    made = told(images, noise_augmentation=0.25)
    assert torch.equal(made.latent["samples"], torch.zeros(2, 4, 6, 10))
    for side, value in ((made.positive, 1.0), (made.negative, -1.0)):
        ((tokens, options),) = side
        assert float(tokens[0, 0, 0]) == value
        assert (options["strength"], options["noise_augmentation"]) == (0.5, 0.25)
        assert torch.equal(options["concat_image"], images.movedim(-1, 1) * 2 - 1)


@pytest.mark.parametrize(
    ("ratio", "size"), [(4.0, (6, 10)), (2.0, (3, 5)), (8.0, (12, 20)), (1.5, (2, 3)), (0.0, (1, 1))]
)
def test_another_ratio_makes_the_picture_a_quarter_of_the_result(ratio: float, size: tuple[int, int]) -> None:
    made = told(torch.full((1, 6, 10, 3), 0.75), scale_ratio=ratio)
    assert made.latent["samples"].shape[-2:] == size
    assert torch.equal(made.positive[0][1]["concat_image"], torch.full((1, 3, *size), 0.5))


@pytest.fixture(scope="module")
def upscaler() -> dict[str, torch.Tensor]:
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 3, "up_block_types": ("UpDecoderBlock2D",) * 3}
    autoencoder = AutoencoderKL(block_out_channels=(32, 32, 32), layers_per_block=1, **blocks)
    return {name: each.half() for name, each in families.x4_upscaler(autoencoder).tensors.items()}


@pytest.fixture
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def x4(bench: Bench, upscaler: dict[str, torch.Tensor], _one_thread: None) -> Drawing:
    """A drawing with the upscaler `x4.safetensors`."""
    folder = bench.folders.base / "models" / "checkpoints"
    folder.mkdir(parents=True)
    save_file(upscaler, folder / "x4.safetensors")
    return Drawing("x4.safetensors")


def upscaled(bench: Bench, drawing: Drawing, image: torch.Tensor, **inputs: Any) -> dict[str, Any]:
    """What a sampler draws with it, decoded."""
    sides = {"positive": drawing.positive, "negative": drawing.negative}
    given = {"scale_ratio": 4.0, "noise_augmentation": 0.0, **inputs}
    images = bench.constant(drawing.graph, image)
    both = drawing.graph.node("SD_4XUpscale_Conditioning", images=images, **sides, **given)
    latent = drawing.sampled(positive=both.out(0), negative=both.out(1), latent_image=both.out(2), steps=1)
    return {"latent": latent, "picture": drawing.graph.node("VAEDecode", samples=latent, vae=drawing.vae)}


def test_a_graph_makes_a_picture_four_times_as_large(bench: Bench, x4: Drawing) -> None:
    picture = torch.rand(1, 8, 12, 3, generator=torch.Generator().manual_seed(1))
    drawn = [
        bench.value(x4.graph, upscaled(bench, x4, each, noise_augmentation=amount)["picture"])
        for each, amount in ((picture, 0.0), (1 - picture, 0.0), (picture, 0.5))
    ]
    assert drawn[0].shape == (1, 32, 48, 3)
    assert not close(drawn[1], drawn[0], 1e-3)  # it looks at the picture
    assert not close(drawn[2], drawn[0], 1e-3)  # and at the noise


def test_it_is_saved_and_draws_the_same_again(bench: Bench, x4: Drawing, upscaler: dict[str, torch.Tensor]) -> None:
    parts = {"model": x4.model, "clip": x4.clip, "vae": x4.vae}
    bench.run(x4.graph, x4.graph.node("CheckpointSave", filename_prefix="again", **parts)).check()
    (path,) = bench.folders.output.rglob("*.safetensors")
    with safe_open(path, "pt") as file:
        found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for name, tensor in upscaler.items():
        if not name.startswith("low_scale_model") and not name.endswith("logit_scale"):
            assert torch.equal(found[name], tensor), name
    path.rename(bench.folders.base / "models" / "checkpoints" / "again.safetensors")
    picture = torch.rand(1, 8, 8, 3, generator=torch.Generator().manual_seed(1))
    drawings = x4, Drawing("again.safetensors")
    drawn = [bench.value(each.graph, upscaled(bench, each, picture)["latent"])["samples"] for each in drawings]
    assert torch.equal(*drawn)


def test_what_is_wrong_with_an_upscaling_is_said(bench: Bench, x4: Drawing) -> None:
    latent = x4.graph.node("EmptyLatentImage", width=64, height=64, batch_size=1)
    assert "SD_4XUpscale_Conditioning" in bench.message(x4.graph, x4.sampled(latent_image=latent, steps=1))
    plain = Drawing()
    nothing = upscaled(bench, plain, torch.zeros(1, 0, 8, 3))["latent"]
    assert "images: expected at least one picture" in bench.message(plain.graph, nothing)
