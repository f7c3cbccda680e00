"""The time line of a job: what the Trace Event Format asks for, and that it says what happened."""

import json
from dataclasses import replace

import pytest

from server.jobs.job import Job, Span, State
from server.watching.trace import place, trace

PROMPT = {str(n): {"class_type": f"Class{n}", "inputs": {}} for n in range(5)}
JOB = Job(
    id="a",
    sequence=1,
    number=1.0,
    state=State.SUCCEEDED,
    created=1000,
    prompt=PROMPT,
    outputs=["4"],
    extra_data={},
    client_id=None,
    digest="",
    attempts=1,
    started=1500,
    ended=3000,
    worker="worker-0",
    messages=[("execution_start", {}), ("execution_cached", {"nodes": ["0"], "timestamp": 1501})],
    spans=[Span("1", "Class1", 1501.0, 0.5), Span("2", "Class2", 2001.0, 0.25), Span("2.0.0.1", "X", 2251.0, 0.1, "2")],
)


def events(job, phase):
    return [event for event in trace(job)["traceEvents"] if event["ph"] == phase]


def check_format(events):
    """The rules of the Trace Event Format for the phases used here, as far as they can be checked."""
    for event in events:
        assert event["ph"] in "XMi"
        assert isinstance(event["name"], str)
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
        assert isinstance(event["args"], dict)
        if event["ph"] == "M":
            assert event["name"] in ("process_name", "thread_name")
            assert isinstance(event["args"]["name"], str)
        else:
            assert isinstance(event["ts"], int)
            assert event["ts"] >= 0
        if event["ph"] == "X":
            assert isinstance(event["dur"], int)
            assert event["dur"] >= 0
        if event["ph"] == "i":
            assert event["s"] in "gpt"
    slices = [event for event in events if event["ph"] == "X"]
    for row in {(event["pid"], event["tid"]) for event in slices}:
        check_nesting([event for event in slices if (event["pid"], event["tid"]) == row])
    named = {(event["pid"], event["tid"]) for event in events if event["name"] == "thread_name"}
    assert {(event["pid"], event["tid"]) for event in slices} <= named


def check_nesting(slices):
    """On one thread, two slices are apart or one is inside the other."""
    open_until = []
    for event in sorted(slices, key=lambda event: (event["ts"], -event["dur"])):
        while open_until and open_until[-1] <= event["ts"]:
            open_until.pop()
        end = event["ts"] + event["dur"]
        assert not open_until or end <= open_until[-1]
        open_until.append(end)


def overlapping(count):
    return [Span(str(n), "Wait", 1501.0 + n, 0.4) for n in range(1, count + 1)]


@pytest.mark.parametrize(
    "job",
    [
        JOB,
        replace(JOB, spans=overlapping(4)),
        replace(JOB, spans=[]),
        replace(JOB, state=State.WAITING, attempts=0, started=None, ended=None, worker=None, spans=[], messages=[]),
        replace(JOB, state=State.RUNNING, ended=None, spans=[]),
        replace(JOB, state=State.CANCELLED, attempts=0, started=None, worker=None, spans=[], messages=[]),
        replace(JOB, created=4000, started=3000, ended=2000),
    ],
    ids=["usual", "awaiting", "no nodes", "waiting", "running", "taken out of the queue", "clock set back"],
)
def test_a_trace_keeps_the_rules_of_the_format_and_is_json(job):
    told = json.loads(json.dumps(trace(job), allow_nan=False))
    check_format(told["traceEvents"])


def test_times_are_microseconds():
    (node,) = [event for event in events(JOB, "X") if event["args"].get("node") == "1"]
    assert (node["ts"], node["dur"]) == (1_501_000, 500_000)


def test_waiting_is_a_slice_of_its_own():
    (waiting,) = [event for event in events(JOB, "X") if event["name"] == "waiting"]
    assert (waiting["ts"], waiting["dur"]) == (1_000_000, 500_000)


def test_a_slice_names_its_node_the_one_on_the_screen_and_the_class():
    told = [event["args"] for event in events(JOB, "X") if event["cat"] == "node"]
    assert told[0] == {"node": "1", "display_node": "1", "class_type": "Class1", "cached": False}
    assert told[2] == {"node": "2.0.0.1", "display_node": "2", "class_type": "X", "cached": False}


def test_a_cached_node_is_a_mark():
    (mark,) = events(JOB, "i")
    assert mark["args"] == {"node": "0", "display_node": "0", "class_type": "Class0", "cached": True}
    assert mark["ts"] == 1_501_000


def test_rows_are_named_by_worker_and_job():
    names = {event["args"]["name"] for event in events(replace(JOB, spans=overlapping(2)), "M")}
    assert names == {"queue", "worker-0", "job a", "job a (2)"}


def rows(spans):
    return {part.span.node: part.row for part in place(spans)}


def test_nodes_that_overlap_lie_in_rows_of_their_own():
    assert rows(overlapping(3)) == {"1": 0, "2": 1, "3": 2}


def test_a_row_is_used_again_when_it_is_free():
    times = {"1": (0.0, 1.0), "2": (500.0, 1.0), "3": (1000.0, 0.2), "4": (1500.0, 1.0)}
    assert rows([Span(node, "A", *time) for node, time in times.items()]) == {"1": 0, "2": 1, "3": 0, "4": 0}


def test_spans_out_of_order_are_placed_by_their_time():
    assert rows([Span("2", "B", 500.0, 1.0), Span("1", "A", 0.0, 1.0)]) == {"1": 0, "2": 1}


def test_a_late_report_makes_no_overlap():
    first, second = place([Span("1", "A", 1004.0, 0.1), Span("2", "B", 1100.0, 0.1)])
    assert (first.row, second.row) == (0, 0)
    assert first.end == second.begin


def test_a_cached_node_that_was_shown_again_is_a_mark_and_no_slice():
    job = replace(JOB, spans=[Span("0", "Class0", 1501.0, 0.0), *JOB.spans])
    assert [event["args"]["node"] for event in events(job, "X") if event["cat"] == "node"] == ["1", "2", "2.0.0.1"]
