"""CONDITIONING at the border: `control` is a tuple of hints on our wires, and the last of a chain for plugins; `hooks`
are groups of either kind.

Lists that hold nothing of the kind cross as they are, the same object.
"""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from compat.crossing import enter, leave
from compat.crossings.control import chain_of, hints_of
from engine.conditioning import ControlHint


@enter.register(list)
def _(value: list[Any]) -> Any:
    known: dict[int, Any] = {}  # entries that share a group go on sharing one

    def hooked(group: Any) -> Any:
        return known.setdefault(id(group), enter(group))

    chain = {"control": lambda each: chain_of(each) if _are_hints(each) else each}
    return _translated(value, {**chain, "hooks": hooked, "gligen": lambda each: _boxes(each, enter)})


@leave.register(list)
def _(value: list[Any]) -> Any:
    chain = {"control": lambda each: each if isinstance(each, tuple) else hints_of(each)}
    return _translated(value, {**chain, "hooks": leave, "gligen": lambda each: _boxes(each, leave)})


def _boxes(given: Any, cross: Callable[[Any], Any]) -> Any:
    """GLIGEN's boxes, (kind, network, boxes), with the network on the other side of the border."""
    if not isinstance(given, list | tuple) or len(given) < 3:
        return given
    kind, net, *further = given
    return (kind, cross(net), *further)


def _translated(value: list[Any], translate: Mapping[str, Callable[[Any], Any]]) -> list[Any]:
    def has(entry: Any) -> bool:
        return _is_entry(entry) and any(entry[1].get(key) is not None for key in translate)

    if not any(has(entry) for entry in value):
        return value
    made = []
    for entry in value:
        if has(entry):
            changed = {key: each(entry[1][key]) for key, each in translate.items() if entry[1].get(key) is not None}
            entry = [entry[0], {**entry[1], **changed}, *entry[2:]]
        made.append(entry)
    return made


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, list | tuple)
        and len(entry) >= 2
        and (entry[0] is None or isinstance(entry[0], Tensor))
        and isinstance(entry[1], Mapping)
    )


def _are_hints(control: Any) -> bool:
    return isinstance(control, tuple) and bool(control) and all(isinstance(each, ControlHint) for each in control)
