"""The plugins' event loop: where it runs, and what it does when something in it blocks."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from compat.plugins.loop import Busy, PluginLoop


@pytest.fixture
def loop() -> Iterator[PluginLoop]:
    made = PluginLoop(patience=0.2)
    made.live()
    yield made
    made.close()


async def _thread() -> threading.Thread:
    return threading.current_thread()


def test_it_runs_here_when_it_is_told_to_and_then_in_its_own_thread_again(loop: PluginLoop) -> None:
    assert loop.run(_thread()) is threading.current_thread()
    assert asyncio.run_coroutine_threadsafe(_thread(), loop.loop).result(5) is not threading.current_thread()


def test_what_blocks_it_is_named_and_it_goes_on_afterwards(loop: PluginLoop) -> None:
    let_go, is_blocked = threading.Event(), threading.Event()

    async def blocks() -> str:
        is_blocked.set()
        let_go.wait(30)
        await asyncio.sleep(0)
        return "done"

    blocking = asyncio.run_coroutine_threadsafe(blocks(), loop.loop)
    assert is_blocked.wait(5)
    with pytest.raises(Busy, match=r"blocks.* has kept the plugins. event loop to itself for 0\.2 s"):
        loop.run(_thread())
    let_go.set()
    assert blocking.result(5) == "done"
    assert asyncio.run_coroutine_threadsafe(_thread(), loop.loop).result(5) is not threading.current_thread()
    assert loop.run(_thread()) is threading.current_thread()
