"""Between pixels and latents."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from engine.graph.run import Run
from engine.pictures.inpainting import widened
from nodes.vae import vae_decode_tiled
from tests.nodes.bench import Bench, Drawing

GOLDENS = Path(__file__).parents[1] / "goldens" / "images.safetensors"


def test_a_mask_grows_as_in_comfyui() -> None:
    goldens = load_file(GOLDENS)
    assert torch.equal(widened(goldens["mask"][None], 6).round(), goldens["inpaint.noise_mask"])


@pytest.mark.parametrize(("side", "left", "right"), [(1, 0, 0), (3, 1, 1), (2, 0, 1), (6, 2, 3), (7, 3, 3)])
def test_a_point_grows_to_a_square(side: int, left: int, right: int) -> None:
    point = torch.zeros(1, 1, 15, 15)
    point[0, 0, 7, 7] = 1
    expected = torch.zeros(1, 1, 15, 15)
    expected[0, 0, 7 - left : 8 + right, 7 - left : 8 + right] = 1
    assert torch.equal(widened(point, side), expected)


def test_growing_by_nothing_keeps_soft_edges_and_growing_by_one_rounds_them() -> None:
    soft = torch.tensor([0.2, 0.5, 0.7]).reshape(1, 1, 1, 3)
    assert torch.equal(widened(soft, 0), soft)
    assert widened(soft, 1).flatten().tolist() == [0, 0, 1]  # half to even


# tiles


@pytest.mark.parametrize(("tile", "overlap"), [(4096, 64), (64, 16)])
def test_tiles_draw_what_the_whole_does_but_for_what_they_cannot_see(tile: int, overlap: int, bench: Bench) -> None:
    drawing = Drawing()
    image = bench.constant(drawing.graph, torch.rand(1, 64, 96, 3, generator=torch.Generator().manual_seed(0)))
    whole = drawing.graph.node("VAEEncode", pixels=image, vae=drawing.vae)
    given = {"tile_size": tile, "overlap": overlap, "temporal_size": 64, "temporal_overlap": 8}
    pieces = drawing.graph.node("VAEEncodeTiled", pixels=image, vae=drawing.vae, **given)
    decoded = drawing.graph.node("VAEDecode", samples=whole, vae=drawing.vae)
    tiled = drawing.graph.node("VAEDecodeTiled", samples=whole, vae=drawing.vae, **given)
    values = bench.run(drawing.graph, whole, pieces, decoded, tiled).check().values
    latents = values[pieces.id][0][0]["samples"], values[whole.id][0][0]["samples"]
    pictures = values[tiled.id][0][0], values[decoded.id][0][0]
    for made, wanted in (latents, pictures):
        assert made.shape == wanted.shape
        assert (made - wanted).abs().mean() < 0.5 * wanted.std()
        assert torch.allclose(made, wanted, atol=1e-4) == (tile == 4096)


def test_pieces_overlap_by_a_quarter_at_most_and_are_given_in_pixels() -> None:
    asked: list[tuple[int, int]] = []

    class Vae:
        ratio, latent_channels = 8, 4

        def decode_tiled(self, latent: Any, tile: int, overlap: int, watch: Any) -> Any:
            asked.append((tile, overlap))
            return latent

    for tile, overlap in ((512, 64), (128, 64), (64, 0)):
        vae_decode_tiled(
            samples={"samples": torch.zeros(1, 4, 8, 8)},
            vae=Vae(),  # type: ignore[arg-type]
            tile_size=tile,
            overlap=overlap,
            run=Run("1", print),
        )
    assert asked == [(64, 8), (16, 4), (8, 0)]
