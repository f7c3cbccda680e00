import asyncio
from pathlib import Path

from server.jobs.job import State
from server.jobs.store import Jobs, Query
from tests.server.jobs.opened import ids, new, ran, run, step


def workflow(name: object) -> dict[str, object]:
    return {"extra_pnginfo": {"workflow": {"id": name}}}


async def fill(jobs: Jobs) -> None:
    """a and b succeeded, c failed, d was withdrawn, e runs, f waits; created in the order b a c d e f."""
    await ran(jobs, "a", created=1002, extra_data=workflow("w"))
    await ran(jobs, "b", created=1001, extra_data=workflow("v"))
    await ran(jobs, "c", State.FAILED, created=1003, extra_data=workflow(5))
    for created, id in ((1004, "d"), (1005, "e"), (1006, "f")):
        await jobs.submit(new(id, created=created, extra_data=workflow("w")))
    await jobs.withdraw(["d"])
    await jobs.start("e", "worker-0")


def test_a_page_is_filtered_sorted_and_counted(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        await fill(jobs)

        async def page(**query: object) -> tuple[str, int]:
            found, total = await jobs.page(Query(**query))
            return "".join(ids(found)), total

        assert await page() == ("fedcab", 6)
        assert await page(descending=False) == ("bacdef", 6)
        assert await page(limit=2, offset=1) == ("ed", 6)
        assert await page(limit=2, offset=10) == ("", 6)
        assert await page(limit=0) == ("", 6)
        assert await page(states=[State.SUCCEEDED, State.FAILED], limit=2) == ("ca", 3)
        assert await page(states=[State.WAITING, State.RUNNING]) == ("fe", 2)
        assert await page(workflow_id="w") == ("feda", 4)
        assert await page(workflow_id="w", states=[State.CANCELLED]) == ("d", 1)
        assert await page(workflow_id="\ud800") == ("", 0)

    run(tmp_path, scenario)


def test_a_page_may_begin_behind_a_job_and_ask_for_texts_sent_along(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        for id, created, extra_data in (
            ("a", 1000, {"label": {"of": "x"}}),
            ("b", 1000, {"label": {"of": "x"}, "much": "m" * 10_000}),
            ("c", 999, {"label": {"of": "y"}}),
            ("d", 1001, {"label": "x"}),
        ):
            await ran(jobs, id, created=created, extra_data=extra_data)
        b = await jobs.get("b")
        assert b is not None
        found, total = await jobs.page(Query(before=(b.created, b.sequence)))
        assert (ids(found), total) == (["a", "c"], 2)
        found, total = await jobs.page(Query(texts={("label", "of"): "x"}))
        assert (ids(found), total) == (["b", "a"], 2), "one of them is stored compressed"

    run(tmp_path, scenario)


def test_jobs_are_sorted_by_how_long_they_ran(tmp_path: Path) -> None:
    time = [0.0]

    async def scenario(jobs: Jobs) -> None:
        for id, seconds in (("a", 5.0), ("b", 1.0), ("c", 3.0)):
            await jobs.submit(new(id))
            await jobs.start(id, "worker-0")
            time[0] += seconds
            await jobs.finish(id, State.SUCCEEDED, [])
        await jobs.submit(new("never"))
        await jobs.withdraw(["never"])
        for descending, expected in ((True, ["a", "c", "b", "never"]), (False, ["b", "c", "a", "never"])):
            found, _ = await jobs.page(Query(sort_by="execution_duration", descending=descending))
            assert ids(found) == expected

    run(tmp_path, scenario, clock=lambda: time[0])


def test_the_history_is_in_the_order_of_the_ends(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        await jobs.submit(new("slow"))
        await jobs.start("slow", "worker-0")
        for id in "abc":
            await ran(jobs, id)
        await jobs.finish("slow", State.SUCCEEDED, [])
        assert ids(await jobs.history()) == ["a", "b", "c", "slow"]
        assert ids(await jobs.history(2)) == ["c", "slow"]
        assert ids(await jobs.history(2, -1)) == ["c", "slow"]
        assert ids(await jobs.history(2, 1)) == ["b", "c"]
        assert ids(await jobs.history(None, 3)) == ["slow"]
        assert ids(await jobs.history(0)) == []

    run(tmp_path, scenario)


def test_lists_can_be_read_without_prompts(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        await fill(jobs)
        found, _ = await jobs.page(Query(states=[State.SUCCEEDED]), whole=False)
        assert [(job.prompt, job.extra_data, job.workflow_id) for job in found] == [({}, {}, "w"), ({}, {}, "v")]
        whole = await jobs.many(["a", "unknown", "c"])
        assert [(job.id, job.prompt, job.workflow_id) for job in whole] == [
            ("a", new("a").prompt, "w"),
            ("c", new("c").prompt, None),
        ]

    run(tmp_path, scenario)


def test_many_questions_at_once_are_all_answered(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        await fill(jobs)
        answers = await asyncio.gather(*[jobs.history() for _ in range(50)], *[jobs.get("a") for _ in range(50)])
        assert len({str(each) for each in answers}) == 2

    run(tmp_path, scenario)


def test_the_state_of_a_job_is_known_without_the_rest(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        await fill(jobs)
        states = [await jobs.state(each) for each in ("a", "c", "d", "e", "f", "unknown", "\ud800")]
        ended = [State.SUCCEEDED, State.FAILED, State.CANCELLED]
        assert states == [*ended, State.RUNNING, State.WAITING, None, None]

    run(tmp_path, scenario)


def test_events_of_a_client_come_in_order_however_its_jobs_overlap(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        await jobs.submit(new("never started"))
        await jobs.record("never started", [step("1")])
        for number in range(20):
            await jobs.submit(new(str(number), client_id="ann" if number % 3 else "bob"))
            await jobs.start(str(number), "worker-0")
            for each in range(number % 4, number + 1):  # some go on for long, beside those that came later
                await jobs.record(str(each), [step(str(number))] * 2)
            if number % 4 == 3:
                for each in range(number - 1, number + 1):
                    await jobs.finish(str(each), State.SUCCEEDED, [step(None)])
        await jobs.withdraw(["never started"])
        everything = await jobs.events(0, limit=10_000)
        assert len({each.job for each in everything}) == 21
        for client in ("ann", "bob", "nobody"):
            for after in range(0, jobs.last_event + 1, 7):
                expected = [each for each in everything if each.client_id == client and each.number > after]
                assert await jobs.events(after, client=client, limit=50) == expected[:50]

    run(tmp_path, scenario)


def test_a_page_of_events_is_bounded_by_what_it_holds(tmp_path: Path) -> None:
    async def scenario(jobs: Jobs) -> None:
        await jobs.submit(new("a"))
        await jobs.start("a", "worker-0")
        await jobs.record("a", [step("x" * 1000) for _ in range(20)])
        for asked in ({"job": "a"}, {"client": "ann"}):
            assert len(await jobs.events(0, **asked, characters=5000)) == 5
            assert len(await jobs.events(0, **asked, characters=1)) == 1
            assert len(await jobs.events(0, **asked, characters=10**6)) == 20

    run(tmp_path, scenario)
