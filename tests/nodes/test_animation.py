"""Animations written, and read again by Pillow, by LoadImage, and by what looks for workflows in files."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, ImageSequence

from engine.errors import ImageError, PathError
from engine.folders import Folders
from engine.graph.run import Run
from engine.images import from_pil, read_frames, to_pil
from engine.metadata import read_workflow
from engine.settings import Settings
from nodes import animation

PROMPT = {"1": {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0}}}
WORKFLOW = {"nodes": [], "links": [], "title": "für «Ä» 漢"}
SAVERS: list[tuple[Any, dict[str, Any]]] = [
    (animation.save_animated_webp, {"method": "fastest"}),
    (animation.save_animated_png, {}),
]


def pictures(count: int = 3, channels: int = 3) -> torch.Tensor:
    drawn = torch.rand(count, 12, 16, channels, generator=torch.Generator().manual_seed(0))
    return torch.cat([from_pil(to_pil(each)) for each in drawn])  # values that eight bits hold


def saved(saver: Any, folders: Folders, settings: Settings | None = None, **inputs: Any) -> tuple[Path, dict[str, Any]]:
    given = {"images": pictures(), "filename_prefix": "animations/a", "fps": 8.0, **inputs}
    made = saver(
        **given,
        prompt=PROMPT,
        extra_pnginfo={"workflow": WORKFLOW},
        folders=folders,
        settings=settings or Settings(),
        run=Run("1", lambda event: None),
    )
    (file,) = made.ui["images"]
    return folders.output / file["subfolder"] / file["filename"], made.ui


@pytest.mark.parametrize(("saver", "inputs"), SAVERS)
@pytest.mark.parametrize("channels", [3, 4])
def test_every_frame_is_in_the_file_for_its_time(saver: Any, inputs: Any, channels: int, folders: Folders) -> None:
    path, shown = saved(saver, folders, images=pictures(channels=channels), **inputs)
    assert path.name.startswith("a_00001_.")
    assert shown["animated"] == [True]
    assert shown["images"] == [{"filename": path.name, "subfolder": "animations", "type": "output"}]
    with Image.open(path) as file:
        assert file.n_frames == 3
        for frame, wanted in zip(ImageSequence.Iterator(file), pictures(channels=channels), strict=True):
            colours = from_pil(frame.convert("RGBA"))[0]
            opaque = wanted[..., 3:] > 0 if channels == 4 else torch.ones(12, 16, 1, dtype=torch.bool)
            assert torch.equal(colours[..., :channels] * opaque, wanted * opaque)
            assert frame.info["duration"] == 125


@pytest.mark.parametrize(("saver", "inputs"), SAVERS)
def test_the_workflow_is_inside_and_found_again(saver: Any, inputs: Any, folders: Folders) -> None:
    path, _ = saved(saver, folders, **inputs)
    found = read_workflow(path)
    assert json.loads(found["prompt"]) == PROMPT
    assert json.loads(found["workflow"]) == WORKFLOW
    assert read_workflow(saved(saver, folders, Settings(disable_metadata=True), **inputs)[0]) == {}


@pytest.mark.parametrize(("saver", "inputs"), SAVERS)
def test_loading_gives_all_frames(saver: Any, inputs: Any, folders: Folders) -> None:
    path, _ = saved(saver, folders, **inputs)
    assert torch.equal(read_frames(path).images, pictures())


def test_one_picture_is_no_animation_and_less_quality_a_smaller_file(folders: Folders) -> None:
    path, shown = saved(animation.save_animated_webp, folders, images=pictures(1), method="default")
    small, _ = saved(animation.save_animated_webp, folders, method="slowest", lossless=False, quality=5)
    large, _ = saved(animation.save_animated_webp, folders, method="slowest", lossless=False, quality=100)
    assert shown["animated"] == [False]
    assert small.stat().st_size < large.stat().st_size
    assert path.is_file()


def test_what_cannot_be_written_is_said(folders: Folders) -> None:
    with pytest.raises(ImageError, match="WebP holds at most 16383 pixels on a side, the pictures are 16384×1"):
        saved(animation.save_animated_webp, folders, images=torch.zeros(1, 1, 16384, 3), method="default")
    with pytest.raises(PathError, match="outside the output folder") as raised:
        saved(animation.save_animated_png, folders, filename_prefix="../a")
    assert raised.value.input == "filename_prefix"
