"""What is kept and what is logged of what a worker prints."""

import asyncio

import pytest

from engine.workers.outside.stderr import CHUNK, KEPT, LINES_PER_SECOND, MAX_LINE, Stderr


def read(*chunks: bytes) -> tuple[list[str], Stderr]:
    logged: list[str] = []
    stderr = Stderr(logged.append)

    async def scenario() -> None:
        reader = asyncio.StreamReader()
        for chunk in chunks:
            reader.feed_data(chunk)
        reader.feed_eof()
        await stderr.read(reader)

    asyncio.run(scenario())
    return logged, stderr


def test_lines_are_logged_as_they_are() -> None:
    logged, stderr = read("Größe: 3\n".encode(), b"\n  indented\nhalf", b" a line")
    assert logged == ["Größe: 3", "  indented", "half a line"]
    assert stderr.last == logged


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        (b"\x1b[31mred\x1b[0m\n", "red"),
        (b"bell\x07 and \x00 zero\n", "bell and  zero"),
        (b"\xff\xfe\n", "\ufffd\ufffd"),
        (b"  0%|\r 50%|\r100%|\n", "100%|"),
        (b"windows\r\n", "windows"),
    ],
)
def test_what_a_terminal_would_not_show_is_left_out(printed: bytes, shown: str) -> None:
    assert read(printed)[0] == [shown]


def test_a_long_line_is_cut() -> None:
    logged, _ = read(b"x" * (10 * CHUNK) + b"\nnext\n")
    assert logged == ["x" * MAX_LINE, "next"]


def test_a_progress_bar_without_end_stays_small() -> None:
    _, stderr = read(*(b"%6d / 100000\r" % n for n in range(100_000)))
    assert stderr.last == [" 99999 / 100000"]


def test_more_than_the_rate_is_only_counted() -> None:
    logged, stderr = read(*(b"line %d\n" % n for n in range(100_000)))
    *lines, last = logged
    assert len(lines) < 20 * LINES_PER_SECOND
    assert "more lines were left out" in last
    assert stderr.last == [f"line {n}" for n in range(100_000 - KEPT, 100_000)]


def test_what_was_forgotten_is_no_longer_among_the_last_lines() -> None:
    async def scenario() -> list[str]:
        stderr, reader = Stderr(lambda line: None), asyncio.StreamReader()
        reading = asyncio.create_task(stderr.read(reader))
        reader.feed_data(b"of the job before\n")
        while not stderr.last:
            await asyncio.sleep(0)
        stderr.forget()
        reader.feed_data(b"of this job\n")
        reader.feed_eof()
        await reading
        return stderr.last

    assert asyncio.run(scenario()) == ["of this job"]
