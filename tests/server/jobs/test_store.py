import asyncio
from pathlib import Path

import pytest

from engine.errors import LatentwireError
from server.jobs.job import Frame, NewEvent, Span, State, StoredEvent
from server.jobs.store import JobConflict, JobGone, Jobs, NotStored
from tests.server.jobs.opened import ids, new, opened, picture, ran, run, step


def test_jobs_run_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        await asyncio.gather(*[jobs.submit(new(str(i))) for i in range(5)])
        assert ids(jobs.waiting()) == ["0", "1", "2", "3", "4"]
        assert jobs.next() == jobs.waiting()[0]

    run(tmp_path, scenario)


def test_numbers_order_the_queue_and_front_goes_first(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        for each in (new("a"), new("b"), new("late", number=7.5), new("early", number=-0.5), new("first", front=True)):
            await jobs.submit(each)
        assert [(job.id, job.number) for job in jobs.waiting()] == [
            ("first", -2),
            ("early", -0.5),
            ("a", 0),
            ("b", 1),
            ("late", 7.5),
        ]

    run(tmp_path, scenario)


def test_a_job_is_next_until_it_is_started(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        await jobs.submit(new("a", models=["x.safetensors"], extra_data={"extra_pnginfo": {"workflow": {"id": "w"}}}))
        await jobs.submit(new("b"))
        starting = asyncio.ensure_future(jobs.start("a", "worker-0"))
        await asyncio.sleep(0)
        assert ids([jobs.next()]) == ["b"]
        job = await starting
        assert (job.state, job.attempts, job.worker, job.models) == (State.RUNNING, 1, "worker-0", ["x.safetensors"])
        assert (job.prompt, job.outputs, job.workflow_id) == (new("a").prompt, ["2"], "w")
        assert ids(jobs.running()) == ["a"]
        assert ids(jobs.waiting()) == ["b"]
        assert jobs.remaining == 2
        with pytest.raises(JobGone):
            await jobs.start("a", "worker-1")

    run(tmp_path, scenario)


def test_the_same_request_again_is_the_same_job(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        answers = await asyncio.gather(*[jobs.submit(new("a")) for _ in range(4)])
        assert [is_new for _, is_new in answers] == [True, False, False, False]
        assert {brief.sequence for brief, _ in answers} == {1}
        await ran(jobs, "b")
        brief, is_new = await jobs.submit(new("b"))
        assert (brief.state, is_new) == (State.SUCCEEDED, False)
        assert jobs.remaining == 1

    run(tmp_path, scenario)


def test_another_request_with_the_same_id_is_refused(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        both = await asyncio.gather(
            jobs.submit(new("a")), jobs.submit(new("a", digest="other")), return_exceptions=True
        )
        assert isinstance(both[1], JobConflict)
        with pytest.raises(JobConflict, match="another id"):
            await jobs.submit(new("a", digest="other"))
        await ran(jobs, "b")
        with pytest.raises(JobConflict):
            await jobs.submit(new("b", digest="other"))
        await jobs.submit(new("c"))
        assert ids(jobs.waiting()) == ["a", "c"]

    run(tmp_path, scenario)


def test_what_a_job_left_behind_is_found_again(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        await jobs.submit(new("a"))
        await jobs.start("a", "worker-0")
        await jobs.record("a", [step("2")], [picture("2")])
        await jobs.finish(
            "a",
            State.FAILED,
            [],
            error={"exception_message": "no"},
            cause="node_error",
            messages=[("execution_start", {"timestamp": 1})],
            spans=[Span("2", "Save", 5.0, 0.5)],
        )
        job = await jobs.get("a")
        assert job is not None
        assert (job.state, job.cause, job.error) == (State.FAILED, "node_error", {"exception_message": "no"})
        assert job.messages == [("execution_start", {"timestamp": 1})]
        assert job.spans == [Span("2", "Save", 5.0, 0.5)]
        assert job.shown == [picture("2")]
        assert await jobs.history() == [job]
        assert jobs.remaining == 0
        assert await jobs.get("b") is None

    run(tmp_path, scenario)


def test_events_are_numbered_in_the_order_of_the_calls(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        for job in ("a", "b"):
            await jobs.submit(new(job, client_id=job))
            await jobs.start(job, "worker-0")
        frame = Frame("preview", "1", b"...")
        pieces = await asyncio.gather(
            jobs.record("a", [step("1"), frame, step("2")]), jobs.record("b", [step("3")]), jobs.record("a", [frame])
        )
        assert [[getattr(each, "number", each) for each in piece] for piece in pieces] == [[1, frame, 2], [3], [frame]]
        assert jobs.last_event == 3
        stored = [each for piece in pieces for each in piece if isinstance(each, StoredEvent)]
        assert await jobs.events(0) == stored
        assert [each.number for each in await jobs.events(1, job="a")] == [2]
        assert [each.number for each in await jobs.events(0, client="b")] == [3]
        assert [each.number for each in await jobs.events(0, limit=2)] == [1, 2]
        assert stored[0].text == '{"node":"1","prompt_id":""}'

    run(tmp_path, scenario)


def test_what_comes_after_the_end_is_dropped(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        await ran(jobs, "a")
        assert await jobs.record("a", [step("1")], [picture("2")]) == ()
        assert await jobs.record("unknown", [step("1")]) == ()
        assert [each.text for each in await jobs.events(0)] == ['{"node":null,"prompt_id":"a"}']
        with pytest.raises(JobGone):
            await jobs.finish("a", State.FAILED, [])

    run(tmp_path, scenario)


def test_numbers_that_are_none_become_null_for_clients(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        await jobs.submit(new("a"))
        await jobs.start("a", "worker-0")
        await jobs.record("a", [NewEvent("executed", {"output": {"loss": [float("nan"), 1.5]}})])
        assert [each.text for each in await jobs.events(0)] == ['{"output":{"loss":[null,1.5]}}']

    run(tmp_path, scenario)


def test_a_node_that_ran_again_shows_what_it_showed_last(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        await jobs.submit(new("a"))
        await jobs.start("a", "worker-0")
        await jobs.record("a", [], [picture("2", "old"), picture("3")])
        await jobs.record("a", [], [picture("2", "new")])
        assert await jobs.shown("a") == [picture("3"), picture("2", "new")]

    run(tmp_path, scenario)


def test_an_interrupted_job_runs_before_those_that_came_later(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        for id in "abc":
            await jobs.submit(new(id))
        await jobs.start("a", "worker-0")
        await jobs.start("b", "worker-1")
        assert await jobs.requeue("b") is State.WAITING
        assert await jobs.requeue("a") is State.WAITING
        assert ids(jobs.waiting()) == ["a", "b", "c"]
        assert (await jobs.start("a", "worker-0")).attempts == 2

    run(tmp_path, scenario)


def test_a_job_that_is_interrupted_too_often_fails(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        await jobs.submit(new("a"))
        await jobs.start("a", "worker-0")
        await jobs.requeue("a")
        await jobs.start("a", "worker-0")
        await jobs.record("a", [NewEvent("execution_start", {}), step("1"), step("2")])
        assert await jobs.requeue("a") is State.FAILED
        job = await jobs.get("a")
        assert job is not None
        assert job.error is not None
        assert (job.cause, job.error["node_id"], job.error["node_type"]) == ("interrupted", "2", "Save")
        assert "2 times" in job.error["exception_message"]
        assert [kind for kind, _ in job.messages] == ["execution_start", "execution_error"]
        assert [each.type for each in await jobs.events(0)][-2:] == ["execution_error", "executing"]
        assert jobs.next() is None

    run(tmp_path, scenario, max_attempts=2)


def test_withdrawn_jobs_leave_the_queue_and_stay_out_of_the_history(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        for id in "abcd":
            await jobs.submit(new(id))
        await jobs.start("a", "worker-0")
        assert await jobs.withdraw(["a", "b", "b", "unknown"]) == ["b"]
        assert await jobs.withdraw(["c"], listed=True) == ["c"]
        assert ids(jobs.waiting()) == ["d"]
        assert await jobs.withdraw(None) == ["d"]
        assert jobs.next() is None
        assert ids(await jobs.history()) == ["c"]
        assert [job.state for job in await jobs.many(["b", "c"])] == [State.CANCELLED, State.CANCELLED]
        assert [each.type for each in await jobs.events(0, job="b")] == ["execution_interrupted", "executing"]

    run(tmp_path, scenario)


def test_of_a_start_and_a_withdrawal_at_once_only_one_happens(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        await jobs.submit(new("a"))
        started, withdrawn = await asyncio.gather(jobs.start("a", "worker-0"), jobs.withdraw(["a"]))
        assert (started.state, withdrawn) == (State.RUNNING, [])
        await jobs.submit(new("b"))
        withdrawn, started = await asyncio.gather(
            jobs.withdraw(["b"]), jobs.start("b", "worker-0"), return_exceptions=True
        )
        assert withdrawn == ["b"]
        assert isinstance(started, JobGone)

    run(tmp_path, scenario)


def test_texts_that_are_no_unicode_do_no_harm(tmp_path: Path) -> None:
    half = "\ud800"

    async def scenario(jobs: Jobs) -> None:
        await jobs.submit(new("a", client_id=half, prompt={half: {"class_type": half}}, extra_data={half: [half]}))
        job = await jobs.start("a", "worker-0")
        assert (job.client_id, job.prompt, job.extra_data) == ("?", {half: {"class_type": half}}, {half: [half]})
        await jobs.record("a", [step(half)], [picture(half)])
        assert await jobs.shown("a") == [picture(half)]
        assert await jobs.many([half]) == []
        assert await jobs.shown(half) == []
        assert await jobs.events(0, job=half) == []
        assert await jobs.forget([half]) == []
        with pytest.raises(LatentwireError):
            await jobs.submit(new(half))

    run(tmp_path, scenario)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 10**400])
def test_a_priority_that_orders_nothing_is_refused(tmp_path: Path, number: float) -> None:
    async def scenario(jobs: Jobs) -> None:
        with pytest.raises(LatentwireError, match="expected a number"):
            await jobs.submit(new("a", number=number))
        assert jobs.remaining == 0

    run(tmp_path, scenario)


def test_a_large_prompt_comes_back_as_it_was(tmp_path: Path) -> None:
    prompt = {str(i): {"class_type": "Größe", "inputs": {"x": [i, 1.5, None, True]}} for i in range(1000)}
    extra = {"extra_pnginfo": {"workflow": {"id": "w", "nodes": [{"id": i, "pos": [1, 2]} for i in range(1000)]}}}

    async def scenario(jobs: Jobs) -> None:
        await asyncio.gather(*[jobs.submit(new("a", prompt=prompt, extra_data=extra)) for _ in range(2)])
        job = await jobs.get("a")
        assert job is not None
        assert (job.prompt, job.extra_data) == (prompt, extra)
        assert jobs.remaining == 1

    run(tmp_path, scenario)


def test_one_who_goes_away_while_a_job_is_stored_takes_nobody_along(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        first = asyncio.create_task(jobs.submit(new("a")))
        second = asyncio.create_task(jobs.submit(new("a")))
        await asyncio.sleep(0)
        first.cancel()
        brief, is_new = await second
        assert (brief.id, is_new) == ("a", False)
        assert ids(jobs.waiting()) == ["a"]

    run(tmp_path, scenario)


def test_after_a_close_everything_is_refused_with_a_reason(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened(tmp_path) as jobs:
            writing = [asyncio.create_task(jobs.submit(new(str(i)))) for i in range(50)]
            await asyncio.sleep(0)
        assert all(is_new for _, is_new in await asyncio.gather(*writing))
        await jobs.close()
        with pytest.raises(NotStored, match="closed"):
            await jobs.submit(new("late"))
        with pytest.raises(NotStored, match="closed"):
            await jobs.get("0")
        async with opened(tmp_path) as jobs:
            assert jobs.remaining == 50

    asyncio.run(scenario())
