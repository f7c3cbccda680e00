"""Token merging: nothing at ratio 0, fewer tokens above it, and everybody is there again at the end."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from engine.steering.token_merging import matched, merging


def tokens(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.randn(2, height * width, 6, generator=torch.Generator().manual_seed(seed))


def patches(ratio: float):
    made = merging(ratio).patches["patches"]
    return made["attn1_patch"][0], made["attn1_output_patch"][0]


@pytest.mark.parametrize("size", [(8, 8), (7, 5), (4, 12)])
@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.75, 1.0])
def test_so_many_tokens_are_merged_and_come_back_as_their_means(size: tuple[int, int], ratio: float) -> None:
    height, width = size
    n = tokens(height, width)
    merge, part = patches(ratio)
    extra = {"original_shape": [2, 4, height, width]}
    fewer, context, value = merge(n, n, n, extra)
    kept = (height // 2) * (width // 2)
    count = min(int(height * width * ratio), height * width - kept)
    assert fewer.shape == (2, height * width - count, 6)
    assert torch.equal(context, fewer)
    assert torch.equal(value, fewer)
    again = part(fewer, extra)
    assert again.shape == n.shape
    # A token is what it was, or the mean of all that became the same.
    for picture, before in zip(again, n, strict=True):
        for row in picture.unique(dim=0):
            members = (picture == row).all(dim=1)
            torch.testing.assert_close(row, before[members].mean(dim=0))
    torch.testing.assert_close(again.mean(dim=1), n.mean(dim=1))


def test_those_most_alike_are_merged_into_the_most_alike() -> None:
    torch.manual_seed(1)
    n = tokens(6, 6)
    pairs = matched(n, 6, 6, 0.2)
    assert pairs is not None
    for row in range(2):
        best = {}
        for place in pairs.others.tolist():
            likeness = [float(cosine_similarity(n[row, place], n[row, other], dim=0)) for other in pairs.kept.tolist()]
            best[place] = (max(likeness), int(pairs.kept[likeness.index(max(likeness))]))
        expected = sorted(best, key=lambda place: -best[place][0])[:7]
        gone = pairs.others[pairs.merged_ones[row]].tolist()
        assert gone == expected
        assert pairs.kept[pairs.into[row]].tolist() == [best[place][1] for place in gone]


def test_one_of_every_four_cells_is_kept_by_chance_and_by_seed() -> None:
    def kept(seed: int) -> list[int]:
        torch.manual_seed(seed)
        pairs = matched(tokens(6, 8), 6, 8, 0.5)
        assert pairs is not None
        return pairs.kept.tolist()

    assert kept(1) == kept(1) != kept(2)
    cells = sorted((place // 8 // 2, place % 8 // 2) for place in kept(1))
    assert cells == [(down, across) for down in range(3) for across in range(4)]


@pytest.mark.parametrize(("ratio", "shape"), [(0.0, (8, 8)), (0.5, (16, 16)), (0.01, (8, 8)), (0.5, (64, 1))])
def test_nothing_is_merged_at_ratio_0_on_coarse_levels_and_where_there_are_too_few(ratio, shape) -> None:
    n = tokens(8, 8)
    merge, part = patches(ratio)
    extra = {"original_shape": [2, 4, *shape]}
    made = merge(n, n, n, extra)
    assert all(each is n for each in made)
    assert part(n, extra) is n


def test_what_something_else_put_there_to_look_at_stays() -> None:
    n, other = tokens(8, 8), torch.randn(2, 70, 6)
    merge, _ = patches(0.5)
    _, context, value = merge(n, other, other, {"original_shape": [2, 4, 8, 8]})
    assert context is other
    assert value is other
