"""A worker without torch, for tests: `[sys.executable, "tests/toy_worker.py", "--base-directory", DIR]`.

Options: --base-directory DIR (output/ below it is where pictures go), --start-delay S (importing takes that long),
--fail-start (it cannot start). Node types, whose inputs may be left out except those of ToyShow, ToySave and ToySum:

* ToyConstant(value) -> INT; ToyAdd(a, b) -> INT; both quick. wide_prompt(n) makes prompts of n of them.
* ToySleep(value, seconds, steps) -> INT: reports progress and stops when asked.
* ToyStubborn(value, seconds) -> INT: sleeps and never looks at the cancel flag.
* ToySave(value, prefix): output; writes output/<prefix>_00001_.txt with {"job", "node", "value"} inside, and on a later
  attempt shows the file that the same job and node have written before. ui {"images": [{filename, subfolder, type}]}.
  A worker that has saved the same value before shows that file again, so give each job values of its own.
* ToyShow(value): output; ui {"text": [value]}. ToyShowMuch(megabytes): output with that much text.
  ToyShowOdd(): output whose ui holds NaN, sets, objects, broken surrogates and a list inside itself.
* ToyPreview(value, steps, seconds) -> INT: a preview and progress at each step.
* ToyRaise(kind): raises ValueError, MemoryError, SystemExit, KeyboardInterrupt, Cancelled or anything else of builtins.
* ToyMemoryError(); ToyExit(code): os._exit; ToySegfault(); ToyAbort(); all -> INT.
* ToySpinGil(): holds the interpreter's lock in C for ever. ToyDeadlock(): waits for a lock that it holds.
* ToyLeak(megabytes_per_second, limit_megabytes): takes memory and touches it, until killed or at the limit.
* ToyPrint(megabytes) -> INT: rubbish on stdout, by print and by os.write(1, …).
* ToyFork(returns, seconds) -> INT, the child: it lives on for so long, or returns as if it were the worker.
  ToyProgram(seconds) -> INT, the process: a program that lives on for so long and inherits what it can.
* ToyCloseFds() -> INT: closes every descriptor above 2. ToyCloseStderr() -> INT: closes sys.stderr.
  ToyThread() -> INT: leaves a thread that never ends.
* ToyValidated(value, seconds) -> INT: its validate hook takes so long, and refuses values above 100.
* ToyRange(count) -> a list of INT; ToySum(values) takes the whole list; ToyExpand(value, depth) -> INT: expands.
"""

import argparse
import builtins
import contextlib
import ctypes
import json
import os
import platform
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, BinaryIO

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from engine.errors import Cancelled
from engine.folders import Folders
from engine.graph import describe
from engine.graph.define import Wire, node, node_type
from engine.graph.executor import Executor, Outcome
from engine.graph.nodetype import Output, Result
from engine.graph.prompt import Prompt
from engine.graph.registry import Registry
from engine.graph.run import Run
from engine.graph.validate import validate
from engine.saving import save_numbered
from engine.workers.inside.line import Line
from engine.workers.inside.worker import Order, Work, serve

INT = (Output("INT", "INT"),)
Int, Float, Text, Bool = int | None, float | None, str | None, bool | None  # inputs that may be left out
PICTURE = b"\xff\xd8\xff\xe0 as good as a picture \xff\xd9"


@node("ToyConstant", category="toy")
def constant(*, value: Int = 0) -> int:
    return value


@node("ToyAdd", category="toy")
def add(*, a: Int = 0, b: Int = 0) -> int:
    return a + b


@node("ToySleep", category="toy")
def sleep(*, run: Run, value: Int = 0, seconds: Float = 1.0, steps: Int = 10) -> int:
    for step in range(steps):
        run.progress(step, steps)
        _sleep_politely(run, seconds / steps)
    run.progress(steps, steps)
    return value


@node("ToyStubborn", category="toy")
def stubborn(*, value: Int = 0, seconds: Float = 60.0) -> int:
    time.sleep(seconds)
    return value


@node("ToySave", category="toy", is_output=True, outputs=())
def save(*, run: Run, folders: Folders, value: int, prefix: Text = "toy") -> Result:
    about = {"job": run.job, "node": run.node_id}
    found = _written_before(folders.output, about) if run.attempt > 1 else None
    if found is not None:
        return _shown(found.name, os.path.relpath(found.parent, folders.output))

    def write(file: BinaryIO) -> None:
        file.write(json.dumps({**about, "value": value}).encode())

    saved = save_numbered(folders.output, prefix, "txt", write)
    return _shown(saved.filename, saved.subfolder)


