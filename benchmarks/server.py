"""What the server costs, measured from outside with clients that cost little.

    python -m benchmarks.server [--parts posts latency bytes deaf start restart] [--seconds 5] [--folder DIR]

posts    durable POSTs per second from 16 connections, beside a plain aiohttp server that keeps prompts in memory; they
         take turns in one run, so that whatever else the machine does slows both alike
latency  GET /prompt every 4 ms while graphs of 1,000 nodes run: toy nodes that do nothing, and built-in cheap ones
bytes    what 1,000 nodes cost on the socket of their client
deaf     the same with graphs of 5,000 toy nodes, alone and with 50 clients that follow each and never read
start    from starting the program to the first answer of /system_stats, and the memory of the API process
restart  the same after kill -9 with 10,000 jobs in the history

--folder: where the servers keep their files (default: a temporary folder); its disk decides `posts`.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.history import fill
from benchmarks.serving import (
    NODES,
    Deaf,
    Load,
    many_toys,
    memory,
    pictures,
    plain,
    snapshot,
    syncs,
    toys,
    until_answered,
    until_ready,
)
from benchmarks.traffic import SEED
from tests.server.chaos.served import ROOT, Served, served
from tests.toy_worker import wide_prompt

CLIENTS = 16
DEAF = 50
HISTORY = 10_000
ROUNDS = 3


@dataclass(frozen=True)
class Figure:
    """A measured number and the goal it should keep: at most, or at least when is_least."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    is_least: bool = False

    @property
    def is_good(self) -> bool:
        """Whether the goal is kept."""
        return self.goal is None or (self.value >= self.goal if self.is_least else self.value <= self.goal)

    def __str__(self) -> str:
        sign = "≥" if self.is_least else "≤"
        goal = "" if self.goal is None else f"{sign} {self.goal:,g}{'' if self.is_good else '  missed'}"
        return f"  {self.name:<58}{self.value:>12,.2f} {self.unit:<8}{goal}"


