"""What the main thread does next, and whether what it does should stop."""

import threading

from engine.workers.inside.flag import Flag
from engine.workers.inside.inbox import Inbox, Job, Release, Reload


def job(id: str, seen: list[str] | None = None) -> Job:
    told = [] if seen is None else seen
    return Job(id, {}, Flag(lambda: told.append(id)))


def test_jobs_come_in_their_order_and_memory_is_freed_first() -> None:
    inbox = Inbox()
    inbox.add(job("a"))
    inbox.add(job("b"))
    inbox.release(Release(True, False))
    inbox.release(Release(False, True))
    assert inbox.next() == Release(True, True)
    assert [each.id for each in (inbox.next(), inbox.next()) if isinstance(each, Job)] == ["a", "b"]


def test_plugins_are_imported_again_before_the_next_job_in_the_order_of_the_wishes() -> None:
    inbox = Inbox()
    inbox.add(job("a"))
    inbox.reload(Reload(1, "pack"))
    inbox.reload(Reload(2, None))
    assert [inbox.next(), inbox.next()] == [Reload(1, "pack"), Reload(2, None)]
    assert isinstance(inbox.next(), Job)


def test_stopping_comes_before_what_waits() -> None:
    inbox = Inbox()
    inbox.add(job("a"))
    inbox.stop()
    assert inbox.next() is None


def test_whoever_waits_is_woken() -> None:
    inbox = Inbox()
    found: list[object] = []
    waiting = threading.Thread(target=lambda: found.append(inbox.next()))
    waiting.start()
    inbox.stop()
    waiting.join(60)
    assert found == [None]


def test_a_cancel_reaches_the_job_it_names_and_no_other() -> None:
    inbox = Inbox()
    first, second = job("a"), job("b")
    inbox.add(first)
    inbox.add(second)
    assert inbox.next() is first
    inbox.cancel("b")
    assert not inbox.is_cancelled()
    inbox.cancel("a")
    assert inbox.is_cancelled()
    inbox.done()
    assert not inbox.is_cancelled()
    assert inbox.next() is second
    assert inbox.is_cancelled()


def test_that_a_flag_was_seen_is_told_once_and_only_when_it_was_set() -> None:
    seen: list[str] = []
    one = job("a", seen)
    assert one.flag.looked is None
    assert not one.flag.is_cancelled()
    assert one.flag.looked is not None
    assert seen == []
    one.flag.set()
    assert one.flag.is_cancelled()
    assert one.flag.is_cancelled()
    assert seen == ["a"]


def test_a_thread_that_outlives_its_job_tells_nothing() -> None:
    inbox, seen = Inbox(), list[str]()
    one = job("a", seen)
    inbox.add(one)
    inbox.next()
    inbox.done()
    one.flag.set()
    assert one.flag.is_cancelled()
    assert seen == []
