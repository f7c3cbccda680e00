"""The server's side of a real toy worker, for tests: frames in, frames out, and no waiting for ever."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.workers.inside.channel import Channel

TOY = Path(__file__).parents[2] / "toy_worker.py"
PATIENCE = 60.0  # seconds; a worker is killed then, and the test that waits for it fails


class Conversation:
    """A worker process and the pipe to it."""

    def __init__(self, process: subprocess.Popen[bytes], errors: Path) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self.received: list[dict[str, Any]] = []
        self._pipe = Channel(process.stdout.fileno(), process.stdin.fileno())
        self._errors = errors

    def send(self, type: str, **message: Any) -> None:
        self._pipe.send({"type": type, **message})

    def run(self, job: str, prompt: Mapping[str, Any], targets: list[str] | None = None, **more: Any) -> None:
        outputs = [node for node, each in prompt.items() if each["class_type"] in ("ToyShow", "ToySave")]
        self.send("run", job=job, prompt=prompt, targets=outputs if targets is None else targets, **more)

    def next(self) -> dict[str, Any] | None:
        """The next message, with the bytes beside it under "data"; None at the end of file."""
        found = self._pipe.receive()
        if found is None:
            return None
        self.received.append({**found[0], "data": found[1]})
        return self.received[-1]

    def until(self, is_wanted: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """Everything up to the first message that is wanted, that one included."""
        found: list[dict[str, Any]] = []
        while (message := self.next()) is not None:
            found.append(message)
            if is_wanted(message):
                return found
        raise AssertionError(f"the worker ended ({self.process.wait()}) after {found[-3:]}: {self.errors()}")

    def until_type(self, type: str) -> dict[str, Any]:
        return self.until(lambda each: each["type"] == type)[-1]

    def until_event(self, kind: str) -> dict[str, Any]:
        return self.until(lambda each: each["type"] == "event" and each["event"]["kind"] == kind)[-1]["event"]

    def until_done(self, job: str) -> tuple[str, list[dict[str, Any]]]:
        """The job's status and its events."""
        found = self.until(lambda each: each["type"] == "done" and each["job"] == job)
        return found[-1]["status"], [each["event"] for each in found if each["type"] == "event" and each["job"] == job]

    def rest(self) -> list[dict[str, Any]]:
        """Everything up to the end of file."""
        found = []
        while (message := self.next()) is not None:
            found.append(message)
        return found

    def hang_up(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def ended(self) -> int:
        """Waits for the end of the process. Returns: its exit status."""
        return self.process.wait(PATIENCE)

    def errors(self) -> str:
        """What the worker has written to stderr."""
        return self._errors.read_text(errors="replace")


@contextmanager
def conversation(folder: Path, *options: str, ready: bool = True, script: str | None = None) -> Iterator[Conversation]:
    """A toy worker that works in a folder, or another script; killed at the end, or when it takes too long."""
    command = [sys.executable, str(TOY), "--base-directory", str(folder), *options]
    if script is not None:
        command = [sys.executable, "-c", script]
    errors = folder / "stderr"
    with (
        open(errors, "wb") as stderr,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr) as process,
    ):
        deadline = threading.Timer(PATIENCE, process.kill)
        deadline.start()
        try:
            worker = Conversation(process, errors)
            if ready:
                worker.until_type("types")
            yield worker
        finally:
            deadline.cancel()
            process.kill()


def show(class_type: str, **inputs: Any) -> dict[str, Any]:
    """A prompt: node 1 of that class, and node 2, which shows what it gives."""
    return {
        "1": {"class_type": class_type, "inputs": inputs},
        "2": {"class_type": "ToyShow", "inputs": {"value": ["1", 0]}},
    }


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [each["kind"] for each in events]
