"""server.prompts.leftovers: what large requests took is the system's again afterwards."""

import asyncio
import sys
import threading
from typing import Any

import psutil
import pytest

from server.prompts import leftovers
from server.prompts.leftovers import Leftovers


@pytest.mark.skipif(sys.platform != "linux", reason="glibc")
def test_what_threads_took_is_given_back() -> None:
    clearing = Leftovers()
    before = psutil.Process().memory_info().rss

    def work() -> None:
        kept: list[Any] = [[{}, {}] for _ in range(200_000)]
        kept[0].append(b"x" * 20_000_000)
        kept.append(kept)  # garbage that only the collector finds

    threads = [threading.Thread(target=work) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    clearing.clear()
    assert psutil.Process().memory_info().rss - before < 40_000_000


def test_a_row_of_large_requests_is_cleared_away_after_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "DELAY", 0.02)
    cleared: list[int] = []

    class Counting(Leftovers):
        def clear(self) -> None:
            super().clear()
            cleared.append(1)

    async def scenario() -> None:
        clearing = Counting()
        for _ in range(5):
            clearing.clear_soon()
        async with asyncio.timeout(10):
            while not cleared:
                await asyncio.sleep(0.01)
        assert len(cleared) == 1
        clearing.clear_soon()
        async with asyncio.timeout(10):
            while len(cleared) < 2:
                await asyncio.sleep(0.01)

    asyncio.run(scenario())
