"""What `server` measures with: servers to measure, work to keep them busy, clients that misbehave."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.server.chaos.served import ROOT, Served, served
from tests.toy_worker import wide_prompt

NODES = 1000


class Load:
    """Keeps the worker busy: before a graph is done, the next is there. posted: called with the id of each."""

    def __init__(
        self, server: Served, graph: Callable[[int], dict[str, Any]], posted: Callable[[str], None] = lambda job: None
    ) -> None:
        self.count = 0
        self._server, self._graph, self._posted = server, graph, posted
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        seed = time.time_ns() // 1_000_000 % 10**6 * 1000
        while not self._over.wait(0.02):
            if self._server.ask("/prompt")["exec_info"]["queue_remaining"] < 2:
                self.count += 1
                body = {"prompt": self._graph(seed + self.count), "client_id": "load"}
                self._posted(self._server.ask("/prompt", body)["prompt_id"])


class Deaf:
    """So many connections that follow a job and never read what they are sent."""

    def __init__(self, server: Served, count: int) -> None:
        self._place = server.address.removeprefix("http://")
        self._count = count
        self._connections: list[socket.socket] = []

    def follow(self, job: str) -> None:
        """Lets go of the last job and takes this one."""
        self.close()
        host, _, port = self._place.partition(":")
        request = f"GET /api/jobs/{job}/events HTTP/1.1\r\nHost: {self._place}\r\n\r\n".encode()
        for _ in range(self._count):
            connection = socket.socket()
            self._connections.append(connection)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect((host, int(port)))
            connection.sendall(request)

    def close(self) -> None:
        """Lets go of the last job."""
        for connection in self._connections:
            connection.close()
        self._connections.clear()


def toys(number: int) -> dict[str, Any]:
    """Nodes that do nothing; none is cached from another graph."""
    return wide_prompt(NODES, seed=number * NODES)


def many_toys(number: int) -> dict[str, Any]:
    """So many that what is told about them is more than a client's buffer takes."""
    return wide_prompt(5 * NODES, seed=number * 5 * NODES)


def pictures(number: int) -> dict[str, Any]:
    """A quarter of the nodes make a picture of 8 pixels from numbers; a tree joins them, and the batch is shown."""
    nodes: dict[str, Any] = {}
    count = NODES // 4
    for index in range(count):
        nodes[f"h{index}"] = {"class_type": "PrimitiveInt", "inputs": {"value": 8}}
        nodes[f"c{index}"] = {"class_type": "PrimitiveInt", "inputs": {"value": (number * count + index) % (1 << 24)}}
        size = {"width": 8, "height": [f"h{index}", 0], "batch_size": 1}
        nodes[f"e{index}"] = {"class_type": "EmptyImage", "inputs": {**size, "color": [f"c{index}", 0]}}
    batches = [f"e{index}" for index in range(count)]
    while len(batches) > 1:
        left, right, *batches = batches
        name = f"b{len(nodes)}"
        nodes[name] = {"class_type": "ImageBatch", "inputs": {"image1": [left, 0], "image2": [right, 0]}}
        batches.append(name)
    return {**nodes, "show": {"class_type": "PreviewImage", "inputs": {"images": [batches[0], 0]}}}


def snapshot(folder: Path) -> Path:
    """The node types of the real worker, as a file."""
    folder.mkdir()
    with served(folder, worker=None) as server:
        until_ready(server)
        kept = folder / "user" / "node_types.json"
        while not kept.exists():
            time.sleep(0.1)
        types = folder / "types.json"
        types.write_text(json.dumps(json.loads(kept.read_bytes())["types"]))
        return types


@contextmanager
def plain(types: Path, folder: Path) -> Iterator[str]:
    """The server ours is compared with. Yields: its address."""
    command = [sys.executable, "-m", "benchmarks.plain_server", str(types), str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def until_ready(server: Served) -> None:
    """Waits until a worker can run jobs."""
    server.ask("/object_info")


def until_answered(server: Served, path: str) -> None:
    while True:
        try:
            server.ask(path)
            return
        except OSError:
            time.sleep(0.005)


def memory(pid: int) -> float:
    """Units: MiB, resident."""
    return psutil.Process(pid).memory_info().rss / (1 << 20)


def syncs(folder: Path, seconds: float = 0.5) -> float:
    """How many writes per second the disk makes durable: the most that can be without grouping."""
    count, until = 0, time.perf_counter() + seconds
    with open(folder / "sync", "wb") as file:
        while time.perf_counter() < until:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
            count += 1
    return count / seconds
