"""What happens, as the socket and the event stream of a job tell it. Units: timestamp is milliseconds since 1970."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict

from server.protocol.prompts import QueueInfo
from server.protocol.system import LogsMessage


class StatusMessage(TypedDict):
    """How many jobs wait or run, for everybody; the first one names the client."""

    status: QueueInfo
    sid: NotRequired[str]


class Features(TypedDict):
    """What the server can do: GET /features, and the answer to a client's feature_flags."""

    supports_preview_metadata: bool
    supports_progress_text_metadata: bool
    supports_event_numbers: bool
    node_replacements: bool
    max_upload_size: int


class ExecutionMark(TypedDict):
    """A job begins, perhaps again; or all its outputs are there."""

    prompt_id: str
    timestamp: int


class ExecutionCached(ExecutionMark):
    """The nodes of the prompt that need not be run again."""

    nodes: Sequence[str]


class Executing(TypedDict):
    """A node begins. node null: the job has ended, the last message about it.

    display_node: the node on the screen. After connecting, the first one has only `node`.
    """

    node: str | None
    display_node: NotRequired[str]
    prompt_id: NotRequired[str]


class NodeProgress(TypedDict):
    """How far a node is."""

    node: str
    value: float
    max: float
    prompt_id: str


class NodeIds(TypedDict):
    """Which node it is. real_node_id: the node of the prompt that it is a part of; display_node_id: where it shows."""

    node_id: str
    prompt_id: str
    display_node_id: str
    parent_node_id: str | None
    real_node_id: str


class NodeState(NodeIds):
    """How far a node that has begun is."""

    value: float
    max: float
    state: Literal["running", "finished", "error"]


class ProgressState(TypedDict):
    """Every node of a job that has begun."""

    prompt_id: str
    nodes: Mapping[str, NodeState]


class Executed(TypedDict):
    """What a node shows."""

    node: str
    display_node: str
    output: Mapping[str, Any] | None
    prompt_id: str


class ExecutionPlace(TypedDict):
    """Where a run ended. inner_node_id, inner_node_type: the part of the node, where it has parts."""

    prompt_id: str
    node_id: str | None
    node_type: str
    executed: Sequence[str]
    inner_node_id: NotRequired[str]
    inner_node_type: NotRequired[str]


class ExecutionFailure(ExecutionPlace):
    """Why a node failed."""

    exception_message: str
    exception_type: str
    traceback: Sequence[str]
    current_inputs: Mapping[str, Any]
    current_outputs: Sequence[str]


class ExecutionError(ExecutionFailure):
    """A node failed, or was blocked (then without timestamp, and the run goes on).

    cause: why no node is to blame, in one word; docs/server.md lists them.
    """

    cause: NotRequired[str]
    timestamp: NotRequired[int]


class ExecutionInterrupted(ExecutionPlace):
    """Somebody stopped the job."""

    timestamp: int


class PreviewMeta(NodeIds):
    """What stands before a picture in binary frame 4."""

    image_type: str


class Messages(TypedDict):
    """The data of each type of message."""

    status: StatusMessage
    feature_flags: Features
    execution_start: ExecutionMark
    execution_cached: ExecutionCached
    executing: Executing
    progress: NodeProgress
    progress_state: ProgressState
    executed: Executed
    execution_success: ExecutionMark
    execution_error: ExecutionError
    execution_interrupted: ExecutionInterrupted
    logs: LogsMessage
