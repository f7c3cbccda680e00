"""What executing a prompt came to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.errors import Cancelled, NodeFailed
from engine.graph.events import Failed
from engine.graph.lists import Outputs


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a run.

    status: "succeeded", "failed" or "cancelled". ui: what nodes showed, cached ones too, by node id. values: the
    outputs of the targets, one list per output. executed: the nodes that ran, in order. failure says what went wrong;
    error is the exception behind it, without the frames that would keep tensors alive.
    """

    status: str
    ui: Mapping[str, Mapping[str, Sequence[Any]]] = field(default_factory=dict)
    values: Mapping[str, Outputs] = field(default_factory=dict)
    executed: Sequence[str] = ()
    failure: Failed | None = None
    error: BaseException | None = None
    seconds: float = 0.0

    def check(self) -> "Outcome":
        """This outcome, if the run succeeded.

        Raises: NodeFailed, Cancelled.
        """
        if self.failure is not None:
            where = f"node {self.failure.node} ({self.failure.class_type})" if self.failure.node else "the prompt"
            message = f"{where}: {self.failure.message}"
            node_id, class_type = self.failure.node, self.failure.class_type
            raise NodeFailed(message, node_id=node_id, class_type=class_type) from self.error
        if self.status == "cancelled":
            raise Cancelled
        return self
