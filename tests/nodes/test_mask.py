"""Masks out of picture files."""

import pytest
import torch
from PIL import Image

from engine.errors import PathError
from engine.folders import Folders
from nodes import mask


@pytest.mark.parametrize(("channel", "value"), [("red", 51 / 255), ("green", 0.4), ("blue", 0.6), ("alpha", 0.2)])
def test_a_channel_becomes_a_mask_and_alpha_is_turned_over(channel: str, value: float, folders: Folders) -> None:
    Image.new("RGBA", (6, 4), (51, 102, 153, 204)).save(folders.input / "a.png")
    made = mask.load_image_mask(image="a.png", channel=channel, folders=folders)
    assert torch.allclose(made, torch.full((1, 4, 6), value))


def test_a_missing_file_is_named(folders: Folders) -> None:
    with pytest.raises(PathError, match=r"gone\.png"):
        mask.load_image_mask(image="gone.png", channel="red", folders=folders)
