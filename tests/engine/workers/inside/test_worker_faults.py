"""What the composition root hands in may be broken too: the worker says so and goes on where it can."""

from pathlib import Path

import pytest

from engine.workers.inside.worker import BROKEN
from tests.engine.workers.conversation import conversation, kinds, show

SCRIPT = """
import itertools, sys, threading, time
from engine.errors import Cancelled, PathError
from engine.graph.events import Executing, Finished, Interrupted, Progress
from engine.graph.outcome import Outcome
from engine.workers.inside.worker import Work, serve

looks = itertools.count()

def devices():
    if next(looks): raise OSError("the driver is gone")
    return [{"name": "first"}]

def execute(order):
    order.emit(Executing("1", "1", "A"))
    what = order.extra["what"]
    if what == "bug":
        order.emit(Interrupted("1", "A"))
        order.emit(Finished("cancelled"))
        raise ZeroDivisionError("a bug")
    if what == "cancelled":
        raise Cancelled
    if what == "late":
        def report():
            time.sleep(0.05)
            order.emit(Progress("1", 1, 2))
        threading.Thread(target=report).start()
    if what == "flag":
        while not is_cancelled(): time.sleep(0.01)
    return Outcome("succeeded")

def free(unload_models, free_memory):
    raise RuntimeError("nothing to free")

def close():
    raise RuntimeError("will not close")

def build(flag, line):
    global is_cancelled
    is_cancelled = flag
    pass  # BUILD
    return Work(types=dict, system={"odd": sys}, devices=devices, execute=execute,
                check=lambda prompt, targets: sys.exit(3), free=free, close=close)

serve(build)
"""


def test_an_exception_out_of_the_execution_is_a_failure_and_never_a_cancel(tmp_path: Path) -> None:
    with conversation(tmp_path, script=SCRIPT) as worker:
        worker.run("j", show("A"), extra={"what": "bug"})
        status, events = worker.until_done("j")
        assert (status, kinds(events)) == ("failed", ["Executing", "Failed", "Finished"])
        assert (events[1]["node"], events[1]["exception_type"]) == ("1", "ZeroDivisionError")
        assert events[2]["status"] == "failed"
        assert "ZeroDivisionError: a bug" in worker.errors()


def test_a_cancel_out_of_the_execution_is_a_cancel(tmp_path: Path) -> None:
    with conversation(tmp_path, script=SCRIPT) as worker:
        worker.run("j", show("A"), extra={"what": "cancelled"})
        status, events = worker.until_done("j")
        assert (status, kinds(events)) == ("cancelled", ["Executing", "Interrupted", "Finished"])


def test_what_a_thread_reports_after_its_job_is_not_taken_for_the_next(tmp_path: Path) -> None:
    with conversation(tmp_path, script=SCRIPT) as worker:
        worker.run("j", show("A"), extra={"what": "late"})
        assert worker.until_done("j")[0] == "succeeded"
        worker.run("k", show("A"), extra={"what": "flag"})
        worker.until_type("beat")
        worker.send("cancel", job="k")
        worker.until_done("k")
        assert [each for each in worker.received if each.get("event", {}).get("kind") == "Progress"] == []


def test_code_that_knows_no_job_can_ask_whether_what_runs_should_stop(tmp_path: Path) -> None:
    with conversation(tmp_path, script=SCRIPT) as worker:
        worker.run("j", show("A"), extra={"what": "flag"})
        worker.until_event("Executing")
        worker.send("cancel", job="j")
        assert worker.until_type("seen")["job"] == "j"
        assert worker.until_done("j")[0] == "succeeded"


def test_what_fails_beside_the_jobs_stops_none(tmp_path: Path) -> None:
    with conversation(tmp_path, script=SCRIPT) as worker:
        worker.send("free", unload_models=True, free_memory=True)
        worker.send("check", call=1, prompt={}, targets=None)
        assert "SystemExit" in worker.until_type("answer")["error"]
        worker.run("j", show("A"), extra={"what": "nothing"})
        assert worker.until_done("j")[0] == "succeeded"
        worker.send("stop")
        worker.rest()
        assert worker.ended() == 0
        assert "nothing to free" in worker.errors()
        assert "will not close" in worker.errors()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        ("sys.exit(5)", "SystemExit: 5"),
        ("raise PathError('no folder; make one')", "no folder; make one"),
        ("raise ValueError('two' + chr(10) + 'lines')", "ValueError: two lines"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("is_cancelled = 1; globals().pop('devices')", "NameError: name 'devices' is not defined"),
    ],
)
def test_whatever_goes_wrong_at_import_is_said_in_one_line(tmp_path: Path, build: str, message: str) -> None:
    with conversation(tmp_path, script=SCRIPT.replace("pass  # BUILD", build), ready=False) as worker:
        assert worker.until_type("broken")["message"] == message
        worker.rest()
        assert worker.ended() == BROKEN
