"""Icons survive being kept, can be chosen from, and are ready to be laid over something."""

from pathlib import Path

import numpy as np
import torch

from engine.training import dataset
from engine.training.captions import HUES
from engine.training.dataset import Icons


def icons() -> Icons:
    """Two subjects in two styles; opaque in the left half."""
    pixels = np.zeros((4, 8, 8, 4), np.uint8)
    pixels[:, :, :4, 3] = 255
    pixels[0, :, :4, 0] = 250
    pixels[1, :, :4, 2] = 250
    pixels[2, :, :4, :3] = 120
    pixels[3, :, :4, 1] = 200
    return Icons(pixels, ("a", "a", "b", "b"), ("X", "Y", "X", "Y"))


def test_icons_come_back_as_they_were_saved(tmp_path: Path) -> None:
    icons().save(tmp_path / "kept.npz")
    found = dataset.load(tmp_path / "kept.npz")
    assert (found.styles, found.subjects) == (icons().styles, icons().subjects)
    assert torch.equal(found.layers(), icons().layers())
    assert [path.name for path in tmp_path.iterdir()] == ["kept.npz"]


def test_only_keeps_the_wanted_subjects_and_styles() -> None:
    found = icons().only(["Y"], ["b"])
    assert (found.styles, found.subjects) == (("b",), ("Y",))
    assert found.pixels[0, 0, 0, 1] == 200


def test_layers_are_premultiplied() -> None:
    half = icons()
    half.pixels[0, ..., 3] //= 2
    layers = half.layers()
    assert layers.shape == (4, 4, 8, 8)
    assert torch.allclose(layers[0, 0, 0, 0], torch.tensor(250 / 255 * 127 / 255))


def test_the_hue_that_rules_an_icon_is_named_and_grey_has_none() -> None:
    assert dataset.dominant_hues(icons(), HUES) == {0: "red", 1: "blue", 3: "green"}


def test_prepared_icons_are_read_and_not_drawn_again(tmp_path: Path) -> None:
    icons().only(["X", "Y"], ["a"]).save(tmp_path / "a_8.npz")
    icons().only(["X", "Y"], ["b"]).save(tmp_path / "b_8.npz")
    nothing_to_fetch = dataset.Packages(tmp_path, ())
    found = dataset.prepared(tmp_path, nothing_to_fetch, ["X", "Y"], ["a", "b"], 8)
    assert found.styles == icons().styles
