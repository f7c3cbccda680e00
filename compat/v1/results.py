"""What an author's function returned, as a Result: a tuple, a list, a dict, a blocker, nothing, or a slip of pen."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from comfy_execution.graph_utils import ExecutionBlocker, is_link

from compat.crossing import leave
from engine.errors import NodeTypeError
from engine.graph.nodetype import Blocked, Output, Result

PLAIN = frozenset({str, int, float, bool, type(None)})
"""Types of values that are the same on both sides of the border."""
_KEYS = frozenset({"ui", "result", "expand"})


def result_of(returned: Any, node_id: str, outputs: Sequence[Output]) -> Result | Blocked:
    """The result in our clothes. Raises: NodeTypeError, when it cannot be understood."""
    if type(returned) is tuple:
        return Result(_values(returned, node_id, outputs))
    if isinstance(returned, ExecutionBlocker | Blocked):
        blocked: Blocked = leave(returned)
        return blocked
    if isinstance(returned, Mapping) and (not returned or not _KEYS.isdisjoint(returned)):
        expand = _graph(returned.get("expand"), node_id)
        values = _values(_tupled(returned.get("result"), len(outputs)), node_id, outputs, has_links=expand is not None)
        return Result(values, _ui(returned.get("ui"), node_id), expand)
    return Result(_values(_tupled(returned, len(outputs)), node_id, outputs))


def _tupled(values: Any, count: int) -> Sequence[Any]:
    if values is None:
        return ()
    if isinstance(values, ExecutionBlocker | Blocked):
        return (values,) * count
    return values if isinstance(values, list | tuple) else (values,)  # a single value: the comma was forgotten


def _values(
    values: Sequence[Any], node_id: str, outputs: Sequence[Output], *, has_links: bool = False
) -> tuple[Any, ...]:
    made = [
        value if type(value) in PLAIN and not output.is_list else _left(value, output, has_links)
        for value, output in zip(values, outputs, strict=False)
    ]
    missing = outputs[len(made) :]
    if missing:
        # ComfyUI: too few values fail whoever is wired to a missing one, and nobody else.
        made += [Blocked(_nothing_for(node_id, output, len(values), len(outputs))) for output in missing]
    return tuple(made)


def _nothing_for(node_id: str, output: Output, got: int, wanted: int) -> str:
    return (
        f"{node_id} returned {got} value(s) for its {wanted} outputs, and nothing for {output.name}; "
        "its author must return one for each"
    )


def _left(value: Any, output: Output, has_links: bool) -> Any:
    if has_links and is_link(value):
        return value
    if not output.is_list or isinstance(value, ExecutionBlocker | Blocked):
        return leave(value)
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        return [leave(value)]  # one item where a list of them was promised
    return [leave(each) for each in value]


def _ui(ui: Any, node_id: str) -> Mapping[str, Any] | None:
    if ui is None or isinstance(ui, Mapping):
        return ui
    raise NodeTypeError(f'{node_id} returned {type(ui).__name__} as "ui"; expected a dict of lists, {{"text": [...]}}')


def _graph(expand: Any, node_id: str) -> Mapping[str, Any] | None:
    """A graph whose values are in our clothes: our own nodes may be in it."""
    if expand is None:
        return None
    if not isinstance(expand, Mapping):
        kind = type(expand).__name__
        raise NodeTypeError(
            f'{node_id} returned {kind} as "expand"; expected a graph, as GraphBuilder.finalize() gives'
        )
    return {str(key): _node(node) for key, node in expand.items()}


def _node(node: Any) -> Any:
    inputs = node.get("inputs") if isinstance(node, Mapping) else None
    if not isinstance(inputs, Mapping):
        return node
    return {
        **node,
        "inputs": {
            name: value if type(value) in PLAIN or is_link(value) else leave(value) for name, value in inputs.items()
        },
    }
