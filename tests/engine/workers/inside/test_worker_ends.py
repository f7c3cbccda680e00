"""How a worker process dies: by what nodes do to it, and because nobody is there any more."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from engine.workers.inside.worker import BROKEN, LOST
from tests.engine.workers.conversation import PATIENCE, Conversation, conversation, kinds, show

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's part in it is Linux's")


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Conversation]:
    with conversation(tmp_path) as started:
        yield started


def test_a_worker_that_cannot_start_says_why(tmp_path: Path) -> None:
    with conversation(tmp_path, "--fail-start", ready=False) as worker:
        assert worker.until_type("broken")["message"] == "ImportError: the toys were told not to start"
        worker.rest()
        assert worker.ended() == BROKEN
        assert "Traceback" in worker.errors()


@pytest.mark.parametrize(
    ("class_type", "status"),
    [("ToySegfault", -signal.SIGSEGV), ("ToyAbort", -signal.SIGABRT), ("ToyExit", 7)],
)
def test_the_last_word_before_a_crash_names_the_node(worker: Conversation, class_type: str, status: int) -> None:
    worker.run("j", show(class_type))
    told = [each["event"] for each in worker.rest() if each["type"] == "event"]
    assert told[-1]["kind"] == "Executing"
    assert told[-1]["class_type"] == class_type
    assert worker.ended() == status
    assert ("Fatal Python error" in worker.errors()) == (status < 0)


@pytest.mark.parametrize("class_type", ["ToyStubborn", "ToyDeadlock"])
def test_a_worker_ends_with_its_pipe_whatever_its_node_waits_for(worker: Conversation, class_type: str) -> None:
    worker.run("j", show(class_type))
    worker.until_event("Executing")
    worker.hang_up()
    worker.rest()
    assert worker.ended() == LOST


def test_a_worker_ends_with_its_pipe_while_it_imports(tmp_path: Path) -> None:
    with conversation(tmp_path, "--start-delay", "1000", ready=False) as worker:
        worker.until_type("hello")
        worker.hang_up()
        assert worker.ended() == LOST


def test_a_worker_told_to_stop_while_it_imports_does_not_wait(tmp_path: Path) -> None:
    with conversation(tmp_path, "--start-delay", "1000", ready=False) as worker:
        worker.send("stop")
        assert worker.ended() == 0


def test_a_server_that_writes_rubbish_is_not_obeyed(worker: Conversation) -> None:
    assert worker.process.stdin is not None
    worker.process.stdin.write(b"GET / HTTP/1.1\r\n\r\n")
    worker.process.stdin.flush()
    worker.rest()
    assert worker.ended() == LOST
    assert "cannot be understood" in worker.errors()


@on_linux
def test_a_worker_is_ended_with_its_server_even_while_a_node_holds_the_interpreter(tmp_path: Path) -> None:
    server = (
        "import sys, time; from pathlib import Path\n"
        "from tests.engine.workers.conversation import conversation, show\n"
        f"with conversation(Path({str(tmp_path)!r})) as worker:\n"
        "    worker.run('j', show('ToySpinGil')); worker.until_event('Executing')\n"
        "    sys.stdout.write(f'{worker.process.pid}\\n'); sys.stdout.flush(); time.sleep(1000)\n"
    )
    with subprocess.Popen([sys.executable, "-c", server], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        worker = psutil.Process(int(process.stdout.readline()))
        process.kill()
    deadline = time.monotonic() + PATIENCE
    while worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@on_linux
def test_the_kernel_takes_the_worker_before_the_server(worker: Conversation) -> None:
    assert Path(f"/proc/{worker.process.pid}/oom_score_adj").read_text().strip() == "1000"


def test_programs_that_nodes_start_do_not_hold_the_pipe(worker: Conversation) -> None:
    worker.run("j", show("ToyProgram", seconds=1000.0))
    _, events = worker.until_done("j")
    program = psutil.Process(int(events[-2]["ui"]["text"][0]))
    worker.process.kill()
    worker.rest()
    assert program.is_running()
    program.kill()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_forked_child_neither_holds_the_pipe_nor_goes_on_as_the_worker(worker: Conversation) -> None:
    worker.run("j", show("ToyFork", seconds=1000.0))
    child = psutil.Process(int(worker.until_done("j")[1][-2]["ui"]["text"][0]))
    worker.run("k", show("ToyFork", returns=True))
    twin = int(worker.until_done("k")[1][-2]["ui"]["text"][0])
    worker.send("stop")
    assert kinds([each["event"] for each in worker.rest() if each["type"] == "event"]) == []
    assert worker.ended() == 0
    assert child.is_running()
    child.kill()
    deadline = time.monotonic() + PATIENCE
    while psutil.pid_exists(twin) and psutil.Process(twin).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_node_that_closes_the_pipe_ends_the_worker(worker: Conversation) -> None:
    worker.run("j", show("ToyCloseFds"))
    worker.rest()
    assert worker.ended() == LOST
    assert "the pipe to the server is lost" in worker.errors()
