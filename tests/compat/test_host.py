import asyncio
from concurrent.futures import ThreadPoolExecutor

from compat.crossing import enter, leave
from compat.host import Host, Work
from compat.host import host as current
from engine.graph.run import Run


def test_the_installed_host_is_the_one_modules_find(host: Host) -> None:
    assert current() is host


def test_progress_belongs_to_the_node_that_runs(host: Host) -> None:
    first, second = Run("1", lambda event: None), Run("2", lambda event: None)
    assert host.run is None
    with host.node(first):
        with host.node(second):
            assert host.run is second
        assert host.run is first
    assert host.run is None


def _seen_from_a_thread(host: Host) -> Run | None:
    """The node as a thread of an author's sees it, which has none of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: host.run).result()


def test_nodes_that_overlap_leave_nothing_behind(host: Host) -> None:
    first, second = Run("1", lambda event: None), Run("2", lambda event: None)
    seen: list[Run | None] = []

    async def both() -> None:
        second_runs, first_ended = asyncio.Event(), asyncio.Event()

        async def one() -> None:
            with host.node(first):
                await second_runs.wait()
            first_ended.set()

        async def other() -> None:
            with host.node(second):
                second_runs.set()
                await first_ended.wait()
                seen.append(_seen_from_a_thread(host))

        await asyncio.gather(one(), other())

    asyncio.run(both())
    assert seen == [second]
    assert _seen_from_a_thread(host) is None


def test_a_node_that_was_given_up_ends_with_its_prompt(host: Host) -> None:
    given_up = host.node(Run("1", lambda event: None))
    with host.working(Work("job")):
        given_up.__enter__()
        assert _seen_from_a_thread(host) is not None
    assert _seen_from_a_thread(host) is None
    given_up.__exit__(None, None, None)


def test_plain_values_cross_the_border_as_they_are() -> None:
    latent = {"samples": [1, 2]}
    assert enter(latent) is latent
    assert leave(latent) is latent
