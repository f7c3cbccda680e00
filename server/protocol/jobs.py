"""Jobs: in the queue, in the history, in /api/jobs. Units: times are milliseconds since 1970."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

from server.protocol.messages import ExecutionError
from server.protocol.prompts import ExtraData

JobStatus: TypeAlias = Literal["pending", "in_progress", "completed", "failed", "cancelled"]

QueueItem: TypeAlias = tuple[float, str, Mapping[str, Any], ExtraData, Sequence[str]]
"""[number, id, prompt, extra_data, output nodes]."""


class Queue(TypedDict):
    """The answer of GET /queue."""

    queue_running: Sequence[QueueItem]
    queue_pending: Sequence[QueueItem]


class QueueChange(TypedDict):
    """The body of POST /queue and POST /history: all, or these."""

    clear: NotRequired[bool]
    delete: NotRequired[Sequence[str]]


class InterruptRequest(TypedDict):
    """The body of POST /interrupt; without prompt_id: whatever runs."""

    prompt_id: NotRequired[str]


class FreeRequest(TypedDict):
    """The body of POST /free."""

    unload_models: NotRequired[bool]
    free_memory: NotRequired[bool]


class Timing(TypedDict):
    """How long a node took. Units: seconds its duration."""

    node: str
    display_node: str
    class_type: str
    start: float
    seconds: float


class JobEnd(TypedDict):
    """How a job ended. messages: (type, data) of execution_start, execution_cached and the end."""

    status_str: Literal["success", "error"]
    completed: bool
    messages: Sequence[tuple[str, Mapping[str, Any]]]
    cause: str | None
    timings: Sequence[Timing]


class OutputMeta(TypedDict):
    """Which node it is that showed something."""

    node_id: str
    display_node: str
    parent_node: str | None
    real_node_id: str


class HistoryEntry(TypedDict):
    """A job that has ended, in /history; outputs and meta are by node."""

    prompt: QueueItem
    outputs: Mapping[str, Mapping[str, Any]]
    meta: Mapping[str, OutputMeta]
    status: JobEnd


class JobPreview(TypedDict):
    """The one output that stands for a job: a file (as /view finds it, with what else its node told) or a text."""

    nodeId: str
    mediaType: str
    filename: NotRequired[str]
    subfolder: NotRequired[str]
    type: NotRequired[str]
    content: NotRequired[str]


class Job(TypedDict):
    """A job in a list of /api/jobs."""

    id: str
    status: JobStatus
    priority: float
    create_time: int
    execution_start_time: NotRequired[int]
    execution_end_time: NotRequired[int]
    execution_error: NotRequired[ExecutionError]
    cause: NotRequired[str]
    outputs_count: int
    previewable_outputs_count: int
    preview_output: NotRequired[JobPreview]
    workflow_id: NotRequired[str]


class JobWorkflow(TypedDict):
    """What a job was made from."""

    prompt: Mapping[str, Any]
    extra_data: ExtraData


class RunningJob(Job):
    """GET /api/jobs/{id} of a job that waits or runs."""

    outputs: Mapping[str, Mapping[str, Any]]
    workflow: JobWorkflow


class EndedJob(RunningJob):
    """The same of one that has ended."""

    execution_status: JobEnd


JobDetail: TypeAlias = RunningJob | EndedJob
"""The answer of GET /api/jobs/{id}."""


class Pagination(TypedDict):
    """Which part of a list it is."""

    offset: int
    limit: int
    total: int
    has_more: bool


class JobPage(TypedDict):
    """The answer of GET /api/jobs."""

    jobs: Sequence[Job]
    pagination: Pagination


class JobMove(TypedDict):
    """The body of POST /api/jobs/{id}/move: the waiting job to run before, or null for the end of the queue."""

    before: str | None


class JobMoved(TypedDict):
    """The answer to it; lower priorities run first."""

    priority: float


class JobsCancelled(TypedDict):
    """The answer of POST /api/jobs/{id}/cancel; false when there was nothing left to cancel."""

    cancelled: bool
