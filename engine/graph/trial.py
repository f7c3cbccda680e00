"""A node tried by itself: checked and run as in a prompt, without a server, files or other nodes.

For the tests of whoever writes nodes. Importing this takes a fraction of a second, because nothing here knows torch.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.errors import PromptError
from engine.graph.arguments import Services
from engine.graph.define import node_type
from engine.graph.events import Event
from engine.graph.executor import Executor
from engine.graph.nodetype import Input, NodeType, Output, Result
from engine.graph.prompt import Prompt
from engine.graph.registry import Registry
from engine.graph.validate import validate

__all__ = ["Trial", "try_node"]

_TRIED = "tried"


@dataclass(frozen=True, slots=True)
class Trial:
    """What a node made. values: by its outputs' names; shown: what it showed; events: what it reported, in order.

    An output that is a list has its items in a list.
    """

    values: Mapping[str, Any]
    shown: Mapping[str, Sequence[Any]]
    events: Sequence[Event]

    @property
    def value(self) -> Any:
        """What a node with one output made."""
        (value,) = self.values.values()
        return value


def try_node(node: Callable[..., Any] | NodeType, /, services: Services | None = None, **inputs: Any) -> Trial:
    """Runs a node as a prompt would: values checked against ranges and choices, defaults filled in, then called.

    node: a function marked with `@node`, or a NodeType. inputs: by name; sockets take the values themselves.
    Raises: NodeTypeError, when the function cannot be a node; PromptError, when an input is refused; NodeFailed, when
    the node raises.
    """
    tried = node if isinstance(node, NodeType) else node_type(node, services)
    given = _defaults(tried.inputs)
    graph: dict[str, dict[str, Any]] = {}
    feeding: list[NodeType] = []
    for name, value in inputs.items():
        socket = tried.input(name)
        if socket is None and tried.others is None:
            names = ", ".join(each.name for each in tried.inputs)
            raise PromptError(f"{tried.id} has no input {name!r}; it takes: {names or 'nothing'}")
        if socket is None or socket.is_widget or value is None:
            given[name] = value
            continue
        kind = f"given {name}"
        feeding.append(_feeding(kind, socket.type, value, is_list=tried.input_is_list))
        graph[kind] = {"class_type": kind, "inputs": {}}
        given[name] = [kind, 0]
    graph[_TRIED] = {"class_type": tried.id, "inputs": given}
    # As an output node: others are run for the sake of those only.
    return _run(Registry([*feeding, replace(tried, is_output=True)]), Prompt.from_json(graph), tried.outputs)


def _run(registry: Registry, prompt: Prompt, outputs: Sequence[Output]) -> Trial:
    checked = validate(prompt, registry, [_TRIED])
    if not checked.is_accepted:
        raise PromptError("; ".join(f"{each.message}: {each.details}" for each in checked.problems))
    events: list[Event] = []
    outcome = Executor(registry).execute(checked.prompt, targets=[_TRIED], emit=events.append).check()
    columns = outcome.values.get(_TRIED, ())
    values = {
        each.name: list(column) if each.is_list or len(column) != 1 else column[0]
        for each, column in zip(outputs, columns, strict=False)
    }
    return Trial(values, outcome.ui.get(_TRIED, {}), tuple(events))


def _defaults(inputs: Sequence[Input]) -> dict[str, Any]:
    """What the editor would put into the widgets of a new node."""
    found: dict[str, Any] = {}
    for each in inputs:
        if each.is_widget and "default" in each.options:
            found[each.name] = each.options["default"]
        elif each.is_widget and each.required and each.current_choices():
            found[each.name] = each.current_choices()[0]
    return found


def _feeding(kind: str, type: str, value: Any, *, is_list: bool) -> NodeType:
    """A node without inputs that gives this value."""
    return NodeType(kind, lambda: Result((value,)), outputs=(Output("value", type, is_list=is_list),))
