"""So many a second and no more, the first and the last always, and nothing out of its order."""

import random

from engine.graph.events import Event, Executed, Executing, Finished, Preview, Progress, Text
from engine.workers.inside.thinning import Thinning


def passed(events: list[tuple[float, Event]]) -> list[tuple[float, Event]]:
    thinning = Thinning()
    return [(now, each) for now, event in events for each in thinning.take(event, now)]


def test_progress_comes_twenty_times_a_second_with_its_first_and_last_step() -> None:
    found = passed([(step / 1000, Progress("1", step, 2000)) for step in range(2001)])
    assert found[0][1] == Progress("1", 0, 2000)
    assert found[-1] == (2.0, Progress("1", 2000, 2000))
    assert 39 <= len(found) <= 42


def test_the_last_step_goes_even_right_after_another() -> None:
    events: list[tuple[float, Event]] = [(0.0, Progress("1", 1, 2)), (0.001, Progress("1", 2, 2))]
    assert passed(events) == events


def test_a_node_that_is_at_its_last_step_all_the_time_is_thinned_too() -> None:
    assert len(passed([(step / 1000, Progress("1", 5, 5)) for step in range(1000)])) <= 21


def test_a_step_held_back_goes_before_anything_else_of_its_node() -> None:
    end = Executed("1", "1")
    found = passed([(0.0, Progress("1", 1, 9)), (0.01, Progress("1", 2, 9)), (0.02, end)])
    assert [each for _, each in found] == [Progress("1", 1, 9), Progress("1", 2, 9), end]
    preview = Preview("1", b"x")
    found = passed([(0.0, Progress("1", 1, 9)), (0.01, Progress("1", 2, 9)), (0.02, preview)])
    assert [each for _, each in found] == [Progress("1", 1, 9), Progress("1", 2, 9), preview]


def test_nodes_do_not_slow_each_other_down() -> None:
    events: list[tuple[float, Event]] = [(0.0, Progress(str(node), 1, 9)) for node in range(5)]
    assert passed(events) == events


def test_a_node_that_runs_again_begins_anew() -> None:
    events: list[tuple[float, Event]] = [
        (0.0, Progress("1", 1, 9)),
        (0.01, Executed("1", "1")),
        (0.02, Progress("1", 1, 9)),
    ]
    assert passed(events) == events


def test_previews_come_ten_times_a_second_beside_progress() -> None:
    found = passed(
        [
            (step / 100, each)
            for step in range(200)
            for each in (Preview("1", b"%d" % step), Progress("1", step, 200), Text("1", f"{step}"))
        ]
    )
    count = {kind: sum(isinstance(each, kind) for _, each in found) for kind in (Preview, Progress, Text)}
    assert 18 <= count[Preview] <= 21
    assert 38 <= count[Progress] <= 45
    assert 38 <= count[Text] <= 42


def test_what_is_held_goes_when_its_time_has_come_and_at_the_end() -> None:
    thinning = Thinning()
    thinning.take(Progress("1", 1, 9), 0.0)
    assert thinning.take(Progress("1", 2, 9), 0.02) == []
    assert thinning.overdue(0.04) == []
    assert thinning.overdue(0.06) == [Progress("1", 2, 9)]
    assert thinning.overdue(9.0) == []
    assert thinning.take(Text("1", "a"), 9.0) == [Text("1", "a")]
    assert thinning.take(Text("1", "b"), 9.01) == []
    assert thinning.rest() == [Text("1", "b")]
    assert thinning.rest() == []


def test_lasting_events_are_never_held_nor_dropped_nor_moved() -> None:
    chance = random.Random(7)
    lasting = [Executing, Executed]
    events: list[tuple[float, Event]] = []
    for step in range(3000):
        node = str(chance.randrange(3))
        kind = chance.choice([Progress, Preview, Text, *lasting])
        given = {Progress: (node, step, 9000), Preview: (node, b"x"), Text: (node, "x")}.get(kind, (node, node))
        events.append((step * chance.random() / 100, kind(*given)))
    events.sort(key=lambda each: each[0])
    events.append((99.0, Finished("succeeded")))
    found = [each for _, each in passed(events)]
    kept = (Executing, Executed, Finished)
    assert [each for each in found if isinstance(each, kept)] == [each for _, each in events if isinstance(each, kept)]
    by_node = [[e for _, e in events if getattr(e, "node", "") == node] for node in "012"]
    for node, all_of_node in zip("012", by_node, strict=True):
        of_node = [each for each in found if getattr(each, "node", "") == node]
        values = [each.value for each in of_node if isinstance(each, Progress)]
        assert values == [
            value for value in (e.value for e in all_of_node if isinstance(e, Progress)) if value in values
        ]


def test_every_finished_picture_goes_and_in_its_order() -> None:
    pictures: list[tuple[float, Event]] = [(n / 1000, Preview("1", bytes([n]), "image/png")) for n in range(20)]
    assert passed(pictures) == pictures
    step = Progress("1", 2, 9)
    found = passed([(0.0, Progress("1", 1, 9)), (0.01, step), pictures[0], (0.02, Progress("1", 9, 9))])
    assert [each for _, each in found][1:3] == [step, pictures[0][1]]
