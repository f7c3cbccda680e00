"""HyperTile: the whole attention where it does not act, and where it does attention within tiles, one by one."""

import pytest
import torch
from torch import Tensor

from engine.devices.attention import attention
from engine.errors import SamplingError
from engine.steering.hypertile import Tiles, tiles_along, tiling

WIDTH = 8


def tokens(height: int, width: int) -> Tensor:
    return torch.randn(2, height * width, WIDTH, generator=torch.Generator().manual_seed(0))


def attended(tiles: Tiles, n: Tensor, shape: tuple[int, int]) -> Tensor:
    extra = {"original_shape": [len(n), 4, *shape]}
    return tiles.joined(attention(*tiles.cut(n, n, n, extra), 2), extra)


@pytest.mark.parametrize("shape", [(8, 8), (8, 16), (16, 8)])
def test_one_tile_is_the_whole_picture(shape: tuple[int, int]) -> None:
    n = tokens(*shape)
    torch.testing.assert_close(attended(Tiles(16, 1, 0, False), n, shape), attention(n, n, n, 2))


def test_each_tile_looks_at_a_run_of_tokens() -> None:
    n = tokens(8, 8)
    made = attended(Tiles(4, 1, 0, False), n, (8, 8)).reshape(2, 8, 8, WIDTH)
    picture, runs = n.reshape(2, 8, 8, WIDTH), n.reshape(2, 4, 16, WIDTH)
    for place in range(4):
        down, across = divmod(place, 2)
        rows, columns = slice(4 * down, 4 * down + 4), slice(4 * across, 4 * across + 4)
        queries = picture[:, rows, columns].reshape(2, 16, WIDTH)
        alone = attention(queries, runs[:, place], runs[:, place], 2)
        torch.testing.assert_close(made[:, rows, columns].reshape(2, 16, WIDTH), alone)


@pytest.mark.parametrize("shape", [(8, 16), (16, 8), (12, 20)])
def test_cutting_and_joining_is_nothing(shape: tuple[int, int]) -> None:
    n = tokens(*shape)
    tiles = Tiles(4, 3, 0, False)
    extra = {"original_shape": [2, 4, *shape]}
    for _ in range(5):
        cut, context, value = tiles.cut(n, n, n, extra)
        assert len(cut) > 2
        assert len(cut) == len(context) == len(value)
        assert torch.equal(tiles.joined(cut, extra), n)


def test_coarser_levels_are_cut_as_deep_as_was_asked() -> None:
    coarse = tokens(8, 8)
    extra = {"original_shape": [2, 4, 32, 32]}
    for depth, count in ((0, 2), (1, 2), (2, 2 * 4)):
        assert len(Tiles(4, 1, depth, False).cut(coarse, coarse, coarse, extra)[0]) == count
    # On the second level below, tiles of four times as many cells on a side are the whole picture.
    assert len(Tiles(4, 1, 2, True).cut(coarse, coarse, coarse, extra)[0]) == 2


def test_sizes_come_from_torchs_generator_and_never_from_the_last_choice() -> None:
    torch.manual_seed(3)
    drawn = [tiles_along(64, 4, 3) for _ in range(40)]
    torch.manual_seed(3)
    assert drawn == [tiles_along(64, 4, 3) for _ in range(40)]
    assert set(drawn) == {16, 8}  # of the divisors 4, 8 and 16
    assert {tiles_along(64, 4, 1) for _ in range(5)} == {16}
    assert {tiles_along(61, 4, 8) for _ in range(5)} == {1}  # a prime
    assert tiles_along(8, 32, 4) == 1


def test_small_tiles_are_taken_as_32_pixels() -> None:
    (cut,) = tiling(1, 1, 0, False).patches["patches"]["attn1_patch"]
    n = tokens(8, 8)
    assert len(cut(n, n, n, {"original_shape": [2, 4, 8, 8]})[0]) == 2 * 4


def test_other_tokens_to_look_at_that_cannot_be_cut_are_named() -> None:
    n = tokens(8, 8)
    more = torch.cat([n, n[:, :3]], dim=1)
    with pytest.raises(SamplingError, match=r"HyperTile cuts self-attention into 4 tiles, but .* 67 tokens"):
        Tiles(4, 1, 0, False).cut(n, more, more, {"original_shape": [2, 4, 8, 8]})