def main() -> int:
    """Prints a table per part; the exit code is 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=[*PARTS], default=[*PARTS])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--folder", type=Path)
    chosen = parser.parse_args()
    is_good = True
    for name in chosen.parts:
        with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
            print(f"{name}", flush=True)
            for figure in PARTS[name](Path(folder), chosen.seconds):
                print(figure, flush=True)
                is_good = is_good and figure.is_good
    return 0 if is_good else 1


def posts(folder: Path, seconds: float) -> Iterator[Figure]:
    """Ours and the plain server in turn."""
    types = snapshot(folder / "types")
    prompt = folder / "prompt.json"
    graph = json.loads((ROOT / "workflows" / "text_to_image.json").read_text())
    graph["3"]["inputs"]["seed"] = int(SEED)
    prompt.write_text(json.dumps({"prompt": graph, "client_id": "benchmark"}))
    (folder / "ours").mkdir()
    worker = [sys.executable, "-m", "benchmarks.busy_worker", str(types)]
    with served(folder / "ours", "--workers", "1", worker=worker) as ours, plain(types, folder) as address:
        until_ready(ours)
        rounds = [
            [_traffic("post", each, str(prompt), "--clients", str(CLIENTS), "--seconds", str(seconds / ROUNDS))
             for each in (ours.address, address)]
            for _ in range(ROUNDS)
        ]  # fmt: skip
    for index, name in enumerate(("ours", "plain")):
        told = [each[index] for each in rounds]
        assert not any(each["refused"] for each in told), told
        rate = statistics.median(each["count"] / each["seconds"] for each in told)
        goal = 1500 if name == "ours" else None
        yield Figure(f"{name}: POSTs per second, {CLIENTS} clients", rate, "/s", goal, is_least=True)
        yield Figure(f"{name}: p99", statistics.median(each["p99"] for each in told), "ms")
    ratios = [(a["count"] / a["seconds"]) / (b["count"] / b["seconds"]) for a, b in rounds]
    yield Figure("ours / plain", statistics.median(ratios), "")
    yield Figure("for comparison: writes of 4 KiB made durable, one by one", syncs(folder), "/s")


def latency(folder: Path, seconds: float) -> Iterator[Figure]:
    """How GET /prompt feels while wide graphs run."""
    with served(folder) as server:
        until_ready(server)
        yield from _figures("idle", _probe(server, seconds))
        with Load(server, toys) as load:
            told = _probe(server, seconds)
    yield from _figures(f"{load.count} graphs of 1,000 toy nodes", told, goal=20)
    (folder / "real").mkdir()
    with served(folder / "real", worker=None) as server:
        until_ready(server)
        with Load(server, pictures) as load:
            told = _probe(server, seconds)
    yield from _figures(f"{load.count} graphs of 1,000 built-in nodes", told, goal=20)


def bytes_(folder: Path, seconds: float) -> Iterator[Figure]:
    """What a client is sent about one run."""
    with served(folder) as server:
        until_ready(server)
        messages, size = asyncio.run(_count(server, wide_prompt(NODES)))
        yield Figure("messages", messages, "")
        yield Figure("bytes with the frames' heads", size / 1024, "KiB", 1024)


def deaf(folder: Path, seconds: float) -> Iterator[Figure]:
    """Clients that follow each job and never read, and what others notice of them."""
    with served(folder) as server:
        until_ready(server)
        with Load(server, many_toys):
            before = _probe(server, seconds)
        size, clients = memory(server.pid), Deaf(server, DEAF)
        with Load(server, many_toys, posted=clients.follow):
            during = _probe(server, seconds)
        grown = memory(server.pid) - size
        clients.close()
    yield from _figures("nobody follows", before)
    yield from _figures(f"{DEAF} follow and never read", during)
    yield Figure("p99 rose by", during["p99"] - before["p99"], "ms", 50)
    yield Figure("memory of the API process rose by", grown, "MiB", DEAF * 2)


def start(folder: Path, seconds: float) -> Iterator[Figure]:
    """The program as a person starts it, with the real worker beside it."""
    times, sizes = [], []
    for index in range(5):
        base = folder / str(index)
        base.mkdir()
        server = Served(base, worker=None)
        begun = time.perf_counter()
        server.start()
        server.ask("/system_stats")
        times.append(time.perf_counter() - begun)
        sizes.append(memory(server.pid))
        server.kill()
    yield Figure("to the first answer of /system_stats, median", statistics.median(times), "s", 0.8)
    yield Figure("longest", max(times), "s")
    yield Figure("memory of the API process then", max(sizes), "MiB", 90)


def restart(folder: Path, seconds: float) -> Iterator[Figure]:
    """kill -9 with a long history."""
    (folder / "user").mkdir()
    fill(folder / "user" / "jobs.sqlite", HISTORY, wide_prompt(10))
    times = []
    with served(folder) as server:
        until_ready(server)
        for index in range(5):
            server.ask("/prompt", {"prompt": wide_prompt(10, seed=index)})
            server.kill()
            begun = time.perf_counter()
            server.start()
            until_answered(server, "/prompt")
            times.append(time.perf_counter() - begun)
        size = memory(server.pid)
    yield Figure(f"to the first answer with {HISTORY:,} jobs, median", statistics.median(times), "s", 2.0)
    yield Figure("longest", max(times), "s", 2.0)
    yield Figure("memory of the API process then", size, "MiB")


PARTS: dict[str, Callable[[Path, float], Iterator[Figure]]] = {
    "posts": posts,
    "latency": latency,
    "bytes": bytes_,
    "deaf": deaf,
    "start": start,
    "restart": restart,
}


def _figures(name: str, told: Mapping[str, float], goal: float | None = None) -> Iterator[Figure]:
    yield Figure(f"{name}: p50", told["p50"], "ms")
    yield Figure(f"{name}: p99", told["p99"], "ms", goal)
    yield Figure(f"{name}: longest", told["max"], "ms")


def _traffic(*arguments: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.traffic", *arguments]
    told: dict[str, float] = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    return told


def _probe(server: Served, seconds: float) -> dict[str, float]:
    return _traffic("probe", server.address, "--seconds", str(seconds))


async def _count(server: Served, prompt: dict[str, Any]) -> tuple[int, int]:
    """The messages of a run, and their bytes on the wire."""
    messages = size = 0
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{server.address}/ws?clientId=count") as listening,
    ):
        async with session.post(f"{server.address}/prompt", json={"prompt": prompt, "client_id": "count"}) as answer:
            assert answer.status == 200
        async for message in listening:
            length = len(message.data.encode() if isinstance(message.data, str) else message.data)
            messages, size = messages + 1, size + length + (2 if length < 126 else 4 if length < 65536 else 10)
            if isinstance(message.data, str) and '"node":null' in message.data.replace(" ", ""):
                break
    return messages, size


if __name__ == "__main__":
    raise SystemExit(main())
