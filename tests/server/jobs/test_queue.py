from dataclasses import replace

from server.jobs.job import Brief, State
from server.jobs.queue import Queue


def brief(number: float, sequence: int, state: State = State.WAITING) -> Brief:
    return Brief(id=f"job {sequence}", sequence=sequence, number=number, state=state, created=0)


def test_the_lowest_number_is_next_and_the_oldest_of_equals() -> None:
    queue = Queue()
    for each in (brief(2, 1), brief(1, 3), brief(1, 2), brief(0, 4, State.RUNNING)):
        queue.add(each, "")
    assert queue.next() == brief(1, 2)
    assert queue.briefs(State.WAITING) == [brief(1, 2), brief(1, 3), brief(2, 1)]


def test_a_job_on_the_move_is_shown_where_it_was_but_is_not_next() -> None:
    queue = Queue()
    queue.add(brief(1, 1), "")
    entry = queue.find("job 1")
    assert entry is not None
    entry.is_moving = True
    assert queue.next() is None
    assert queue.ready() == []
    assert queue.briefs(State.WAITING) == [brief(1, 1)]
    queue.settle(entry, entry.brief)
    assert queue.next() == brief(1, 1)
    queue.settle(entry, replace(entry.brief, state=State.RUNNING))
    assert queue.next() is None
    assert queue.briefs(State.RUNNING) == [brief(1, 1, State.RUNNING)]


def test_jobs_that_left_do_not_pile_up() -> None:
    queue = Queue()
    for sequence in range(10_000):
        queue.add(brief(-sequence, sequence), "")
        entry = queue.find(f"job {sequence}")
        assert entry is not None
        if sequence != 7:
            queue.remove(entry)
    assert len(queue) == 1
    assert len(queue._heap) < 200
    assert queue.next() == brief(-7, 7)
    assert [each.sequence for each in queue] == [7]
