"""Nodes that do the worst they can: their job fails with a cause, the API answers all the while, the next job runs."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.server.chaos.served import Served, Watch, served

pytestmark = pytest.mark.slow

OPTIONS = ("--cancel-grace", "1", "--heartbeat-timeout", "5", "--worker-memory-limit", "0.5")


@dataclass(frozen=True)
class Bad:
    """A node, what becomes of its job (status, cause, exception_type; None: not looked at)."""

    node: str
    status: str = "failed"
    cause: str | None = None
    exception: str | None = None
    inputs: dict[str, Any] = field(default_factory=dict)
    is_cancelled: bool = False

    def __str__(self) -> str:
        return "-".join([self.node, *map(str, self.inputs.values()), *(["cancelled"] * self.is_cancelled)])


WORST = [
    Bad("ToySegfault", cause="crashed", exception="WorkerDied"),
    Bad("ToyAbort", cause="crashed", exception="WorkerDied"),
    Bad("ToyExit", cause="exited", exception="WorkerDied"),
    Bad("ToyExit", cause="exited", exception="WorkerDied", inputs={"code": 0}),
    Bad("ToySpinGil", cause="unresponsive", exception="WorkerDied"),
    Bad("ToySpinGil", status="cancelled", is_cancelled=True),
    Bad("ToyDeadlock", status="cancelled", is_cancelled=True),
    Bad("ToyStubborn", status="cancelled", is_cancelled=True),
    Bad("ToyLeak", cause="out_of_memory", exception="WorkerDied", inputs={"megabytes_per_second": 400}),
    Bad("ToyMemoryError", exception="MemoryError"),
    Bad("ToyRaise", exception="SystemExit", inputs={"kind": "SystemExit"}),
    Bad("ToyRaise", exception="KeyboardInterrupt", inputs={"kind": "KeyboardInterrupt"}),
    Bad("ToyRaise", exception="RecursionError", inputs={"kind": "RecursionError"}),
    Bad("ToyPrint", status="completed", inputs={"megabytes": 20}),
    Bad("ToyFork", status="completed"),
    Bad("ToyFork", status="completed", inputs={"returns": True}),
    Bad("ToyThread", status="completed"),
    Bad("ToyCloseFds"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("bad_nodes"), *OPTIONS) as running:
        assert run(running, "ToyConstant")["status"] == "completed"
        yield running


def submit(server: Served, node: str, inputs: dict[str, Any] | None = None) -> str:
    prompt = {
        "bad": {"class_type": node, "inputs": inputs or {}},
        "show": {"class_type": "ToyShow", "inputs": {"value": ["bad", 0]}},
    }
    answer = server.ask("/prompt", {"prompt": prompt, "prompt_id": str(uuid.uuid4())})
    return str(answer["prompt_id"])


def run(server: Served, node: str, inputs: dict[str, Any] | None = None) -> dict[str, Any]:
    return server.wait(submit(server, node, inputs))


@pytest.mark.parametrize("bad", WORST, ids=str)
def test_the_job_fails_with_its_cause_the_api_answers_and_the_next_job_runs(server: Served, bad: Bad) -> None:
    with Watch(server) as watch:
        job = submit(server, bad.node, bad.inputs)
        if bad.is_cancelled:
            server.wait(job, ends=False)
            assert server.ask(f"/api/jobs/{job}/cancel", {}) == {"cancelled": True}
        told = server.wait(job)
        after = run(server, "ToyConstant", {"value": 7})
    assert told["status"] == bad.status, (told, server.log())
    error = told.get("execution_error", {})
    if bad.cause is not None:
        assert error["cause"] == bad.cause, error
    if bad.exception is not None:
        assert error["exception_type"] == bad.exception, error
    if bad.status == "failed":
        assert error["node_id"] == "bad"
        assert error["node_type"] == bad.node
        assert error["exception_message"].strip()
    assert after["status"] == "completed", server.log()
    assert after["outputs"] == {"show": {"text": ["7"]}}
    assert watch.asked > 0
    assert not watch.unanswered, (watch.unanswered, server.log())
