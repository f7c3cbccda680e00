"""The story of a run against the table in protocol.md, section 2.1."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.graph.events import (
    Cached,
    Event,
    Executed,
    Executing,
    Failed,
    Finished,
    Interrupted,
    Preview,
    Progress,
    Started,
    Text,
)
from server.events import frames
from server.events.wire import DEEPEST, Story
from server.jobs.job import Frame, Item, NewEvent, Output, StoredEvent

JOB = "6f0f3f0c-7c11-4c9c-9a53-0d7f9d6a1f11"
CLASSES = {"1": "Load", "2": "Sample", "3": "Save", "4": "Preview"}
NOW = 1_790_000_000.1234


def a_story() -> Story:
    return Story(JOB, classes=CLASSES)


def told(story: Story, events: Iterable[Event], *, now: float = NOW, pause: float = 1.0) -> list[Item]:
    """All items of events that come with a pause between them."""
    items: list[Item] = []
    for event in events:
        items += story.tell(event, now)[0]
        now += pause
    return items


def types(items: Iterable[Item]) -> list[str]:
    return [item.type if isinstance(item, NewEvent) else item.kind for item in items]


def data(items: Iterable[Item], type: str) -> list[Any]:
    return [item.data for item in items if isinstance(item, NewEvent) and item.type == type]


def nodes(items: Iterable[Item]) -> Any:
    """The last map of nodes among the items."""
    return data(items, "progress_state")[-1]["nodes"]


RUN: list[Event] = [
    Started(("1", "2", "3")),
    Cached(("1",)),
    Executing("2", "2", "Sample"),
    Preview("2", b"jpeg"),
    Progress("2", 1, 20),
    Executed("2", "2", None, 2.0),
    Executing("3", "3", "Save"),
    Executed("3", "3", {"images": [{"filename": "a.png", "subfolder": "", "type": "output"}]}, 0.5),
    Finished("succeeded"),
]


def test_a_run_is_told_in_the_order_clients_expect() -> None:
    story = a_story()
    items = [*told(story, RUN), *story.end(NOW)]
    assert types(items) == [
        "execution_start",
        "execution_cached",
        "progress_state",
        "executing",
        "preview",
        "progress_state",
        "progress",
        "progress_state",
        "progress_state",
        "executing",
        "executed",
        "progress_state",
        "execution_success",
        "executing",
    ]
    assert data(items, "executing")[-1] == {"node": None, "prompt_id": JOB}


def test_every_message_names_the_prompt() -> None:
    story = a_story()
    for item in [*told(story, RUN), *story.end(NOW)]:
        found = item.data if isinstance(item, NewEvent) else item.meta
        assert isinstance(found, dict)
        assert found["prompt_id"] == JOB


def test_times_are_whole_milliseconds() -> None:
    (start,) = data(told(a_story(), [Started()]), "execution_start")
    assert start == {"prompt_id": JOB, "timestamp": 1_790_000_000_123}
    assert type(start["timestamp"]) is int


def test_cached_nodes_are_named() -> None:
    (cached,) = data(told(a_story(), [Cached(("1", "2"))]), "execution_cached")
    assert cached["nodes"] == ["1", "2"]


def test_numbers_of_progress_stay_as_the_node_gave_them() -> None:
    items = told(a_story(), [Executing("2", "2", "Sample"), Progress("2", 3, 20), Progress("2", 0.5, 1.0)])
    first, second = data(items, "progress")
    assert first == {"value": 3, "max": 20, "prompt_id": JOB, "node": "2"}
    assert type(first["value"]) is int
    assert second["value"] == 0.5


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "3", None, True, [1]])
def test_progress_that_is_no_number_is_told_as_none_done(value: Any) -> None:
    items = told(a_story(), [Executing("2", "2", "Sample"), Progress("2", value, 20)])
    assert data(items, "progress")[0]["value"] == 0


def test_the_state_of_nodes_goes_from_nothing_done_to_all_done() -> None:
    items = told(a_story(), RUN[2:6])
    maps = [each["nodes"]["2"] for each in data(items, "progress_state")]
    assert [(each["value"], each["max"], each["state"]) for each in maps] == [
        (0, 1, "running"),
        (1, 20, "running"),
        (20, 20, "finished"),
    ]
    ids = {name: value for name, value in maps[0].items() if name not in ("value", "max", "state")}
    assert ids == {
        "node_id": "2",
        "prompt_id": JOB,
        "display_node_id": "2",
        "parent_node_id": None,
        "real_node_id": "2",
    }


def test_a_node_that_shows_nothing_is_not_told_as_executed() -> None:
    story = a_story()
    items = told(story, RUN)
    assert [each["node"] for each in data(items, "executed")] == ["3"]
    assert [span.node for span in story.spans] == ["2", "3"]


def test_what_a_node_shows_comes_back_to_be_kept() -> None:
    story = a_story()
    story.tell(Executing("3", "3", "Save"), NOW)
    items, shown = story.tell(Executed("3", "3", {"images": [{"filename": "a.png"}]}, 0.5), NOW + 1)
    assert shown == [Output("3", {"images": [{"filename": "a.png"}]}, "3", None, "3")]
    assert data(items, "executed") == [
        {"node": "3", "display_node": "3", "output": {"images": [{"filename": "a.png"}]}, "prompt_id": JOB}
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a\udce9b", "a\ufffdb"),
        ("\ud800", "\ufffd"),
        ("\ud83d\ude00", "😀"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("é😀", "é😀"),
    ],
)
def test_half_characters_reach_no_client(given: str, expected: str) -> None:
    story = a_story()
    told(story, [Started(), Executing("3", "3", "Save")])
    items, shown = story.tell(Executed("3", "3", {given: [given, {given: given}]}), NOW)
    assert data(items, "executed")[0]["output"] == shown[0].ui == {expected: [expected, {expected: expected}]}
    failed = Failed("3", "Save", given, given, (given,), {"x": given})
    (error,) = data(story.tell(failed, NOW)[0], "execution_error")
    texts = [error["exception_message"].rstrip(), error["exception_type"], *error["traceback"]]
    assert texts == [expected] * 3
    assert error["current_inputs"] == {"x": expected}


def test_a_cached_output_node_is_executed_without_having_run() -> None:
    story = a_story()
    items = told(story, [Started(), Cached(("3",)), Executed("3", "3", {"images": []}, cached=True)])
    assert types(items) == ["execution_start", "execution_cached", "executed", "progress_state"]
    assert nodes(items)["3"]["state"] == "finished"
    (span,) = story.spans
    assert (span.class_type, span.seconds) == ("Save", 0.0)


def test_a_cached_output_node_that_showed_nothing_says_so() -> None:
    items, shown = a_story().tell(Executed("3", "3", None, cached=True), NOW)
    assert data(items, "executed")[0]["output"] is None
    assert shown == []


def test_an_added_node_tells_who_it_stands_for() -> None:
    story = a_story()
    items = told(
        story,
        [
            Executing("2", "2", "Sample"),
            Executing("2.0.0.1", "2", "Inner", "2"),
            Executing("2.0.0.1.0.0.x", "2", "Innermost", "2.0.0.1"),
        ],
    )
    assert data(items, "executing")[1] == {"node": "2.0.0.1", "display_node": "2", "prompt_id": JOB}
    state = nodes(items)["2.0.0.1.0.0.x"]
    assert (state["display_node_id"], state["parent_node_id"], state["real_node_id"]) == ("2", "2.0.0.1", "2")
    assert story.current == ("2.0.0.1.0.0.x", "2")


def test_a_cached_node_of_an_earlier_expansion_has_its_root() -> None:
    story = a_story()
    _, (shown,) = story.tell(Executed("2.0.0.1", "2", {"text": ["a"]}, cached=True), NOW)
    assert (shown.display_node, shown.parent_node, shown.real_node) == ("2", "2", "2")


def test_an_error_says_where_and_what() -> None:
    story = a_story()
    failed = Failed("2", "Sample", "it broke", "ValueError", ("line\n",), {"steps": [20]}, ("1",))
    items = told(story, [Started(), Cached(()), Executing("2", "2", "Sample"), failed, Finished("failed")])
    assert types(items)[-2:] == ["progress_state", "execution_error"]
    assert nodes(items)["2"]["state"] == "error"
    (error,) = data(items, "execution_error")
    assert error.pop("timestamp") == int((NOW + 3) * 1000)
    assert error == {
        "prompt_id": JOB,
        "node_id": "2",
        "node_type": "Sample",
        "executed": ["1"],
        "exception_message": "it broke\n",
        "exception_type": "ValueError",
        "traceback": ["line\n"],
        "current_inputs": {"steps": [20]},
        "current_outputs": ["1"],
    }
    assert story.error is not None
    assert [type for type, _ in story.messages] == ["execution_start", "execution_cached", "execution_error"]
    assert [span.node for span in story.spans] == ["2"]


def test_an_error_in_an_added_node_is_shown_at_the_node_of_the_prompt() -> None:
    story = a_story()
    story.tell(Executing("2", "2", "Sample"), NOW)
    story.tell(Executing("2.0.0.1", "2", "Inner", "2"), NOW)
    items, _ = story.tell(Failed("2.0.0.1", "Inner", "no", "ValueError"), NOW)
    (error,) = data(items, "execution_error")
    assert (error["node_id"], error["node_type"]) == ("2", "Sample")
    assert (error["inner_node_id"], error["inner_node_type"]) == ("2.0.0.1", "Inner")


def test_a_blocked_output_does_not_end_the_run() -> None:
    story = a_story()
    blocked = Failed("3", "Save", "Execution Blocked: no face", "ExecutionBlocked", executed=("2",), blocked=True)
    items = told(story, [Started(), Cached(()), blocked, Finished("succeeded")])
    assert types(items) == ["execution_start", "execution_cached", "execution_error", "execution_success"]
    (error,) = data(items, "execution_error")
    assert error["exception_message"] == "Execution Blocked: no face"
    assert (error["traceback"], error["current_inputs"], error["current_outputs"]) == ([], {}, [])
    assert "timestamp" not in error
    assert story.error is None
    assert "execution_error" not in dict(story.messages)


def test_an_interrupted_run_says_where() -> None:
    story = a_story()
    items = told(story, [Executing("2", "2", "Sample"), Interrupted("2", "Sample", ("1",)), Finished("cancelled")])
    (interrupted,) = data(items, "execution_interrupted")
    assert (interrupted["node_id"], interrupted["node_type"], interrupted["executed"]) == ("2", "Sample", ["1"])
    assert story.messages[-1][0] == "execution_interrupted"
    assert story.error is None
    assert story.current is None


def test_a_run_interrupted_before_any_node_names_none() -> None:
    items, _ = a_story().tell(Interrupted(None), NOW)
    assert data(items, "execution_interrupted")[0]["node_id"] == ""


def test_a_dead_worker_is_an_error_of_the_node_that_ran() -> None:
    story = a_story()
    told(story, RUN[:3])
    items = [*story.crash("crashed", "The worker was ended by SIGSEGV.", NOW + 60), *story.end(NOW + 60)]
    assert types(items) == ["progress_state", "execution_error", "executing"]
    (error,) = data(items, "execution_error")
    assert (error["node_id"], error["node_type"], error["cause"]) == ("2", "Sample", "crashed")
    assert error["exception_type"] == "WorkerDied"
    assert error["exception_message"] == "The worker was ended by SIGSEGV.\n"
    assert story.error == error
    assert story.spans[-1].seconds == pytest.approx(58)


def test_a_worker_that_died_before_it_began_has_a_story_too() -> None:
    story = a_story()
    items = [*story.crash("killed", "gone", NOW), *story.end(NOW)]
    assert types(items) == ["execution_start", "execution_error", "executing"]
    assert data(items, "execution_error")[0]["node_id"] == ""


def test_a_preview_says_what_it_shows() -> None:
    story = a_story()
    story.tell(Executing("2.0.0.1", "2", "Inner", "2"), NOW)
    ((frame,), _) = story.tell(Preview("2.0.0.1", b"png", "image/png"), NOW)
    assert isinstance(frame, Frame)
    assert (frame.kind, frame.node, frame.data, frame.mime) == ("preview", "2.0.0.1", b"png", "image/png")
    assert frame.meta == {
        "node_id": "2.0.0.1",
        "prompt_id": JOB,
        "display_node_id": "2",
        "parent_node_id": "2",
        "real_node_id": "2",
    }


def test_a_text_is_a_frame() -> None:
    ((frame,), _) = a_story().tell(Text("2", "Käse \ud800"), NOW)
    assert isinstance(frame, Frame)
    assert (frame.kind, frame.data) == ("text", "Käse ?".encode())


def test_what_authors_show_becomes_readable_json() -> None:
    deep: Any = []
    for _ in range(3000):
        deep = [deep]
    ui = {"text": [float("nan"), {"x": float("inf")}, (1, 2)], "deep": deep}
    _, (shown,) = a_story().tell(Executed("3", "3", ui), NOW)
    text = json.dumps(shown.ui, allow_nan=False)
    assert json.loads(text)["text"] == [None, {"x": None}, [1, 2]]
    assert text.count("[") < 2 * DEEPEST


def test_the_state_of_nodes_is_told_at_most_four_times_a_second() -> None:
    story = a_story()
    told(story, [Started(), Cached(())])
    steps = [Progress("2", step, 1000) for step in range(1000)]
    items = told(story, [Executing("2", "2", "Sample"), *steps], pause=0.01)
    assert 35 <= len(data(items, "progress_state")) <= 41
    assert len(data(items, "progress")) == 1000


@pytest.mark.parametrize("seconds", [0.0, 0.0001, 0.01, 0.03])
def test_a_thousand_nodes_cost_less_than_a_mebibyte(seconds: float) -> None:
    ids = [str(number) for number in range(1000)]
    story = Story(JOB, classes=dict.fromkeys(ids, "Sleep"))
    now, items = NOW, told(story, [Started(tuple(ids)), Cached(())], pause=0)
    for node in ids:
        items += story.tell(Executing(node, node, "Sleep"), now)[0]
        now += seconds
        items += story.tell(Progress(node, 1, 1), now)[0]
        items += story.tell(Executed(node, node, None, seconds), now)[0]
    items += story.tell(Finished("succeeded"), now)[0] + story.end(now)
    sent = sum(len(frames.event(stored(item, 123_456))) for item in items)
    assert sent < 1 << 20
    assert len(data(items, "executing")) == 1001
    final = nodes(items)
    assert len(final) == 1000
    assert all(each["state"] == "finished" for each in final.values())


def stored(item: Item, number: int) -> StoredEvent:
    assert isinstance(item, NewEvent)
    return StoredEvent(number, JOB, item.type, json.dumps(item.data), 0, None)


@st.composite
def runs(draw: st.DrawFn) -> tuple[list[Event], str]:
    """The events of any run, as the executor sends them, and how it ends."""
    events: list[Event] = [Started(tuple(CLASSES)), Cached(())]
    for node in CLASSES:
        ui = draw(st.sampled_from([None, {}, {"images": [{"filename": "a"}]}]))
        if draw(st.booleans()):
            events.append(Executed(node, node, ui, cached=True))
            continue
        events.append(Executing(node, node, CLASSES[node]))
        steps = draw(st.lists(st.sampled_from(["progress", "preview", "text"]), max_size=5))
        kinds = {"progress": Progress(node, 1, 2), "preview": Preview(node, b"x"), "text": Text(node, "x")}
        events += [kinds[step] for step in steps]
        end = draw(st.sampled_from(["executed", "executed", "executed", "failed", "interrupted", "crash"]))
        if end == "failed":
            return [*events, Failed(node, CLASSES[node], "no", "ValueError"), Finished("failed")], end
        if end == "interrupted":
            return [*events, Interrupted(node, CLASSES[node]), Finished("cancelled")], end
        if end == "crash":
            return events, end
        events.append(Executed(node, node, ui, 0.1))
    return [*events, Finished("succeeded")], "succeeded"


ENDS = {
    "failed": "execution_error",
    "crash": "execution_error",
    "interrupted": "execution_interrupted",
    "succeeded": "execution_success",
}


@settings(deadline=None, max_examples=200)
@given(runs(), st.floats(0, 1))
def test_any_run_begins_ends_and_leaves_no_node_running(run: tuple[list[Event], str], pause: float) -> None:
    events, end = run
    story = a_story()
    items = told(story, events, pause=pause)
    later = NOW + len(events)
    if end == "crash":
        items += story.crash("crashed", "gone", later)
    items += story.end(later)
    kinds = types(items)
    assert kinds[:2] == ["execution_start", "execution_cached"]
    assert kinds[-2:] == [ENDS[end], "executing"]
    assert sum(kinds.count(kind) for kind in set(ENDS.values())) == 1
    assert story.messages[-1][0] == ENDS[end]
    assert story.current is None
    begun = [event.node for event in events if isinstance(event, Executing)]
    assert [each["node"] for each in data(items, "executing")] == [*begun, None]
    maps = data(items, "progress_state")
    assert bool(maps) == any(isinstance(event, Executing | Executed) for event in events)
    if maps:
        assert "running" not in {each["state"] for each in maps[-1]["nodes"].values()}
        if begun:
            first = kinds.index("executing")
            assert "progress_state" in kinds[:first]
    assert len(story.spans) == len([event for event in events if isinstance(event, Executing)]) + len(
        [event for event in events if isinstance(event, Executed) and event.cached]
    )
    json.dumps([item.data for item in items if isinstance(item, NewEvent)], allow_nan=False)
