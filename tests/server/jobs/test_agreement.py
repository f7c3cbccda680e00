"""Jobs against a model of them that is a few lists: whatever is done in whatever order, both say the same."""

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from server.jobs.job import State
from server.jobs.store import JobConflict, JobGone, Jobs, Query, Retention
from tests.server.jobs.opened import ids, new, step

NAMES = st.sampled_from([f"job {i}" for i in range(12)])
ATTEMPTS = 2


class Agreement(RuleBasedStateMachine):
    """The model: jobs as dicts in the order of acceptance, ends in theirs, the numbers of events."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.loop = asyncio.new_event_loop()
        self.known: dict[str, dict[str, Any]] = {}
        self.ended: list[str] = []
        self.events: list[tuple[int, str]] = []
        self.last = self.count = self.sequence = 0
        self.open()

    def open(self) -> None:
        self.jobs = Jobs(self.folder / "jobs.sqlite", Retention(jobs=3), max_attempts=ATTEMPTS)
        self.jobs.open()

    def teardown(self) -> None:
        self.do(self.jobs.close())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        shutil.rmtree(self.folder)

    def do(self, awaitable: Any) -> Any:
        async def whole() -> Any:
            return await awaitable

        return self.loop.run_until_complete(whole())

    def end(self, name: str, state: State, events: int = 1) -> None:
        self.known[name]["state"] = state
        self.ended.append(name)
        self.told(name, events)

    def told(self, name: str, events: int) -> None:
        for _ in range(events):
            self.last += 1
            self.events.append((self.last, name))

    def order(self, state: State) -> list[str]:
        found = [
            (each["number"], each["sequence"], name) for name, each in self.known.items() if each["state"] is state
        ]
        return [name for _, _, name in sorted(found)]

    @rule(name=NAMES, number=st.none() | st.integers(-3, 3), front=st.booleans(), digest=st.sampled_from("aab"))
    def submit(self, name: str, number: int | None, front: bool, digest: str) -> None:
        there = self.known.get(name)
        try:
            brief, is_new = self.do(self.jobs.submit(new(name, number=number, front=front, digest=digest)))
        except JobConflict:
            assert there is not None
            assert there["digest"] != digest
        else:
            assert is_new == (there is None)
            assert there is None or (there["digest"], there["sequence"]) == (digest, brief.sequence)
        if there is None:
            if number is None:
                number = -self.count if front else self.count
                assert abs(brief.number) >= abs(number), "a count may have gaps, where a request came twice"
                self.count = abs(brief.number) + 1
                number = brief.number
            assert brief.number == number
            assert brief.sequence > self.sequence
            self.sequence = brief.sequence
            self.known[name] = {
                "state": State.WAITING,
                "number": brief.number,
                "sequence": brief.sequence,
                "digest": digest,
                "attempts": 0,
                "interruptions": 0,
            }

    @precondition(lambda self: self.order(State.WAITING))
    @rule()
    def start(self) -> None:
        brief = self.jobs.next()
        assert brief is not None
        assert brief.id == self.order(State.WAITING)[0]
        job = self.do(self.jobs.start(brief.id, "worker-0"))
        there = self.known[brief.id]
        there["state"] = State.RUNNING
        there["attempts"] += 1
        assert job.attempts == there["attempts"]

    @rule(name=NAMES, count=st.integers(0, 3))
    def record(self, name: str, count: int) -> None:
        async def recorded() -> Any:
            return await self.jobs.record(name, [step("1")] * count)

        sent = self.do(recorded())
        if name in self.known and not self.known[name]["state"].is_end:
            self.told(name, count)
            assert [each.number for each in sent] == [number for number, _ in self.events[len(self.events) - count :]]
        else:
            assert sent == ()

    @rule(name=NAMES, state=st.sampled_from([State.SUCCEEDED, State.FAILED, State.CANCELLED]))
    def finish(self, name: str, state: State) -> None:
        try:
            self.do(self.jobs.finish(name, state, [step(None)]))
        except JobGone:
            assert name not in self.known or self.known[name]["state"].is_end
        else:
            self.end(name, state)

    @rule(name=NAMES, excused=st.booleans())
    def requeue(self, name: str, excused: bool) -> None:
        try:
            state = self.do(self.jobs.requeue(name, excused=excused))
        except JobGone:
            assert name not in self.known or self.known[name]["state"].is_end
        else:
            self.interrupted(name, excused)
            assert state is self.known[name]["state"]

    def interrupted(self, name: str, excused: bool = False) -> None:
        there = self.known[name]
        if there["state"] is State.RUNNING and not excused:
            there["interruptions"] += 1
        if there["state"] is State.RUNNING and not excused and there["interruptions"] >= ATTEMPTS:
            self.end(name, State.FAILED, events=2)
        else:
            there["state"] = State.WAITING

    @rule(names=st.none() | st.lists(NAMES, max_size=3))
    def withdraw(self, names: list[str] | None) -> None:
        waiting = self.order(State.WAITING)
        expected = waiting if names is None else [name for name in dict.fromkeys(names) if name in waiting]
        assert self.do(self.jobs.withdraw(names, listed=True)) == expected
        for name in expected:
            self.end(name, State.CANCELLED, events=2)

    @rule(names=st.none() | st.lists(NAMES, max_size=3))
    def forget(self, names: list[str] | None) -> None:
        expected = self.ended if names is None else [name for name in self.ended if name in names]
        gone = self.do(self.jobs.forget(names))
        assert sorted(gone) == sorted(expected)
        self.remove(gone)

    @rule()
    def prune(self) -> None:
        gone = ids(self.do(self.jobs.prune()))
        assert sorted(gone) == sorted(self.ended[:-3])
        self.remove(gone)

    def remove(self, gone: list[str]) -> None:
        self.ended = [name for name in self.ended if name not in gone]
        self.events = [each for each in self.events if each[1] not in gone]
        for name in gone:
            del self.known[name]

    @rule()
    def open_again(self) -> None:
        self.do(self.jobs.close())
        self.open()
        running = [name for name, each in self.known.items() if each["state"] is State.RUNNING]
        for name in sorted(running, key=lambda name: self.known[name]["sequence"]):
            self.interrupted(name)
        waiting = [abs(self.known[name]["number"]) for name in self.order(State.WAITING)]
        self.count = max(waiting, default=-1) + 1

    @invariant()
    def both_say_the_same(self) -> None:
        assert ids(self.jobs.waiting()) == self.order(State.WAITING)
        assert sorted(ids(self.jobs.running())) == sorted(self.order(State.RUNNING))
        assert self.jobs.remaining == len(self.known) - len(self.ended)
        assert self.jobs.last_event == self.last
        assert [(each.number, each.job) for each in self.do(self.jobs.events(0))] == self.events
        half = self.last // 2
        later = [each for each in self.events if each[0] > half]
        assert [(each.number, each.job) for each in self.do(self.jobs.events(half, client="ann"))] == later
        assert ids(self.do(self.jobs.history())) == self.ended
        found, total = self.do(self.jobs.page(Query()))
        assert {job.id: job.state for job in found} == {name: each["state"] for name, each in self.known.items()}
        assert total == len(self.known)


Agreement.TestCase.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestAgreement = Agreement.TestCase
