"""The state of the server as Prometheus reads it: families of numbers with labels. Imported when first asked for."""

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric

from engine import __version__
from engine.workers.outside.pool import WorkerState
from server.watching.metrics import Histogram, Tally

WORKER_STATES = ("starting", "idle", "busy", "stopping", "broken")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the server is like at this moment. Units: bytes."""

    tally: Tally
    jobs: Mapping[str, int] = field(default_factory=dict)
    workers: Sequence[WorkerState] = ()
    sockets: int = 0
    last_event: int = 0
    database: int | None = None
    memory: int | None = None


def exposition(reading: Reading, accept: str = "") -> tuple[bytes, str]:
    """The text, and its content type. accept: the header of the request; OpenMetrics is answered when asked for."""
    registry = CollectorRegistry()
    registry.register(_Collector(reading))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Collector:
    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def collect(self) -> Iterable[Metric]:
        for families in (_process, _jobs, _workers, _clients, _requests, _nodes):
            yield from families(self._reading)

    describe: Callable[[], Iterable[Metric]] = staticmethod(lambda: ())
    """Nothing is known before it is collected."""


def _process(reading: Reading) -> Iterator[Metric]:
    build = GaugeMetricFamily(
        "latentwire_build_info", "Always 1; its labels say what runs.", labels=["version", "python"]
    )
    build.add_metric([__version__, platform.python_version()], 1)
    yield build
    yield GaugeMetricFamily(
        "latentwire_start_time_seconds", "When the API process began, in seconds since 1970.", reading.tally.began
    )
    if reading.memory is not None:
        yield GaugeMetricFamily(
            "latentwire_memory_bytes", "Resident memory of the API process, workers not included.", reading.memory
        )
    if reading.database is not None:
        yield GaugeMetricFamily(
            "latentwire_database_bytes", "Size of the files that hold jobs and events.", reading.database
        )


def _jobs(reading: Reading) -> Iterator[Metric]:
    jobs = GaugeMetricFamily("latentwire_jobs", "Jobs that wait or run.", labels=["state"])
    for state, count in reading.jobs.items():
        jobs.add_metric([state], count)
    yield jobs
    ended = CounterMetricFamily(
        "latentwire_jobs_ended", "Jobs that ended, and why those did that did not succeed.", labels=["state", "cause"]
    )
    for labels, count in sorted(reading.tally.ended.items()):
        ended.add_metric(labels, count)
    yield ended
    waited = HistogramMetricFamily("latentwire_job_wait_seconds", "Time jobs spent in the queue.", labels=[])
    yield _fill(waited, {(): reading.tally.waited})
    ran = HistogramMetricFamily("latentwire_job_duration_seconds", "Time jobs spent with a worker.", labels=[])
    yield _fill(ran, {(): reading.tally.ran})


def _workers(reading: Reading) -> Iterator[Metric]:
    states = GaugeMetricFamily("latentwire_workers", "Worker processes by what they do.", labels=["state"])
    for state in WORKER_STATES:
        states.add_metric([state], sum(worker.state == state for worker in reading.workers))
    yield states
    memory = GaugeMetricFamily(
        "latentwire_worker_memory_bytes",
        "Anonymous and shared memory of a worker: what only its end gives back, without the files it has mapped.",
        labels=["worker"],
    )
    restarts = CounterMetricFamily("latentwire_worker_restarts", "How often a worker was replaced.", labels=["worker"])
    for worker in reading.workers:
        memory.add_metric([worker.name], worker.memory)
        restarts.add_metric([worker.name], worker.restarts)
    yield memory
    yield restarts


def _clients(reading: Reading) -> Iterator[Metric]:
    yield GaugeMetricFamily("latentwire_sockets", "WebSockets and event streams that are open.", reading.sockets)
    yield CounterMetricFamily("latentwire_events_sent", "Messages sent to clients.", reading.tally.events_sent)
    yield CounterMetricFamily(
        "latentwire_clients_dropped", "Clients let go because they did not read.", reading.tally.clients_dropped
    )
    yield GaugeMetricFamily("latentwire_last_event", "Number of the newest stored event.", reading.last_event)


def _requests(reading: Reading) -> Iterator[Metric]:
    labels = ["route", "method", "status"]
    family = HistogramMetricFamily("latentwire_request_seconds", "Time requests took.", labels=labels)
    rows: dict[tuple[str, ...], Histogram] = {
        (route, method, str(status)): each for (route, method, status), each in reading.tally.requests.items()
    }
    yield _fill(family, rows)


def _nodes(reading: Reading) -> Iterator[Metric]:
    family = HistogramMetricFamily("latentwire_node_seconds", "Time nodes took that were not cached.", labels=["class"])
    yield _fill(family, {(name,): each for name, each in reading.tally.nodes.items()})


def _fill(family: HistogramMetricFamily, rows: Mapping[tuple[str, ...], Histogram]) -> HistogramMetricFamily:
    """Adds a row for each histogram; Prometheus counts what is up to a bound, not what is between two."""
    for labels, histogram in sorted(rows.items()):
        so_far, buckets = 0, []
        for bound, count in zip([*map(str, histogram.bounds), "+Inf"], histogram.counts, strict=True):
            so_far += count
            buckets.append((bound, so_far))
        family.add_metric(labels, buckets, histogram.total)
    return family
