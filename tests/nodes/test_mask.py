"""Masks out of picture files, and masks made and changed."""

from collections.abc import Callable

import pytest
import torch
from PIL import Image
from torch import Tensor

from engine.errors import ImageError, OutOfMemory, PathError
from engine.folders import Folders
from engine.graph.builder import Builder
from engine.graph.run import Run
from nodes import mask
from tests.nodes.bench import Bench

Noise = Callable[..., Tensor]


@pytest.mark.parametrize(("channel", "value"), [("red", 51 / 255), ("green", 0.4), ("blue", 0.6), ("alpha", 0.2)])
def test_a_channel_becomes_a_mask_and_alpha_is_turned_over(channel: str, value: float, folders: Folders) -> None:
    Image.new("RGBA", (6, 4), (51, 102, 153, 204)).save(folders.input / "a.png")
    made = mask.load_image_mask(image="a.png", channel=channel, folders=folders)
    assert torch.allclose(made, torch.full((1, 4, 6), value))


def test_a_missing_file_is_named(folders: Folders) -> None:
    with pytest.raises(PathError, match=r"gone\.png"):
        mask.load_image_mask(image="gone.png", channel="red", folders=folders)


def test_a_mask_is_a_grey_picture_and_back(noise: Noise) -> None:
    given = noise(2, 3, 4)
    image = mask.mask_to_image(mask=given)
    assert image.shape == (2, 3, 4, 3)
    assert torch.equal(mask.image_to_mask(image=image, channel="green"), given)
    assert mask.mask_to_image(mask=given[0]).shape == (1, 3, 4, 3)


def test_a_channel_that_is_not_there_is_named(noise: Noise) -> None:
    with pytest.raises(ImageError, match="image has 3 channels and no alpha"):
        mask.image_to_mask(image=noise(1, 4, 4, 3), channel="alpha")
    with pytest.raises(ImageError, match="expected colour pictures"):
        mask.image_color_to_mask(image=noise(1, 4, 4, 1), color=0)


def test_masks_are_made_inverted_cut_and_decided(noise: Noise) -> None:
    assert mask.solid_mask(value=0.25, width=5, height=2).tolist() == [[[0.25] * 5] * 2]
    given = noise(2, 3, 4)
    assert torch.equal(mask.invert_mask(mask=given), 1 - given)
    assert torch.equal(mask.crop_mask(mask=given, x=1, y=1, width=2, height=9), given[:, 1:, 1:3])
    assert mask.threshold_mask(mask=torch.tensor([[0.5, 0.51]]), value=0.5).tolist() == [[[0.0, 1.0]]]
    with pytest.raises(ImageError, match=r"x, y: \(4, 0\) lies outside of the mask of 4×3 pixels"):
        mask.crop_mask(mask=given, x=4, y=0, width=2, height=2)


@pytest.mark.parametrize("wrong", [torch.zeros(0, 8, 8), torch.zeros(8), None])
def test_what_is_no_mask_is_named(wrong: object, run: Run) -> None:
    with pytest.raises(ImageError, match=r"^mask: expected a mask"):
        mask.grow_mask(mask=wrong, expand=1, run=run)  # type: ignore[arg-type]
    with pytest.raises(ImageError, match=r"^source: expected a mask"):
        mask.mask_composite(destination=torch.zeros(1, 4, 4), source=wrong, operation="and")  # type: ignore[arg-type]


def test_a_solid_mask_larger_than_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.devices.memory.free", lambda device: 1000)
    with pytest.raises(OutOfMemory):
        mask.solid_mask(width=16384, height=16384)


def test_a_mask_is_previewed_in_grey(bench: Bench) -> None:
    graph = Builder()
    shown = graph.node("MaskPreview", mask=bench.constant(graph, torch.full((1, 4, 6), 0.5)))
    (file,) = bench.run(graph, shown).check().ui[shown.id]["images"]
    with Image.open(bench.folders.temp / file["filename"]) as picture:
        assert (picture.size, picture.mode, picture.getpixel((0, 0))) == ((6, 4), "RGB", (127, 127, 127))
    assert file["type"] == "temp"
