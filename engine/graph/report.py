"""What a run tells its client, and what of it is remembered for the outcome."""

import traceback
from collections.abc import Mapping, Sequence
from typing import Any

from engine.graph.cache import Entry, Inner, Ui
from engine.graph.events import Emit, Executed, Executing, Failed, Interrupted
from engine.graph.expansion import DynamicPrompt
from engine.graph.failure import Advise, failed
from engine.graph.nodetype import Blocked
from engine.graph.step import BadNode, Step


class Failure(Exception):
    """A node failed; the run ends here."""

    def __init__(self, event: Failed, error: BaseException) -> None:
        super().__init__(event.message)
        self.event = event
        self.error = error


class Report:
    """Turns what happens to nodes into events."""

    def __init__(self, emit: Emit, graph: DynamicPrompt, advise: Advise) -> None:
        self.emit = emit
        self._graph = graph
        self._advise = advise
        self.executed: list[str] = []
        self.ui: dict[str, Ui] = {}
        self.inner: dict[str, Inner] = {}

    def executing(self, step: Step) -> None:
        """A node is about to be called."""
        node = step.node
        self.emit(Executing(node.id, self._graph.display(node.id), node.class_type, self._graph.parent(node.id)))

    def done(self, step: Step, ui: Ui | None, seconds: float) -> None:
        """A node has run."""
        node = step.node.id
        self.executed.append(node)
        if ui is not None:
            self.ui[node] = ui
        self.emit(Executed(node, self._graph.display(node), ui, seconds))

    def cached(self, step: Step, entry: Entry) -> None:
        """A node need not run: what it showed then, and what the nodes in its place showed, is shown again."""
        node = step.node.id
        if entry.ui is not None:
            self.ui[node] = entry.ui
        if step.traits.type.is_output or entry.ui is not None:
            self.emit(Executed(node, self._graph.display(node), entry.ui, cached=True))
        self.cached_inside(step, entry.inner)

    def cached_inside(self, step: Step, inner: Inner) -> None:
        """What the nodes in this node's place showed when they ran is shown again."""
        self.inner[step.id] = inner
        for tail, ui in inner:
            self.ui[step.id + tail] = ui
            self.emit(Executed(step.id + tail, self._graph.display(step.id), ui, cached=True))

    def shown_inside(self, step: Step, children: Sequence[str]) -> None:
        """Remembers what the nodes in this node's place showed, by the tails of their ids."""
        start = len(step.id)
        inner = [(child[start:], self.ui[child]) for child in children if child in self.ui]
        for child in children:
            inner += [(child[start:] + tail, ui) for tail, ui in self.inner.get(child, ())]
        self.inner[step.id] = tuple(inner)

    def blocked(self, step: Step, answers: Sequence[object]) -> None:
        """A node was kept from running by Blocked values; those with a message are told, each once."""
        messages = [each.message for each in answers if isinstance(each, Blocked) and each.message is not None]
        for message in dict.fromkeys(messages):
            self.emit(
                Failed(
                    node=step.id,
                    class_type=step.node.class_type,
                    message=f"Execution Blocked: {message}",
                    exception_type="ExecutionBlocked",
                    executed=tuple(self.executed),
                    blocked=True,
                )
            )

    def failure(self, step: Step | None, inputs: Mapping[str, Sequence[Any]], error: BaseException) -> Failure:
        """The exception that ends the run because of this one."""
        node = (step.id, step.node.class_type) if step is not None else ("", "")
        if isinstance(error, BadNode):
            node = (error.node_id, error.class_type)
        event = failed(node, error, inputs=inputs, executed=self.executed, tip=self._advise(error))
        _forget_frames(error)
        return Failure(event, error)

    def interrupted(self, step: Step | None) -> None:
        """The run ends because somebody asked."""
        node, class_type = (step.id, step.node.class_type) if step is not None else (None, "")
        self.emit(Interrupted(node, class_type, tuple(self.executed)))


def _forget_frames(error: BaseException | None) -> None:
    """Frees what the frames of an exception hold, tensors above all, for whoever keeps the exception."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        traceback.clear_frames(error.__traceback__)
        error.__traceback__ = None
        error = error.__cause__ or error.__context__
