"""The newer outside API, version 2: jobs and assets as the official SDKs read them. Times are ISO 8601 in UTC.

Source: protocol.md, section 9, and the models of the official Python SDK (comfy-sdk, MIT).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

Status: TypeAlias = Literal["queued", "running", "succeeded", "failed", "canceling", "canceled", "expired"]
Kind: TypeAlias = Literal["image", "video", "audio", "text", "file", "latent"]


class Progress(TypedDict):
    """How far a job is; each is complete. value: of the whole job, 0 … 1. step, steps: of the current node."""

    value: float
    nodes_done: int
    nodes_total: int
    current_node: str | None
    current_node_class: str | None
    step: int | None
    steps: int | None
    message: str | None


class Output(TypedDict):
    """A file that a node of a job made. id: of the asset it is."""

    node_id: str
    name: str
    type: Kind
    content_type: str
    size_bytes: int
    id: str
    hash: str | None
    url: str
    url_expires_at: str
    job_id: str


class JobFault(TypedDict):
    """Why a job failed."""

    code: str
    message: str
    node_id: str | None
    class_type: str | None
    traceback: str | None


class JobUrls(TypedDict):
    """Where to ask on."""

    self: str
    events: str
    cancel: str


class Job(TypedDict):
    """One execution of a workflow. queue_position: 1 is the next to run."""

    id: str
    status: Status
    created_at: str
    started_at: str | None
    completed_at: str | None
    expires_at: str
    queue_position: int | None
    progress: Progress | None
    outputs: Sequence[Output]
    error: JobFault | None
    metrics: Mapping[str, int | None]
    urls: JobUrls
    metadata: NotRequired[str | Mapping[str, str]]
    priority: NotRequired[int]


class JobPage(TypedDict):
    """Jobs, the newest first. next_cursor: of the next page, where there is one."""

    jobs: Sequence[Job]
    next_cursor: NotRequired[str]


class Workflow(TypedDict):
    """The workflow behind a job: as the editor saved it, or as it was executed."""

    workflow: Mapping[str, Any]
    format: Literal["save", "api"]


class Asset(TypedDict):
    """A file by its content. created_new: whether its bytes were new here."""

    id: str
    hash: str | None
    size_bytes: int
    content_type: str
    file_path: str | None
    created_at: str
    url: str
    url_expires_at: str
    created_new: NotRequired[bool]
    job_id: NotRequired[str]


class Fault(TypedDict):
    """What went wrong. code: one word for programs."""

    code: str
    message: str
    details: Mapping[str, Any] | None


class ErrorAnswer(TypedDict):
    """The body of every answer that is no success."""

    error: Fault
