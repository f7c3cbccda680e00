"""Waiting jobs get other places, which outlive the server and leave the rest of the order alone."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.jobs.job import State
from server.jobs.store import JobGone, Jobs
from tests.server.jobs.opened import ids, new, opened, run


async def submit(jobs: Jobs, *names: str) -> None:
    for each in names:
        await jobs.submit(new(each))


@pytest.mark.parametrize(
    ("job", "before", "expected"),
    [
        ("d", "a", "dabc"),
        ("d", "b", "adbc"),
        ("a", "d", "bcad"),
        ("a", None, "bcda"),
        ("d", None, "abcd"),
        ("a", "b", "abcd"),
        ("b", "b", "abcd"),
        ("a", "a", "abcd"),
    ],
)
def test_a_job_runs_before_the_one_that_is_named_or_last(
    tmp_path: Path, job: str, before: str | None, expected: str
) -> None:
    async def scenario(jobs: Jobs) -> None:
        await submit(jobs, *"abcd")
        await jobs.move(job, before)
        assert ids(jobs.waiting()) == list(expected)
        assert ids([jobs.next()]) == [expected[0]]

    run(tmp_path, scenario)
    run(tmp_path, after_a_restart(expected))


def after_a_restart(expected: str):
    async def scenario(jobs: Jobs) -> None:
        assert ids(jobs.waiting()) == list(expected)

    return scenario


def test_what_comes_later_is_behind_what_was_moved_last_and_front_is_before_what_was_moved_first(
    tmp_path: Path,
) -> None:
    async def scenario(jobs: Jobs) -> None:
        await submit(jobs, *"abc")
        for _ in range(5):
            await jobs.move("a", None)
            await jobs.move("c", ids(jobs.waiting())[0])
        await jobs.submit(new("late"))
        await jobs.submit(new("first", front=True))
        assert ids(jobs.waiting()) == ["first", "c", "b", "a", "late"]

    run(tmp_path, scenario)


def test_there_is_always_another_place_between_two(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        await submit(jobs, *"abcdef")
        for n in range(200):  # a double is halved some fifty times until nothing is left
            await jobs.move("bc"[n % 2], "cb"[n % 2])
            assert ids(jobs.waiting()) == list("acbdef" if n % 2 else "abcdef")
        await jobs.move("e", "d")
        for n in range(200):
            await jobs.move("fe"[n % 2], "d")
            assert ids(jobs.waiting()) == list("acbfed" if n % 2 else "acbefd")

    run(tmp_path, scenario)


NUMBERS = st.sampled_from([None, 0.0, 1.0, 1.0, -3.5, 1e300, -1e300, 2.0**53, 5e-324, 7.0])


@settings(deadline=None, max_examples=40)
@given(
    st.lists(NUMBERS, min_size=2, max_size=8), st.lists(st.tuples(st.integers(0, 7), st.integers(0, 8)), max_size=12)
)
def test_every_move_does_what_it_does_to_a_list(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[float | None], moves: list[tuple[int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("jobs")

    async def scenario(jobs: Jobs) -> None:
        for n, number in enumerate(numbers):
            await jobs.submit(new(str(n), number=number))
        order = ids(jobs.waiting())
        for which, where in moves:
            job = order[which % len(order)]
            before = order[where] if where < len(order) else None
            await jobs.move(job, before)
            if before != job:
                order.remove(job)
                order.insert(len(order) if before is None else order.index(before), job)
            assert ids(jobs.waiting()) == order
        await jobs.close()
        async with opened(folder) as again:
            assert ids(again.waiting()) == order

    run(folder, scenario)


def test_what_does_not_wait_has_no_place(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        await submit(jobs, *"abc")
        await jobs.start("a", "worker-0")
        for job, before in (("a", None), ("b", "a"), ("x", None), ("b", "x")):
            with pytest.raises(JobGone):
                await jobs.move(job, before)
        await jobs.finish("a", State.SUCCEEDED, [])
        with pytest.raises(JobGone):
            await jobs.move("a", None)
        assert ids(jobs.waiting()) == ["b", "c"]

    run(tmp_path, scenario)


def test_what_is_being_moved_is_not_started_and_what_is_being_started_is_not_moved(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        await submit(jobs, *"abc")
        moving = asyncio.ensure_future(jobs.move("a", None))
        await asyncio.sleep(0)
        assert ids([jobs.next()]) == ["b"]
        starting = asyncio.ensure_future(jobs.start("b", "worker-0"))
        await asyncio.sleep(0)
        with pytest.raises(JobGone):
            await jobs.move("c", "b")
        await moving
        await starting
        assert ids(jobs.running()) == ["b"]
        assert ids(jobs.waiting()) == ["c", "a"]
        assert ids([jobs.next()]) == ["c"]

    run(tmp_path, scenario)
