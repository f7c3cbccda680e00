"""Nodes that answered with a graph and wait for it: what they wait for, and what their outputs will be."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.graph.expansion import DynamicPrompt
from engine.graph.holding import Holding
from engine.graph.lists import Outputs, merge
from engine.graph.nodetype import Result
from engine.graph.prompt import Link
from engine.graph.signature import Signatures
from engine.graph.step import Step, Steps, in_order


@dataclass(frozen=True, slots=True)
class Pending:
    """An expanded node: per call its values with links to the new nodes, the new nodes, what it shows, its start."""

    calls: Sequence[Sequence[Any]]
    children: Sequence[str]
    wanted: Sequence[str]
    ui: dict[str, list[Any]] | None
    began: float


class Expanding:
    """The nodes of a run that have expanded and are not done."""

    def __init__(self, graph: DynamicPrompt, steps: Steps, signatures: Signatures, held: Holding) -> None:
        self._graph = graph
        self._steps = steps
        self._signatures = signatures
        self._held = held
        self._pending: dict[str, Pending] = {}

    def __contains__(self, node: object) -> bool:
        return node in self._pending

    def begin(self, step: Step, results: Sequence[Result], ui: dict[str, list[Any]] | None, began: float) -> Pending:
        """Adds the graphs of a node's calls to the prompt and signs their nodes.

        Returns: `wanted` of it are the nodes that the node must wait for.
        """
        values: list[Sequence[Any]] = []
        children: list[str] = []
        for call, result in enumerate(results):
            if result.expand is None:
                values.append(result.values)
                continue
            expansion = self._graph.expand(step.id, call, result.expand)
            values.append([expansion.rename(each) for each in result.values])
            children += expansion.nodes
        links = dict.fromkeys(each.node for call in values for each in call if isinstance(each, Link))
        outputs = [child for child in children if self._steps[child].type.is_output]
        wanted = [*dict.fromkeys([*outputs, *links])]
        for node in in_order(wanted, lambda each: self._steps[each].sources, self._signatures):
            self._signatures.add(self._steps[node])
        self._held.expect(wanted)
        pending = self._pending[step.id] = Pending(values, children, wanted, ui, began)
        return pending

    def finish(self, step: Step) -> tuple[Pending, Outputs, bool]:
        """The outputs of a node whose graph is done.

        Returns: what it waited for, its outputs, and whether they may be cached. They may not when the new nodes depend
        on more than the node's own signature knows (a file, a NaN): then it gets a signature made of theirs.
        """
        pending = self._pending.pop(step.id)
        slots = [self._slot(pending, step, slot) for slot in range(len(step.type.outputs))]
        self._held.release(pending.wanted)
        is_pure = all(self._is_pure(child) for child in pending.children)
        if not is_pure:
            signature = self._signatures.of_results(pending.calls, self._signatures[step.id])
            self._signatures.replace(step.id, signature)
        return pending, tuple(slots), is_pure

    def _slot(self, pending: Pending, step: Step, slot: int) -> list[Any]:
        items: list[Any] = []
        for values in pending.calls:
            value = values[slot]
            if isinstance(value, Link):
                items += self._held.items(value)
            else:
                items += merge([(value,)], step.type.outputs[slot : slot + 1])[0]
        return items

    def _is_pure(self, child: str) -> bool:
        if child not in self._signatures:  # nobody needed it
            return True
        changes = self._signatures[child] is None or child in self._signatures.resigned
        return not changes and self._steps[child].type.fingerprint is None
