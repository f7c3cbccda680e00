"""CONDITIONING at the border: `control` is a tuple of hints on our wires, and the last of a chain for plugins.

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
    return _translated(value, lambda control: chain_of(control) if _are_hints(control) else control)


@leave.register(list)
def _(value: list[Any]) -> Any:
    return _translated(
        value, lambda control: control if control is None or isinstance(control, tuple) else hints_of(control)
    )


def _translated(value: list[Any], translate: Callable[[Any], Any]) -> list[Any]:
    if not any(_is_entry(entry) and entry[1].get("control") is not None for entry in value):
        return value
    made = []
    for entry in value:
        if _is_entry(entry) and entry[1].get("control") is not None:
            entry = [entry[0], {**entry[1], "control": translate(entry[1]["control"])}, *entry[2:]]
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
