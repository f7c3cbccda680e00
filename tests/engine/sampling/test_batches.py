import pytest
import torch
from torch import Tensor

from engine.errors import OutOfMemory
from engine.sampling.batches import Chunks, can_repeat, row_limit, stacked_tokens

CPU = torch.device("cpu")
ROWS = torch.arange(10.0)


def room_for(most: int, asked: list[int]):
    def ask(part: slice) -> Tensor:
        rows = ROWS[part]
        asked.append(len(rows))
        if len(rows) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return rows * 2

    return ask


@pytest.mark.parametrize(("limit", "sizes"), [(100, [10]), (10, [10]), (4, [4, 4, 2]), (1, [1] * 10)])
def test_rows_are_asked_as_many_at_a_time_as_allowed(limit: int, sizes: list[int]) -> None:
    asked: list[int] = []
    assert torch.equal(Chunks(limit).run(room_for(10, asked), 10, CPU), ROWS * 2)
    assert asked == sizes


def test_without_memory_the_same_rows_are_tried_in_halves_and_it_is_remembered() -> None:
    asked: list[int] = []
    chunks = Chunks(100)
    assert torch.equal(chunks.run(room_for(3, asked), 10, CPU), ROWS * 2)
    assert asked == [10, 5, 2, 2, 2, 2, 2]
    assert chunks.limit == 2


def test_when_one_row_is_too_much_the_user_is_told_what_to_do() -> None:
    with pytest.raises(OutOfMemory, match="smaller") as caught:
        Chunks(8).run(room_for(0, []), 10, CPU)
    assert isinstance(caught.value.__cause__, torch.OutOfMemoryError)


def test_when_one_row_is_too_much_the_network_may_make_room() -> None:
    asked: list[int] = []
    lighter: list[int] = []

    def ask(part: slice) -> Tensor:
        return room_for(1 if len(lighter) > 1 else 0, asked)(part)

    def lighten() -> bool:
        lighter.append(asked[-1])
        return True

    assert torch.equal(Chunks(4, lighten).run(ask, 2, CPU), ROWS[:2] * 2)
    assert asked == [2, 1, 1, 1, 1]
    assert lighter == [1, 1]


def test_other_errors_are_the_networks_own() -> None:
    def ask(part: slice) -> Tensor:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1"):
        Chunks(8).run(ask, 10, CPU)


def test_there_is_always_room_for_one_row() -> None:
    assert row_limit(2**60, CPU) == 1
    assert row_limit(1, CPU) > 1000


def test_texts_are_repeated_to_a_common_length_within_reason() -> None:
    assert can_repeat([77, 154])
    assert can_repeat([77, 77 * 4])
    assert not can_repeat([77, 77 * 5])
    assert not can_repeat([2, 3, 5])
    short, long = torch.randn(2, 2, 4), torch.randn(1, 6, 4)
    stacked = stacked_tokens([short, long])
    assert torch.equal(stacked[:2], torch.cat([short, short, short], dim=1))
    assert torch.equal(stacked[2:], long)
