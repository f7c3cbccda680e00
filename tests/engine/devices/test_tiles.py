import pytest
import torch
from torch.nn.functional import conv2d, interpolate, pad

from engine.devices.tiles import Tiling, tiled


def rand(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("scale", [1, 8, 0.125])
@pytest.mark.parametrize("size", [(16, 16), (40, 24), (64, 72)])
def test_work_on_each_cell_alone_is_the_same_in_pieces(scale, size):
    def work(x):
        return interpolate(x, scale_factor=scale, mode="nearest") * 3 + 1

    x = rand(2, 3, *size)
    torch.testing.assert_close(tiled(x, work, Tiling(16, 32, 8), scale), work(x), rtol=1e-5, atol=1e-5)


def test_pieces_fade_into_each_other_in_proportion_to_their_distance():
    # The first piece answers 0, the second 1: across the shared margin of 4 the answer is the second one's share.
    answers = iter([0.0, 1.0])
    made = tiled(torch.zeros(1, 1, 8, 12), lambda x: torch.full_like(x, next(answers)), Tiling(8, 8, 4), 1)
    ramp = torch.tensor([1, 2, 3, 4]) / 4
    expected = torch.cat([torch.zeros(4), ramp / (ramp + ramp.flip(0)), torch.ones(4)])
    torch.testing.assert_close(made[0, 0, 4], expected)


def test_a_work_that_looks_around_differs_little_when_the_margin_holds_what_it_sees():
    kernel = rand(1, 1, 3, 3)

    def work(x):
        return conv2d(pad(x, (1, 1, 1, 1), mode="replicate"), kernel)

    x = interpolate(rand(1, 1, 8, 8), size=(64, 64), mode="bicubic")
    whole, pieces = work(x), tiled(x, work, Tiling(32, 32, 16), 1)
    assert (whole - pieces).abs().max() < 0.1 * whole.abs().max()


def test_every_piece_is_reported():
    seen = []
    tiling = Tiling(8, 8, 2)
    x = torch.zeros(2, 1, 8, 14)
    tiled(x, lambda x: x, tiling, 1, lambda done, total: seen.append((done, total)))
    assert seen == [(n + 1, tiling.count(x)) for n in range(tiling.count(x))]
    assert tiling.count(x) == 4


def test_a_picture_that_fits_a_tile_is_worked_on_as_a_whole():
    sizes = []
    tiled(torch.zeros(1, 1, 8, 6), lambda x: sizes.append(x.shape) or x, Tiling(8, 8, 4), 1)
    assert sizes == [(1, 1, 8, 6)]
