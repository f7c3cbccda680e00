"""One node, lists in: how often it is called and with what, and how the answers become lists again.

Every value travels as a list, mostly of one. A node is called as often as its longest input list has items, and the
last item of a shorter list repeats; an empty list means there is nothing to do, so the node is not called and its
outputs are empty. A node with `input_is_list` is called once and gets the lists. A call that would get a Blocked is not
made: the Blocked is its answer.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine.errors import NodeTypeError
from engine.graph.nodetype import Blocked, NodeType, Output, Result

Lists = Mapping[str, list[Any]]
Outputs = tuple[list[Any], ...]
Call = dict[str, Any] | Blocked


def calls(inputs: Lists, input_is_list: bool) -> list[Call]:
    """The arguments of each call, or the Blocked that stands in its place."""
    if input_is_list:
        blocked = _blocked(each for values in inputs.values() for each in values)
        return [blocked if blocked is not None else {name: [*values] for name, values in inputs.items()}]
    lengths = {len(values) for values in inputs.values()}
    if 0 in lengths:
        return []
    return [_call(inputs, index) for index in range(max(lengths, default=1))]


def _call(inputs: Lists, index: int) -> Call:
    arguments = {name: values[index] if index < len(values) else values[-1] for name, values in inputs.items()}
    blocked = _blocked(arguments.values())
    return arguments if blocked is None else blocked


def _blocked(values: Iterable[Any]) -> Blocked | None:
    """The Blocked among these values, one with a message before a silent one."""
    silent = None
    for each in values:
        if type(each) is Blocked:
            if each.message is not None:
                return each
            silent = each
    return silent


def as_result(returned: Any, node_type: NodeType) -> Result:
    """What a node's function returned, as a Result with one value per output.

    Raises: NodeTypeError, when values are missing.
    """
    result = returned if isinstance(returned, Result) else _plain(returned, len(node_type.outputs))
    missing = len(node_type.outputs) - len(result.values)
    if missing <= 0:
        return result
    if not result.values and node_type.is_output:
        return Result((None,) * missing, result.ui, result.expand)
    raise NodeTypeError(
        f"{node_type.id} returned {len(result.values)} value(s), but it has {len(node_type.outputs)} output(s): "
        f"{', '.join(each.name for each in node_type.outputs)}; its author must return one for each"
    )


def _plain(returned: Any, outputs: int) -> Result:
    if isinstance(returned, Blocked):
        return Result((returned,) * outputs)
    if returned is None:
        return Result((None,) if outputs == 1 else ())
    if isinstance(returned, tuple):
        return Result(tuple(returned))
    return Result((returned,))


def merge(results: Sequence[Sequence[Any]], outputs: Sequence[Output]) -> Outputs:
    """The values of all calls as one list per output: items of list outputs in a row, other values collected.

    Raises: NodeTypeError, when a list output got something else.
    """
    return tuple(_slot([values[slot] for values in results], output) for slot, output in enumerate(outputs))


def _slot(values: list[Any], output: Output) -> list[Any]:
    if not output.is_list:
        return values
    items: list[Any] = []
    for each in values:
        if isinstance(each, Blocked):
            items.append(each)
        elif isinstance(each, list | tuple):
            items.extend(each)
        else:
            raise NodeTypeError(
                f"the output {output.name} is a list, but the node returned {type(each).__name__} there; "
                "its author must return a list"
            )
    return items


def merge_ui(parts: Iterable[Mapping[str, Sequence[Any]] | None]) -> dict[str, list[Any]] | None:
    """What the calls want shown, joined under each key; None when none wants anything."""
    merged: dict[str, list[Any]] | None = None
    for part in parts:
        if part is None:
            continue
        merged = {} if merged is None else merged
        for key, values in part.items():
            merged.setdefault(key, []).extend(values if isinstance(values, list | tuple) else [values])
    return merged
