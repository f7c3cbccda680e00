"""What RETURN_TYPES and its companions say, as Outputs; lists of unequal length and forgotten commas included."""

from typing import Any

from engine.errors import NodeTypeError
from engine.graph.nodetype import Output
from engine.graph.sockets import of_author


def read(cls: Any) -> tuple[Output, ...]:
    """The outputs of a class, as many as it has RETURN_TYPES. Raises: NodeTypeError."""
    if not hasattr(cls, "RETURN_TYPES"):
        raise NodeTypeError("it has no RETURN_TYPES; expected a tuple of types, () for none")
    types = [_type(each) for each in _column(cls, "RETURN_TYPES")]
    names = _column(cls, "RETURN_NAMES")
    tooltips = _column(cls, "OUTPUT_TOOLTIPS")
    lists = _lists(cls, len(types))
    return tuple(
        Output(
            name=_text(names, slot) or str.__str__(type_name),
            type=type_name,
            is_list=lists[slot],
            tooltip=_text(tooltips, slot),
        )
        for slot, type_name in enumerate(types)
    )


def _column(cls: Any, attribute: str) -> tuple[Any, ...]:
    """One of the tuples; a bare text is a tuple whose comma was forgotten."""
    value = getattr(cls, attribute, None)
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list | tuple):
        raise NodeTypeError(f"its {attribute} is {type(value).__name__}; expected a tuple")
    return tuple(value)


def _type(each: Any) -> str:
    if isinstance(each, str):
        return of_author(each)
    if isinstance(each, list | tuple):  # the choices of a combo: what flows is one of them
        return "COMBO"
    raise NodeTypeError(f"its RETURN_TYPES have {each!r:.80} in them; expected names of types")


def _text(column: tuple[Any, ...], slot: int) -> str:
    return str(column[slot]) if slot < len(column) and column[slot] is not None else ""


def _lists(cls: Any, count: int) -> list[bool]:
    given = getattr(cls, "OUTPUT_IS_LIST", None)
    if isinstance(given, list | tuple):
        return [bool(given[slot]) if slot < len(given) else False for slot in range(count)]
    return [bool(given)] * count
