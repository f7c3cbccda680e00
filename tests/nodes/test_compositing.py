"""Nodes that lay pictures over each other; the numbers are engine/pictures' own tests'."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from engine.errors import ImageError
from nodes import compositing

Noise = Callable[..., Tensor]


def test_a_picture_is_pasted_and_what_was_given_stays(noise: Noise) -> None:
    below, above = noise(1, 4, 4, 3), noise(1, 2, 2, 4, seed=1)
    before = below.clone()
    made = compositing.image_composite_masked(destination=below, source=above, x=1, y=2)
    assert torch.equal(made[:, 2:, 1:3], above[..., :3])
    assert torch.equal(made[:, :2], below[:, :2])
    assert torch.equal(below, before)
    half = compositing.image_composite_masked(
        destination=below, source=above, resize_source=True, mask=torch.zeros(9, 9)
    )
    assert torch.equal(half, below)


def test_a_transparent_picture_under_an_opaque_one_is_refused_as_in_comfyui(noise: Noise) -> None:
    with pytest.raises(
        ImageError,
        match=r"destination has 4 channels and source only 3; take the alpha off destination \(SplitImageWithAlpha\)",
    ):
        compositing.image_composite_masked(destination=noise(1, 4, 4, 4), source=noise(1, 2, 2, 3))


def test_alpha_goes_on_and_comes_off(noise: Noise) -> None:
    made = compositing.join_image_with_alpha(image=noise(2, 4, 4, 3), alpha=noise(4, 4))
    assert made.shape == (1, 4, 4, 4)
    image, mask = compositing.split_image_with_alpha(image=made)
    assert torch.allclose(mask, noise(4, 4)[None])
    assert torch.equal(image, noise(2, 4, 4, 3)[:1])
    with pytest.raises(ImageError, match="image: expected colour pictures"):
        compositing.join_image_with_alpha(image=noise(2, 4, 4, 1), alpha=noise(4, 4))


def test_layers_are_named_when_they_are_none(noise: Noise) -> None:
    with pytest.raises(ImageError, match=r"^destination_alpha: expected a mask"):
        compositing.porter_duff_image_composite(
            source=noise(1, 4, 4, 3),
            source_alpha=noise(4, 4),
            destination=noise(1, 4, 4, 3),
            destination_alpha=torch.zeros(0, 4, 4),
            mode="XOR",
        )
    made = compositing.porter_duff_image_composite(
        source=noise(1, 4, 4, 3),
        source_alpha=torch.zeros(4, 4),
        destination=noise(1, 4, 4, 3, seed=1),
        destination_alpha=noise(4, 4),
        mode="SRC_OVER",
    )
    assert torch.allclose(made.IMAGE, noise(1, 4, 4, 3), atol=1e-6)
    assert not made.MASK.any()
