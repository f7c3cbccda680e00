"""Between pixels and latents."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from nodes.vae import grown

GOLDENS = Path(__file__).parents[1] / "goldens" / "images.safetensors"


def test_a_mask_grows_as_in_comfyui() -> None:
    goldens = load_file(GOLDENS)
    assert torch.equal(grown(goldens["mask"][None], 6).round(), goldens["inpaint.noise_mask"])


@pytest.mark.parametrize(("side", "left", "right"), [(1, 0, 0), (3, 1, 1), (2, 0, 1), (6, 2, 3), (7, 3, 3)])
def test_a_point_grows_to_a_square(side: int, left: int, right: int) -> None:
    point = torch.zeros(1, 1, 15, 15)
    point[0, 0, 7, 7] = 1
    expected = torch.zeros(1, 1, 15, 15)
    expected[0, 0, 7 - left : 8 + right, 7 - left : 8 + right] = 1
    assert torch.equal(grown(point, side), expected)


def test_growing_by_nothing_keeps_soft_edges_and_growing_by_one_rounds_them() -> None:
    soft = torch.tensor([0.2, 0.5, 0.7]).reshape(1, 1, 1, 3)
    assert torch.equal(grown(soft, 0), soft)
    assert grown(soft, 1).flatten().tolist() == [0, 0, 1]  # half to even
