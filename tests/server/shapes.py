"""Whether an answer has the shape that server/protocol promises."""

import types
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict


def misfit(value: Any, hint: Any, place: str = "answer") -> str | None:
    """Where parsed JSON is not of a type, and how; None where it is. What is more than promised is a misfit too."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return None
    if is_typeddict(hint):
        return _object(value, hint, place)
    if origin in (Union, types.UnionType):
        found = [misfit(value, each, place) for each in inner]
        return None if None in found else f"{place}: {' and '.join(map(str, found))}"
    if origin is Literal:
        return None if value in inner else f"{place}: expected one of {inner}, got {value!r}"
    if origin is Mapping:
        if not isinstance(value, dict):
            return f"{place}: expected an object, got {value!r:.80}"
        return _first(misfit(each, inner[1], f"{place}.{key}") for key, each in value.items())
    if origin is Sequence:
        if not isinstance(value, list):
            return f"{place}: expected a list, got {value!r:.80}"
        return _first(misfit(each, inner[0], f"{place}[{i}]") for i, each in enumerate(value))
    if origin is tuple:
        if not isinstance(value, list) or len(value) != len(inner):
            return f"{place}: expected {len(inner)} items, got {value!r:.80}"
        return _first(
            misfit(each, kind, f"{place}[{i}]") for i, (each, kind) in enumerate(zip(value, inner, strict=True))
        )
    kinds = (int, float) if hint is float else (hint,)
    is_right = isinstance(value, kinds) and (hint is bool or not isinstance(value, bool))
    return None if is_right else f"{place}: expected {hint}, got {value!r:.80}"


def _object(value: Any, hint: Any, place: str) -> str | None:
    if not isinstance(value, dict):
        return f"{place}: expected an object, got {value!r:.80}"
    hints = get_type_hints(hint)
    missing = hint.__required_keys__ - value.keys()
    unknown = value.keys() - hints.keys()
    if missing or unknown:
        return f"{place}: {sorted(missing)} are missing, {sorted(unknown)} are unknown"
    return _first(misfit(each, hints[key], f"{place}.{key}") for key, each in value.items())


def _first(found: Any) -> str | None:
    return next((each for each in found if each is not None), None)