@node("ToyShow", category="toy", is_output=True, outputs=())
def show(*, value: int) -> Result:
    return Result(ui={"text": [str(value)]})


@node("ToyShowMuch", category="toy", is_output=True, outputs=())
def show_much(*, megabytes: Int = 65) -> Result:
    return Result(ui={"text": ["x" * (megabytes << 20)]})


@node("ToyShowOdd", category="toy", is_output=True, outputs=())
def show_odd() -> Result:
    ring: list[Any] = []
    ring.append(ring)

    class Rude:
        def __str__(self) -> str:
            raise ValueError("I have no text")

    odd = [float("nan"), float("inf"), {1}, Path("a"), "\ud800", {(1, 2): b"x"}, Rude()]
    return Result(ui={"odd": odd, "ring": ring})


@node("ToyPreview", category="toy")
def preview(*, run: Run, value: Int = 0, steps: Int = 20, seconds: Float = 1.0) -> int:
    for step in range(steps):
        _sleep_politely(run, seconds / steps)
        run.preview(PICTURE + bytes([step % 256]))
        run.progress(step + 1, steps)
    return value


@node("ToyRaise", category="toy")
def fail(*, kind: Text = "ValueError", message: Text = "as it was told to") -> int:
    raise Cancelled if kind == "Cancelled" else getattr(builtins, kind)(message)


@node("ToyMemoryError", category="toy")
def memory_error() -> int:
    return len(bytes(1 << 62))


@node("ToyExit", category="toy")
def leave(*, code: Int = 7) -> int:
    os._exit(code)


@node("ToySegfault", category="toy")
def segfault() -> int:
    return len(ctypes.string_at(0))


@node("ToyAbort", category="toy")
def abort() -> int:
    os.abort()


@node("ToySpinGil", category="toy")
def spin() -> int:
    return int(re.fullmatch("(x+x+)+y", "x" * 60) is not None)  # backtracks for longer than anybody lives


@node("ToyDeadlock", category="toy")
def deadlock() -> int:
    lock = threading.Lock()
    lock.acquire()
    return int(lock.acquire())


@node("ToyLeak", category="toy")
def leak(*, megabytes_per_second: Int = 200, limit_megabytes: Int = 4000) -> int:
    taken = []
    for _ in range(0, limit_megabytes, 10):
        taken.append(b"x" * (10 << 20))
        time.sleep(10 / megabytes_per_second)
    return len(taken)


@node("ToyPrint", category="toy")
def rubbish(*, megabytes: Int = 1) -> int:
    for _ in range(megabytes * 512):
        print("rubbish " * 128)  # noqa: T201 -- that is the point
        os.write(1, b"\x00\xff{]" * 256 + b"\n")
    print("\ud800 and no end of line", end="")  # noqa: T201
    return megabytes


@node("ToyFork", category="toy")
def fork(*, returns: Bool = False, seconds: Float = 30.0) -> int:
    child = os.fork()
    if child == 0 and not returns:
        time.sleep(seconds)
        os._exit(0)
    return child


@node("ToyProgram", category="toy")
def program(*, seconds: Float = 30.0) -> int:
    command = [sys.executable, "-c", f"import time; time.sleep({seconds})"]
    return subprocess.Popen(command, close_fds=False).pid


@node("ToyCloseFds", category="toy")
def close_descriptors() -> int:
    os.closerange(3, 4096)
    return 1


@node("ToyCloseStderr", category="toy")
def close_stderr() -> int:
    sys.stderr.close()
    return 1


@node("ToyThread", category="toy")
def thread() -> int:
    threading.Thread(target=threading.Event().wait, daemon=False).start()
    return 1


def _at_most_100(value: int = 0, seconds: float = 0.0) -> bool | str:
    time.sleep(seconds)
    return value <= 100 or f"{value} is more than 100"


@node("ToyValidated", category="toy", validate=_at_most_100)
def validated(*, value: Int = 0, seconds: Float = 0.0) -> int:
    return value


@node("ToyRange", category="toy", outputs=(Output("INT", "INT", is_list=True),))
def numbers(*, count: Int = 3) -> list[int]:
    return [*range(count)]


@node("ToySum", category="toy", input_is_list=True)
def total(*, values: Annotated[list[int], Wire("INT")]) -> int:
    return sum(values)


