"""The graph while it runs, under ComfyUI's names: blockers, the prompt with what nodes added, an order to run in."""

from collections.abc import Iterable
from typing import Any

from comfy_execution.graph_utils import ExecutionBlocker, is_link
from compat.host import host
from compat.missing import missing
from engine.errors import PromptError
from engine.graph.expansion import DynamicPrompt
from engine.graph.step import BadNode

__all__ = [
    "DependencyCycleError",
    "DynamicPrompt",
    "ExecutionBlocker",
    "ExecutionList",
    "NodeInputError",
    "NodeNotFoundError",
    "TopologicalSort",
    "get_input_info",
    "is_link",
]

NodeNotFoundError = PromptError
NodeInputError = BadNode


class DependencyCycleError(PromptError):
    """Nodes that wait for each other."""


def get_input_info(
    class_def: Any, input_name: str, valid_inputs: Any = None
) -> tuple[Any, str, dict[str, Any]] | tuple[None, None, None]:
    """What a class says of an input: its type, its section, its options; three times None for one it does not know."""
    sections = valid_inputs or class_def.INPUT_TYPES()
    for section in ("required", "optional", "hidden"):
        if section in sections and input_name in sections[section]:
            config = sections[section][input_name]
            if section == "hidden" and isinstance(config, str):
                return config, section, {}
            return config[0], section, config[1] if len(config) > 1 else {}
    return None, None, None


class TopologicalSort:
    """Which nodes are ready, and which wait for whom. `dynprompt` is where nodes are looked up."""

    def __init__(self, dynprompt: DynamicPrompt) -> None:
        self.dynprompt = dynprompt
        self.pendingNodes: dict[str, bool] = {}
        self.blockCount: dict[str, int] = {}
        self.blocking: dict[str, dict[str, dict[int, bool]]] = {}

    def add_node(self, node_unique_id: str, include_lazy: bool = False, subgraph_nodes: Any = None) -> None:
        """Adds a node and everything it takes values from (of `subgraph_nodes` only, where they are given)."""
        waiting = [node_unique_id]
        while waiting:
            node_id = waiting.pop()
            if node_id in self.pendingNodes:
                continue
            self.pendingNodes[node_id] = True
            self.blockCount.setdefault(node_id, 0)
            self.blocking.setdefault(node_id, {})
            for source, slot in self._links(node_id, include_lazy):
                if subgraph_nodes is not None and source not in subgraph_nodes:
                    continue
                waiting.append(source)
                self._link(source, slot, node_id)

    def add_strong_link(self, from_node_id: str, from_socket: int, to_node_id: str) -> None:
        """Has the second node wait for an output of the first."""
        if not self.is_cached(from_node_id):
            self.add_node(from_node_id)
            self._link(from_node_id, from_socket, to_node_id)

    def make_input_strong_link(self, to_node_id: str, to_input: str) -> None:
        """Has a node wait for one of its lazy inputs."""
        inputs = self.dynprompt.get_node(to_node_id)["inputs"]
        if to_input not in inputs:
            raise NodeInputError(f"node {to_node_id} has no input {to_input!r}", to_node_id)
        value = inputs[to_input]
        if not is_link(value):
            raise NodeInputError(f"input {to_input!r} of node {to_node_id} is a value and no link", to_node_id)
        self.add_strong_link(value[0], int(value[1]), to_node_id)

    def is_cached(self, node_id: str) -> bool:
        """Whether a node's result is there already; nothing is known of that here."""
        return False

    def get_ready_nodes(self) -> list[str]:
        """The nodes that wait for nobody."""
        return [node for node in self.pendingNodes if self.blockCount[node] == 0]

    def pop_node(self, unique_id: str) -> None:
        """Takes a node out as done; those that waited for it wait for one less."""
        del self.pendingNodes[unique_id]
        for blocked in self.blocking.pop(unique_id):
            self.blockCount[blocked] -= 1

    def is_empty(self) -> bool:
        """Whether nothing is left to do."""
        return not self.pendingNodes

    def _link(self, source: str, slot: int, node_id: str) -> None:
        waiting = self.blocking.setdefault(source, {})
        if node_id not in waiting:
            waiting[node_id] = {}
            self.blockCount[node_id] = self.blockCount.get(node_id, 0) + 1
        waiting[node_id][slot] = True

    def _links(self, node_id: str, include_lazy: bool) -> Iterable[tuple[str, int]]:
        node = self.dynprompt.get_node(node_id)
        node_type = host().registry.get(node["class_type"])
        for name, value in node["inputs"].items():
            declared = None if node_type is None else node_type.input(name)
            if is_link(value) and (include_lazy or declared is None or not declared.is_lazy):
                yield value[0], int(value[1])


class ExecutionList(TopologicalSort):
    """The same, handing out one node after the other. `output_cache` has get(id), None where there is no result."""

    def __init__(self, dynprompt: DynamicPrompt, output_cache: Any = None) -> None:
        super().__init__(dynprompt)
        self.output_cache = output_cache
        self.staged_node_id: str | None = None

    def is_cached(self, node_id: str) -> bool:
        """Whether the cache has the node's result."""
        return self.output_cache is not None and self.output_cache.get(node_id) is not None

    async def stage_node_execution(self) -> tuple[str | None, dict[str, Any] | None, Exception | None]:
        """The node to run next, and (None, what is wrong, the exception) where all wait for each other."""
        if self.is_empty():
            return None, None, None
        ready = self.get_ready_nodes()
        if not ready:
            error = DependencyCycleError(f"these nodes wait for each other: {', '.join(self.pendingNodes)}")
            return None, {"node_id": next(iter(self.pendingNodes)), "exception_message": str(error)}, error
        self.staged_node_id = ready[0]
        return ready[0], None, None

    def unstage_node_execution(self) -> None:
        """The node that was handed out is not done; it will be handed out again."""
        self.staged_node_id = None

    def complete_node_execution(self) -> None:
        """The node that was handed out is done."""
        if self.staged_node_id is not None:
            self.pop_node(self.staged_node_id)
        self.staged_node_id = None


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
