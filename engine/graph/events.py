"""What happens while a prompt runs, as plain data: the executor emits it, whoever asked for the run receives it.

An event carries nothing but plain values and, in Preview, encoded image bytes, so it can cross a process boundary.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Started:
    """The run begins; `order` is the ids that will be looked at, in topological order."""

    order: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Cached:
    """These nodes are not run again: their outputs are still there."""

    nodes: Sequence[str]


@dataclass(frozen=True, slots=True)
class Executing:
    """A node begins. `display_node` is the node of the original prompt it stands for, `parent` who added it."""

    node: str
    display_node: str
    class_type: str = ""
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """A node has done `value` of `maximum` steps."""

    node: str
    value: float
    maximum: float


@dataclass(frozen=True, slots=True)
class Preview:
    """A picture of what a node is making: `data` is an encoded image file of type `mime` (image/jpeg, image/png).

    is_asked: somebody wants it, the prompt or the node's author; not only a program that shows every picture it can.
    """

    node: str
    data: bytes
    mime: str = "image/jpeg"
    is_asked: bool = True


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text a node wants shown under it."""

    node: str
    text: str


@dataclass(frozen=True, slots=True)
class Executed:
    """A node is done: `ui` is what it wants shown (None: nothing), `seconds` its time, `cached`: it was not run."""

    node: str
    display_node: str
    ui: Mapping[str, Sequence[Any]] | None = None
    seconds: float = 0.0
    cached: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """A node raised; or (`blocked`) a Blocked value with a message kept a node from running, and the run goes on."""

    node: str
    class_type: str
    message: str
    exception_type: str
    traceback: Sequence[str] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)
    executed: Sequence[str] = ()
    blocked: bool = False


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The run was cancelled while this node ran (or before any did: None)."""

    node: str | None
    class_type: str = ""
    executed: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Finished:
    """The run is over: status is "succeeded", "failed" or "cancelled"; always the last event."""

    status: str
    seconds: float = 0.0


Event = Started | Cached | Executing | Progress | Preview | Text | Executed | Failed | Interrupted | Finished
Emit = Callable[[Event], None]
