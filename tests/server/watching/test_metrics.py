"""What is counted, and what Prometheus makes of it (parsed by prometheus_client's own parser)."""

import asyncio
import logging

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from engine.workers.outside.pool import WorkerState
from server.watching.exposition import Reading, exposition
from server.watching.metrics import MAX_CLASSES, SLOW, TALLY, Histogram, Tally, measure


def samples(text):
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def of(reading, name, **labels):
    return samples(exposition(reading)[0])[name, tuple(sorted(labels.items()))]


def test_an_idle_server_has_numbers_too():
    text, content_type = exposition(Reading(tally=Tally(), jobs={"waiting": 0, "running": 0}))
    assert content_type.startswith("text/plain")
    told = samples(text)
    assert told["latentwire_jobs", (("state", "waiting"),)] == 0
    assert told["latentwire_job_wait_seconds_count", ()] == 0


def test_openmetrics_is_answered_when_asked_for():
    text, content_type = exposition(Reading(tally=Tally()), "application/openmetrics-text;version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert list(parse_openmetrics(text.decode()))


def test_ends_are_counted_by_state_and_cause():
    tally = Tally()
    tally.job_ended("failed", "crashed", 1.0, 2.0)
    tally.job_ended("failed", "crashed", 1.0, 2.0)
    tally.job_ended("cancelled", None, None, None)
    reading = Reading(tally=tally)
    assert of(reading, "latentwire_jobs_ended_total", state="failed", cause="crashed") == 2
    assert of(reading, "latentwire_jobs_ended_total", state="cancelled", cause="") == 1
    assert of(reading, "latentwire_job_duration_seconds_sum") == 4.0
    assert of(reading, "latentwire_job_wait_seconds_count") == 2


def test_buckets_are_cumulative_and_end_with_all():
    tally = Tally()
    for seconds in (0.0, 0.05, 0.06, 7000.0):
        tally.node_ran("KSampler", seconds)
    told = samples(exposition(Reading(tally=tally))[0])
    buckets = [told["latentwire_node_seconds_bucket", (("class", "KSampler"), ("le", str(each)))] for each in SLOW]
    assert buckets == [1, 2, *[3] * 10]
    assert told["latentwire_node_seconds_bucket", (("class", "KSampler"), ("le", "+Inf"))] == 4


def test_a_value_on_a_bound_counts_up_to_it_and_none_is_negative():
    histogram = Histogram((1.0, 2.0))
    for value in (1.0, -5.0, 2.5):
        histogram.add(value)
    assert (histogram.counts, histogram.total) == ([2, 0, 1], 3.5)


def test_thousands_of_classes_make_a_bounded_number_of_rows():
    tally = Tally()
    for n in range(5 * MAX_CLASSES):
        tally.node_ran(f"Class{n}", 0.1)
    assert len(tally.nodes) == MAX_CLASSES + 1
    assert sum(tally.nodes["other"].counts) == 4 * MAX_CLASSES


def test_workers_are_counted_by_state_and_weighed():
    workers = [WorkerState("worker-0", "busy", memory=100, restarts=2), WorkerState("worker-1", "busy")]
    reading = Reading(tally=Tally(), workers=workers)
    assert of(reading, "latentwire_workers", state="busy") == 2
    assert of(reading, "latentwire_workers", state="broken") == 0
    assert of(reading, "latentwire_worker_memory_bytes", worker="worker-0") == 100
    assert of(reading, "latentwire_worker_restarts_total", worker="worker-0") == 2


@pytest.mark.parametrize("name", ['we"ird', "back\\slash", "new\nline", "ünï"])
def test_a_class_of_any_name_is_a_valid_label(name):
    tally = Tally()
    tally.node_ran(name, 0.1)
    text, _ = exposition(Reading(tally=tally))
    (family,) = [
        each for each in text_string_to_metric_families(text.decode()) if each.name == "latentwire_node_seconds"
    ]
    assert {sample.labels["class"] for sample in family.samples} == {name}


def test_a_snapshot_does_not_change_any_more():
    tally = Tally()
    tally.node_ran("A", 0.1)
    before = tally.snapshot()
    tally.node_ran("A", 0.1)
    tally.event_sent(3)
    assert sum(before.nodes["A"].counts) == 1
    assert (before.events_sent, tally.events_sent) == (0, 3)


async def serve(paths):
    """Sends requests to an application with the middleware. Returns: its tally."""

    async def fine(request):
        return web.Response(text="fine")

    async def refuse(request):
        raise web.HTTPForbidden

    async def break_(request):
        raise ValueError("on purpose")

    app = web.Application(middlewares=[measure])
    app[TALLY] = Tally()
    app.add_routes([web.get("/jobs/{id}", fine), web.get("/no", refuse), web.get("/broken", break_)])
    async with TestClient(TestServer(app)) as client:
        for method, path in paths:
            async with client.request(method, path):
                pass
    return app[TALLY]


def test_requests_are_counted_by_the_pattern_of_their_route(caplog):
    caplog.set_level(logging.CRITICAL)
    asked = [
        ("GET", "/jobs/1"),
        ("GET", "/jobs/2"),
        ("GET", "/no"),
        ("GET", "/broken"),
        ("GET", "/x"),
        ("PROPFIND", "/x"),
    ]
    tally = asyncio.run(serve(asked))
    assert {key: sum(each.counts) for key, each in tally.requests.items()} == {
        ("/jobs/{id}", "GET", 200): 2,
        ("/no", "GET", 403): 1,
        ("/broken", "GET", 500): 1,
        ("unmatched", "GET", 404): 1,
        ("unmatched", "other", 404): 1,
    }


def test_the_access_log_has_no_query(caplog):
    caplog.set_level(logging.DEBUG, logger="server.access")
    asyncio.run(serve([("GET", "/jobs/1?token=secret")]))
    (record,) = [record for record in caplog.records if record.name == "server.access"]
    assert record.getMessage() == "GET /jobs/1 200"
    assert "secret" not in str(vars(record))


def test_requests_are_not_logged_above_debug(caplog):
    caplog.set_level(logging.INFO, logger="server.access")
    asyncio.run(serve([("GET", "/jobs/1")]))
    assert not [record for record in caplog.records if record.name == "server.access"]
