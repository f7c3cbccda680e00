"""Whatever a node's author shows, as values that strict JSON knows."""

import math
import numbers
from collections.abc import Mapping, Set
from typing import Any

from engine.graph.failure import LONGEST_TEXT

DEEPEST = 100
"""Levels; a list that holds itself ends here."""
AS_THEY_ARE = frozenset({str, int, bool, type(None)})


def plain(value: Any, depth: int = 0) -> Any:
    """A value in JSON's types: numbers of any library as numbers, NaN and infinity as null, the unknown as its text."""
    kind = type(value)
    if kind in AS_THEY_ARE:
        return value
    if isinstance(value, numbers.Real):
        return _number(value)
    if isinstance(value, str):
        return str.__str__(value)
    if depth < DEEPEST:
        if isinstance(value, Mapping):
            return {_key(key): plain(each, depth + 1) for key, each in value.items()}
        if isinstance(value, list | tuple | Set):
            return [plain(each, depth + 1) for each in value]
    return as_text(value)


def as_text(value: Any) -> str:
    """The text of a value nobody knows, cut where it is long."""
    try:
        text = str(value)
    except Exception:  # noqa: BLE001 -- an author's __str__
        text = f"<{type(value).__qualname__}>"
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"


def _number(value: numbers.Real) -> int | float | None:
    if isinstance(value, numbers.Integral):
        return int(value)
    number = float(value)
    return number if math.isfinite(number) else None


def _key(key: Any) -> str:
    return key if type(key) is str else as_text(key)
