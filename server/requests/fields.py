"""The fields of a request's body, each taken out as what it should be or refused by name.

A null stands for a field that is not there: programs that fill in every field of a form send it. Where a value can mean
one thing only, it is taken as that: "5" is a number where one belongs, and 1 is true.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

from engine.errors import LatentwireError
from server.requests.body import kind

Body = Mapping[str, Any]

MAX_TEXT = 1000  # characters of a name or an id

_NUMBER = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?\s*", re.ASCII | re.IGNORECASE)


class BadField(LatentwireError):
    """A field holds something else than what it is for."""

    def __init__(self, name: str, expected: str, got: object) -> None:
        super().__init__(f"{name}: expected {expected}, got {got if isinstance(got, _Said) else kind(got)}")
        self.field = name


class _Said(str):
    """What came, in words already."""


def text(body: Body, name: str) -> str | None:
    """A short text; None where there is none."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadField(name, "a text", value)
    if len(value) > MAX_TEXT:
        raise BadField(name, f"a text of at most {MAX_TEXT:,} characters", _Said(f"{len(value):,}"))
    if "\0" in value:
        raise BadField(name, "a text", _Said("one with a NUL character in it"))
    return value


def text_or_number(body: Body, name: str) -> str | None:
    """A short text, or a number as its text: some clients count what others name."""
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return text(body, name)
    if isinstance(value, float) and not math.isfinite(value):
        raise BadField(name, "a text", value)
    return text({name: str(value)}, name)


def flag(body: Body, name: str) -> bool:
    """True or false; false where there is neither. 1 and 0 are as good."""
    value = body.get(name)
    if value is not None and not (isinstance(value, int) and value in (0, 1)):
        raise BadField(name, "true or false", value)
    return bool(value)


def number(body: Body, name: str) -> float | None:
    """A finite number, or a text of one; None where there is none."""
    value = body.get(name)
    if value is None:
        return None
    is_text = isinstance(value, str) and len(value) <= MAX_TEXT and _NUMBER.fullmatch(value)
    if isinstance(value, bool) or not (isinstance(value, int | float) or is_text):
        raise BadField(name, "a number", value)
    try:
        found = float(value)
    except OverflowError:
        raise BadField(name, "a number", _Said("one that is too large")) from None
    if not math.isfinite(found):
        raise BadField(name, "a number", value)
    return found


def texts(body: Body, name: str) -> list[str] | None:
    """A list of texts; None where there is none."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, list):
        raise BadField(name, "a list of texts", value)
    for place, each in enumerate(value):
        if not isinstance(each, str):
            raise BadField(f"{name}[{place}]", "a text", each)
    return value


def mapping(body: Body, name: str) -> dict[str, Any]:
    """An object; an empty one where there is none."""
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadField(name, "an object", value)
    return value
