"""A real worker process: its greeting, its jobs, what it is asked beside them, and how it is told to go."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.workers.conversation import Conversation, conversation, kinds, show


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Conversation]:
    with conversation(tmp_path) as started:
        yield started


def test_a_worker_says_hello_and_beats_while_it_imports(tmp_path: Path) -> None:
    with conversation(tmp_path, "--start-delay", "1000", ready=False) as worker:
        hello, first, second = worker.next(), worker.next(), worker.next()
    assert hello is not None
    assert (hello["type"], hello["pid"]) == ("hello", worker.process.pid)
    for beat in (first, second):
        assert beat is not None
        assert (beat["type"], beat["job"], beat["looked"]) == ("beat", None, None)
        assert beat["memory"] > 1 << 20
        assert beat["cpu"] > 0


def test_a_ready_worker_describes_its_nodes_and_its_machine(tmp_path: Path) -> None:
    with conversation(tmp_path, "--start-delay", "0.2") as worker:
        message = worker.received[-1]
    assert message["seconds"] >= 0.2
    assert message["types"]["ToyValidated"]["latentwire"]["validate_inputs"] == ["value", "seconds"]
    assert message["system"]["pytorch_version"] == "none"
    assert message["devices"][0]["name"] == "toy"


def test_a_job_is_told_in_order_and_done_comes_last(worker: Conversation) -> None:
    worker.run("j", show("ToyAdd", a=1, b=2))
    status, events = worker.until_done("j")
    assert status == "succeeded"
    told = ["Started", "Cached", "Executing", "Executed", "Executing", "Executed", "Finished"]
    assert kinds(events) == told
    assert events[5]["ui"] == {"text": ["3"]}
    assert events[-1]["status"] == "succeeded"


def test_jobs_run_one_after_the_other(worker: Conversation) -> None:
    for number in range(3):
        worker.run(f"j{number}", show("ToyConstant", value=number))
    worker.until_done("j2")
    ends = [each["job"] for each in worker.received if each["type"] == "done"]
    about = [each["job"] for each in worker.received if each["type"] == "event"]
    assert ends == ["j0", "j1", "j2"]
    assert about == sorted(about)


def test_a_node_knows_its_job_and_adopts_what_an_earlier_attempt_wrote(worker: Conversation, tmp_path: Path) -> None:
    prompt = {"7": {"class_type": "ToySave", "inputs": {"value": 5, "prefix": "a/b"}}}
    worker.run("j", prompt)
    _, first = worker.until_done("j")
    worker.run("k", {**prompt, "8": {"class_type": "ToySave", "inputs": {"value": 6}}}, attempt=2)
    worker.until_done("k")
    files = sorted((tmp_path / "output").rglob("*.txt"))
    assert [json.loads(each.read_text()) for each in files] == [
        {"job": "j", "node": "7", "value": 5},
        {"job": "k", "node": "8", "value": 6},
    ]
    with conversation(tmp_path) as another:
        another.run("j", prompt, attempt=2)
        _, second = another.until_done("j")
    assert (
        second[3]["ui"]
        == first[3]["ui"]
        == {"images": [{"filename": "b_00001_.txt", "subfolder": "a", "type": "output"}]}
    )
    assert sorted((tmp_path / "output").rglob("*.txt")) == files


def test_a_cancelled_node_says_that_it_has_seen_it_and_the_worker_goes_on(worker: Conversation) -> None:
    worker.run("j", show("ToySleep", seconds=60.0, steps=1000))
    worker.until_event("Progress")
    worker.send("cancel", job="j")
    found = worker.until(lambda each: each["type"] == "done")
    assert [each["job"] for each in found if each["type"] == "seen"] == ["j"]
    told = [each["event"] for each in found if each["type"] == "event" and each["event"]["kind"] != "Progress"]
    assert kinds(told) == ["Interrupted", "Finished"]
    assert (told[0]["node"], told[1]["status"], found[-1]["status"]) == ("1", "cancelled", "cancelled")
    worker.run("k", show("ToyConstant"))
    assert worker.until_done("k")[0] == "succeeded"


def test_a_job_that_waits_in_the_worker_can_be_cancelled(worker: Conversation) -> None:
    worker.run("j", show("ToySleep", seconds=60.0))
    worker.run("k", show("ToyConstant"))
    worker.send("cancel", job="nobody's")
    worker.send("cancel", job="k")
    worker.send("cancel", job="j")
    assert worker.until_done("j")[0] == "cancelled"
    status, events = worker.until_done("k")
    assert status == "cancelled"
    assert "Executing" not in kinds(events)


def test_beats_tell_when_the_node_last_looked_whether_it_should_stop(worker: Conversation) -> None:
    worker.run("j", show("ToyStubborn", seconds=60.0))
    found = worker.until(lambda each: each["type"] == "beat" and (each["looked"] or 0) > 1)
    assert found[-1]["job"] == "j"
    assert found[-1]["devices"][0]["type"] == "cpu"


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("ValueError", "failed"),
        ("MemoryError", "failed"),
        ("RecursionError", "failed"),
        ("SystemExit", "failed"),
        ("KeyboardInterrupt", "failed"),
        ("GeneratorExit", "failed"),
        ("Cancelled", "cancelled"),
    ],
)
def test_whatever_a_node_raises_ends_its_job_only(worker: Conversation, kind: str, status: str) -> None:
    worker.run("j", show("ToyRaise", kind=kind))
    ended, events = worker.until_done("j")
    assert ended == events[-1]["status"] == status
    assert kinds(events)[:3] == ["Started", "Cached", "Executing"]
    assert kinds(events)[3:] == ["Failed" if status == "failed" else "Interrupted", "Finished"]
    assert events[3]["node"] == "1"
    if status == "failed":
        assert events[3]["exception_type"] == kind
    worker.run("k", show("ToyConstant"))
    assert worker.until_done("k")[0] == "succeeded"


@pytest.mark.parametrize(
    ("prompt", "targets", "message"),
    [
        ({"1": {"class_type": 5}}, ["1"], "class_type is the name of a node type"),
        ({"1": {"class_type": "ToyShow", "inputs": {}}}, ["9"], "9"),
        ({"1": {"class_type": "Nobody", "inputs": {}}}, ["1"], "Nobody"),
    ],
)
def test_a_prompt_that_cannot_run_fails_its_job(
    worker: Conversation, prompt: dict, targets: list, message: str
) -> None:
    worker.run("j", prompt, targets)
    status, events = worker.until_done("j")
    assert status == "failed"
    assert kinds(events)[-2:] == ["Failed", "Finished"]
    assert message in events[-2]["message"]


def test_a_worker_needs_no_stderr_to_go_on(worker: Conversation) -> None:
    for job, prompt in {"j": show("ToyCloseStderr"), "k": show("ToyRaise", kind="KeyboardInterrupt")}.items():
        worker.run(job, prompt)
        worker.until_done(job)
    worker.run("l", show("ToyConstant"))
    assert worker.until_done("l")[0] == "succeeded"


def test_what_nodes_print_stays_out_of_the_pipe(worker: Conversation) -> None:
    worker.run("j", show("ToyPrint", megabytes=2))
    status, events = worker.until_done("j")
    assert (status, events[-2]["ui"]) == ("succeeded", {"text": ["2"]})
    worker.send("stop")
    worker.rest()
    printed = worker.errors()
    assert len(printed) > 2 << 20
    assert "\\ud800 and no end of line" in printed


def test_whatever_a_node_shows_becomes_strict_json(worker: Conversation) -> None:
    worker.run("j", {"1": {"class_type": "ToyShowOdd", "inputs": {}}}, ["1"])
    status, events = worker.until_done("j")
    assert status == "succeeded"
    ui = events[3]["ui"]
    assert ui["odd"][:6] == [None, None, [1], "a", "\ud800", {"(1, 2)": "b'x'"}]
    assert "Rude" in ui["odd"][6]
    json.dumps(ui, allow_nan=False)


def test_a_node_that_shows_too_much_fails_even_when_it_is_cached(worker: Conversation) -> None:
    for job in ("j", "k"):
        worker.run(job, {"1": {"class_type": "ToyShowMuch", "inputs": {}}}, ["1"])
        status, events = worker.until_done(job)
        assert status == "failed"
        assert kinds(events)[-2:] == ["Failed", "Finished"]
        assert events[-2]["node"] == "1"
        assert "write a file and show its name" in events[-2]["message"]


def test_previews_carry_their_bytes_and_come_at_a_bearable_rate(worker: Conversation) -> None:
    worker.run("j", show("ToyPreview", steps=500, seconds=0.5))
    found = worker.until(lambda each: each["type"] == "done")
    told = [each for each in found if each["type"] == "event"]
    previews = [each for each in told if each["event"]["kind"] == "Preview"]
    progress = [each["event"]["value"] for each in told if each["event"]["kind"] == "Progress"]
    assert all(each["data"].startswith(b"\xff\xd8") for each in previews)
    assert (progress[0], progress[-1]) == (1, 500)
    seconds = next(each["event"]["seconds"] for each in told if each["event"]["kind"] == "Executed")
    assert len(previews) <= 10 * seconds + 2
    assert len(progress) <= 20 * seconds + 4


def test_prompts_are_checked_with_the_authors_functions_while_a_job_runs(worker: Conversation) -> None:
    worker.run("j", show("ToySleep", seconds=60.0))
    worker.until_event("Executing")
    worker.send("check", call=1, prompt=show("ToyValidated", value=101), targets=None)
    worker.send("check", call=2, prompt=show("ToyValidated", value=100), targets=["2"])
    worker.send("check", call=3, prompt=show("ToyRaise"), targets=5)
    answers: dict[int, dict] = {}
    while len(answers) < 3:
        message = worker.until_type("answer")
        answers[message["call"]] = message
    refused, accepted = answers[1]["result"], answers[2]["result"]
    assert not refused["accepted"]
    assert "101 is more than 100" in refused["node_errors"]["1"]["errors"][0]["details"]
    assert (accepted["accepted"], accepted["outputs"], accepted["error"]) == (True, ["2"], None)
    assert "TypeError" in answers[3]["error"]


def test_checks_that_hang_stop_neither_cancels_nor_answers(worker: Conversation) -> None:
    for call in range(6):
        worker.send("check", call=call, prompt=show("ToyValidated", seconds=1000.0), targets=None)
    assert "checks are still running" in worker.until_type("answer")["error"]
    worker.run("j", show("ToySleep", seconds=60.0))
    worker.until_event("Executing")
    worker.send("cancel", job="j")
    assert worker.until_done("j")[0] == "cancelled"


def test_a_check_before_the_nodes_are_there_is_answered_at_once(tmp_path: Path) -> None:
    with conversation(tmp_path, "--start-delay", "1000", ready=False) as worker:
        worker.send("check", call=1, prompt=show("ToyConstant"), targets=None)
        assert "not imported" in worker.until_type("answer")["error"]


def test_memory_is_freed_between_jobs_and_wishes_add_up(worker: Conversation) -> None:
    worker.run("j", show("ToySleep", seconds=60.0))
    worker.until_event("Executing")
    worker.send("free", unload_models=True, free_memory=False)
    worker.send("free", unload_models=False, free_memory=True)
    worker.run("k", show("ToyConstant"))
    worker.send("cancel", job="j")
    worker.until_done("k")
    assert worker.errors().count("toy: free") == 1
    assert "toy: free unload_models=True free_memory=True" in worker.errors()


def test_a_stopped_worker_finishes_its_job_and_leaves_threads_behind(worker: Conversation) -> None:
    worker.run("j", show("ToyThread"))
    worker.until_done("j")
    worker.run("k", show("ToySleep", seconds=0.3))
    worker.until_event("Executing")
    worker.send("stop")
    worker.run("l", show("ToyConstant"))
    assert worker.until_done("k")[0] == "succeeded"
    assert [each for each in worker.rest() if each["type"] == "event"] == []
    assert worker.ended() == 0


def test_ctrl_c_at_the_terminal_is_the_servers_business(worker: Conversation) -> None:
    worker.run("j", show("ToySleep", seconds=0.3))
    worker.until_event("Executing")
    os.kill(worker.process.pid, signal.SIGINT)
    assert worker.until_done("j")[0] == "succeeded"
