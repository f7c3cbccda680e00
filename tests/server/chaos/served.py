"""A server in a process of its own, with toy workers, that can be killed and started again."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psutil

ROOT = Path(__file__).resolve().parents[3]
TOY = (sys.executable, str(ROOT / "tests" / "toy_worker.py"))
PATIENCE = 120.0  # seconds; the machine may be busy with other things


class Served:
    """`main.py serve` on a folder; the port stays the same from start to start.

    worker: the program that draws; None: the real one.
    """

    def __init__(self, base: Path, *options: str, worker: Sequence[str] | None = TOY) -> None:
        self.base = base
        self._options = options
        self._environment = dict(os.environ)
        if worker is not None:
            command = [*worker, "--base-directory", str(base)] if worker is TOY else [*worker]
            self._environment["LATENTWIRE_WORKER_COMMAND"] = json.dumps(command)
        self._port = 0
        self._log = base / "server.log"
        self._process: subprocess.Popen[str] | None = None

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """The process that runs now."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Starts it and returns at once; the first time it waits for the port, which nobody knows before."""
        command = [sys.executable, str(ROOT / "main.py"), "serve", "--port", str(self._port)]
        with open(self._log, "a") as log:
            self._process = subprocess.Popen(
                [*command, "--base-directory", str(self.base), *self._options],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=self._environment,
            )
        if not self._port:
            assert self._process.stdout is not None
            line = self._process.stdout.readline()
            found = re.fullmatch(r"Latentwire serves on http://127\.0\.0\.1:(\d+)\n", line)
            assert found, (line, self.log())
            self._port = int(found[1])

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.communicate()

    def stop(self) -> None:
        """Ends it as Ctrl-C does."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.communicate(timeout=PATIENCE)
        finally:
            self.kill()

    def workers(self) -> list[psutil.Process]:
        """Its worker processes."""
        try:
            return psutil.Process(self.pid).children()
        except psutil.NoSuchProcess:
            return []

    def log(self) -> str:
        """The last it said."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-60:])

    def ask(self, path: str, body: Any = None) -> Any:
        """Asks and answers with JSON. Raises: OSError."""
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(self.address + path, data=data), timeout=PATIENCE) as answer:
            return json.loads(answer.read() or b"null")

    def wait(self, job: str, *, ends: bool = True) -> dict[str, Any]:
        """The job (as /api/jobs/{id} shows it) when it has come to its end, or (not ends) when it has begun."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            told: dict[str, Any] = self.ask(f"/api/jobs/{job}")
            if told["status"] not in (("pending", "in_progress") if ends else ("pending",)):
                return told
            time.sleep(0.05)
        raise AssertionError(f"job {job} did not end: {self.log()}")


@contextmanager
def served(base: Path, *options: str, worker: Sequence[str] | None = TOY) -> Iterator[Served]:
    """A running server; killed afterwards."""
    server = Served(base, *options, worker=worker)
    server.start()
    try:
        yield server
    finally:
        server.kill()


class Watch:
    """Asks GET /prompt every 50 ms, on a thread of its own, and remembers what was not answered."""

    def __init__(self, server: Served, every: float = 0.05) -> None:
        self.asked = 0
        self.longest = 0.0
        self.unanswered: list[str] = []
        self._server, self._every = server, every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join(PATIENCE)

    def _watch(self) -> None:
        while not self._over.wait(self._every):
            begun = time.monotonic()
            self.asked += 1
            try:
                with urlopen(f"{self._server.address}/prompt", timeout=10) as answer:
                    answer.read()
            except OSError as error:
                self.unanswered.append(repr(error))
            self.longest = max(self.longest, time.monotonic() - begun)
