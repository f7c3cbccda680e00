"""POST /prompt: what is sent, and what is answered."""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict


class ApiNode(TypedDict):
    """A node of a prompt. An input is a value or a link [node id, output]; whole numbers have up to 64 bits."""

    class_type: str
    inputs: Mapping[str, Any]
    _meta: NotRequired[Mapping[str, Any]]


class PictureInfo(TypedDict):
    """What is written into the pictures that a job draws."""

    workflow: NotRequired[Mapping[str, Any]]


class ExtraData(TypedDict):
    """What is kept with a job. The server adds client_id and create_time (milliseconds since 1970) when it tells it."""

    extra_pnginfo: NotRequired[PictureInfo]
    client_id: NotRequired[str]
    create_time: NotRequired[int]


class PromptRequest(TypedDict):
    """The body of POST /prompt. number: lower runs first; partial_execution_targets: only these output nodes."""

    prompt: Mapping[str, ApiNode]
    client_id: NotRequired[str]
    prompt_id: NotRequired[str]
    number: NotRequired[float]
    front: NotRequired[bool]
    extra_data: NotRequired[ExtraData]
    partial_execution_targets: NotRequired[Sequence[str]]


class PromptProblem(TypedDict):
    """One thing that is wrong. extra_info: `input_name` where it is about an input, `remedy` what to do about it."""

    type: str
    message: str
    details: str
    extra_info: Mapping[str, Any]


class NodeProblems(TypedDict):
    """What is wrong with a node, and which output nodes it keeps from running."""

    errors: Sequence[PromptProblem]
    dependent_outputs: Sequence[str]
    class_type: str


class PromptAnswer(TypedDict):
    """The answer of POST /prompt with 200; node_errors are of outputs that were left out.

    prompt, notes: what a workflow or a picture became, and what to know about that.
    """

    prompt_id: str
    number: float
    node_errors: Mapping[str, NodeProblems]
    prompt: NotRequired[Mapping[str, Any]]
    notes: NotRequired[Sequence[str]]


class PromptRefusal(TypedDict):
    """The answer of POST /prompt with any other status."""

    error: PromptProblem
    node_errors: Mapping[str, NodeProblems]


class QueueCount(TypedDict):
    """How many jobs wait or run."""

    queue_remaining: int


class QueueInfo(TypedDict):
    """The answer of GET /prompt."""

    exec_info: QueueCount