@node("ToyExpand", category="toy", outputs=INT)
def expand(*, value: Int = 0, depth: Int = 2) -> Result:
    if depth <= 0:
        return Result((value,))
    inner = {
        "rest": {"class_type": "ToyExpand", "inputs": {"value": value, "depth": depth - 1}},
        "sum": {"class_type": "ToyAdd", "inputs": {"a": ["rest", 0], "b": 1}},
    }
    return Result((["sum", 0],), expand=inner)


FUNCTIONS: tuple[Callable[..., Any], ...] = (
    constant,
    add,
    sleep,
    stubborn,
    save,
    show,
    show_much,
    show_odd,
    preview,
    fail,
    memory_error,
    leave,
    segfault,
    abort,
    spin,
    deadlock,
    leak,
    rubbish,
    fork,
    program,
    close_descriptors,
    close_stderr,
    thread,
    validated,
    numbers,
    total,
    expand,
)


def registry(folders: Folders) -> Registry:
    """The toy node types."""
    return Registry(node_type(each, {Folders: folders}) for each in FUNCTIONS)


def wide_prompt(n: int, *, seed: int = 0) -> dict[str, Any]:
    """A prompt (API JSON) of n nodes beside each other: one ToyShow for each ToyConstant."""
    prompt: dict[str, Any] = {}
    for number in range(n // 2):
        prompt[f"c{number}"] = {"class_type": "ToyConstant", "inputs": {"value": seed + number}}
        prompt[f"s{number}"] = {"class_type": "ToyShow", "inputs": {"value": [f"c{number}", 0]}}
    if n % 2:
        prompt["last"] = {"class_type": "ToyShow", "inputs": {"value": seed}}
    return prompt


class ToyWork:
    """The composition: an executor over the toy nodes."""

    def __init__(self, folders: Folders) -> None:
        self._registry = registry(folders)
        self._executor = Executor(self._registry)

    def work(self) -> Work:
        return Work(
            types=lambda: {each.id: describe.snapshot(each) for each in self._registry},
            system={"python_version": sys.version, "pytorch_version": "none", "os": platform.system()},
            devices=lambda: [{"name": "toy", "type": "cpu", "index": 0, "vram_total": 1 << 30, "vram_free": 1 << 29}],
            execute=self._execute,
            check=self._check,
            free=self._free,
            close=lambda: None,
        )

    def _execute(self, order: Order) -> Outcome:
        return self._executor.execute(
            order.prompt,
            targets=order.targets,
            extra=order.extra,
            emit=order.emit,
            is_cancelled=order.is_cancelled,
            unvalidated=order.unvalidated,
            job=order.job,
            attempt=order.attempt,
        )

    def _check(self, prompt: Mapping[str, Any], targets: Sequence[str] | None) -> dict[str, Any]:
        found = validate(Prompt.from_json(prompt), self._registry, targets)
        return {
            "accepted": found.is_accepted,
            "error": found.error(),
            "node_errors": found.node_errors(),
            "outputs": [*found.outputs],
            "prompt": found.prompt.to_json(),
        }

    def _free(self, unload_models: bool, free_memory: bool) -> None:
        print(f"toy: free unload_models={unload_models} free_memory={free_memory}")  # noqa: T201 -- tests read it
        if free_memory:
            self._executor.cache.clear()


def _sleep_politely(run: Run, seconds: float) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        run.stop_if_cancelled()
        time.sleep(min(left, 0.05))


def _written_before(folder: Path, about: Mapping[str, str]) -> Path | None:
    return next((path for path, inside in _saved(folder) if about.items() <= inside.items()), None)


def _saved(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted(folder.rglob("*.txt")):
        with contextlib.suppress(OSError, ValueError):
            yield path, json.loads(path.read_text())


def _shown(filename: str, subfolder: str) -> Result:
    subfolder = "" if subfolder == "." else subfolder
    return Result(ui={"images": [{"filename": filename, "subfolder": subfolder, "type": "output"}]})


def main() -> int:
    parser = argparse.ArgumentParser(description="A worker without torch, for tests.")
    parser.add_argument("--base-directory", type=Path, default=Path("."))
    parser.add_argument("--start-delay", type=float, default=0.0)
    parser.add_argument("--fail-start", action="store_true")
    chosen = parser.parse_args()

    def build(is_cancelled: Callable[[], bool], line: Line) -> Work:
        time.sleep(chosen.start_delay)
        if chosen.fail_start:
            raise ImportError("the toys were told not to start")
        return ToyWork(Folders(chosen.base_directory)).work()

    return serve(build)


if __name__ == "__main__":
    sys.exit(main())
