"""A value a person typed into a node: turned into the type of its input, then held against range and list."""

import difflib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.graph.describe import input_config
from engine.graph.nodetype import Input
from engine.graph.problem import Flaw, about, short

MIN_INTEGER = -(2**63)
MAX_INTEGER = 2**64 - 1  # seeds are unsigned
MANY_CHOICES = 20  # ComfyUI: longer lists are counted instead of shown
MAX_NEAR_CHOICES = 5000  # difflib looks at every one; and longer lists would be felt
MAX_COMPARED_CHARACTERS = 100

_CONVERTERS: Mapping[str, Callable[[Any], Any]] = {"INT": int, "FLOAT": float, "STRING": str, "BOOLEAN": bool}
_WANTED = {
    "INT": "a whole number",
    "FLOAT": "a number",
    "STRING": "a text",
    "BOOLEAN": "true or false",
    "COMBO": "one of its choices",
}
_NUMBER = (int, float)  # as a tuple: `int | float` is made anew each time it is asked for
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")


def convert(each: Input, value: Any) -> tuple[Any, Flaw | None]:
    """The value as the input's type; types without a rule keep what came.

    Returns: the value, and what is wrong with it.
    """
    # ComfyUI: int(), float(), str(), bool() as Python has them, so "7" is 7, 3.7 is 3, and every text but "" is true;
    # but an object or NaN is never meant where a text belongs.
    converter = _CONVERTERS.get(each.type)
    if converter is None:
        return value, None
    try:
        if value is None:
            raise TypeError("null is no value")
        if each.type == "STRING":
            _need_scalar(value)
        converted: Any = value if type(value) is converter else converter(value)
        if each.type == "FLOAT" and not math.isfinite(converted):
            raise ValueError("it is not a finite number")
        if each.type == "INT" and not MIN_INTEGER <= converted <= MAX_INTEGER and not _has_range(each):
            raise OverflowError("it does not fit into 64 bits")
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        return value, _unconvertible(each, value, error)
    unusable = unusable_text(each, converted) if each.type == "STRING" else None
    return (converted, None) if unusable is None else (value, unusable)


def no_choice(each: Input, value: Any) -> Flaw | None:
    """What is wrong with a combo's value that can be no choice in any list; for combos that an author checks."""
    if each.type != "COMBO" or each.options.get("multi_select") or each.options.get("multiselect"):
        return None
    try:
        _need_scalar(value)
    except TypeError as error:
        return _unconvertible(each, value, error)
    return None


def _need_scalar(value: Any) -> None:
    """Raises: TypeError for null, a list, an object, or a number that is none."""
    if value is None:
        raise TypeError("null is no value")
    if not isinstance(value, str | int | float):
        raise TypeError(f"{'a list' if isinstance(value, list | tuple) else 'an object'} is no text")
    if isinstance(value, float) and not math.isfinite(value):
        raise TypeError("it is not a finite number")


def out_of_range(each: Input, value: Any) -> Flaw | None:
    """What is wrong with a number that is outside its input's min and max."""
    if type(value) is not int and type(value) is not float:
        return None
    low, high = each.options.get("min"), each.options.get("max")
    if isinstance(low, _NUMBER) and value < low:
        return Flaw(
            "value_smaller_than_min",
            f"Value {short(value)} smaller than min of {low}",
            each.name,
            f"Give {_range(low, high)}.",
            about(each, input_config(each), value),
        )
    if isinstance(high, _NUMBER) and value > high:
        return Flaw(
            "value_bigger_than_max",
            f"Value {short(value)} bigger than max of {high}",
            each.name,
            f"Give {_range(low, high)}.",
            about(each, input_config(each), value),
        )
    return None


def not_in_list(each: Input, value: Any, choices: Sequence[Any], *, suggest: bool = True) -> Flaw | None:
    """What is wrong with a value that is not among a combo's choices; `suggest`: look for near ones, which is slow."""
    if each.options.get("multi_select") or each.options.get("multiselect") or each.options.get("remote"):
        return None
    if value in choices:
        return None
    is_long = len(choices) > MANY_CHOICES
    shown = f"(list of length {len(choices)})" if is_long else repr(list(choices))
    config = None if is_long else [list(choices), dict(each.options)]
    return Flaw(
        "value_not_in_list",
        "Value not in list",
        f"{each.name}: '{short(value)}' not in {shown}",
        _choose(value, choices, suggest and isinstance(value, str)),
        about(each, config, value),
    )


def unusable_text(each: Input, value: Any) -> Flaw | None:
    """What is wrong with a text, of whatever type its input is: a NUL ends it early in C, half a character is none."""
    if not isinstance(value, str):
        return None
    if value.isascii() and "\0" not in value:
        return None
    if "\0" in value:
        name, reason = "NUL", "NUL is no character of a text or a file name"
    elif _HALF_CHARACTER.search(value):
        name, reason = "lone surrogate", "half of a surrogate pair is no character"
    else:
        return None
    return Flaw(
        "invalid_input_type",
        f"A text with a {name} character in it",
        f"{each.name}, {short(value)}, {reason}",
        "Remove that character.",
        about(each, input_config(each), value, exception_message=reason),
    )


def _unconvertible(each: Input, value: Any, error: Exception) -> Flaw:
    low, high = each.options.get("min"), each.options.get("max")
    has_limit = isinstance(low, _NUMBER) or isinstance(high, _NUMBER)
    wanted = _range(low, high) if has_limit else _WANTED[each.type]
    return Flaw(
        "invalid_input_type",
        f"Failed to convert an input value to a {each.type} value",
        f"{each.name}, {short(value)}, {short(str(error))}",
        f"Give {wanted}.",
        about(each, input_config(each), value, exception_message=short(str(error))),
    )


def _has_range(each: Input) -> bool:
    """Whether range checks will say it better."""
    return isinstance(each.options.get("min"), int | float) and isinstance(each.options.get("max"), int | float)


def _range(low: object, high: object) -> str:
    if isinstance(low, _NUMBER) and isinstance(high, _NUMBER):
        return f"a number from {low} to {high}"
    return f"a number of at least {low}" if isinstance(low, _NUMBER) else f"a number of at most {high}"


def _choose(value: Any, choices: Sequence[Any], suggest: bool) -> str:
    if not choices:
        return "There is nothing to choose from; put a file into the folder this list is read from."
    if suggest:
        near = _near(value, [str(each) for each in choices[:MAX_NEAR_CHOICES]])
        if near:
            return f"Did you mean {' or '.join(near)}?"
    shown = ", ".join(short(each) for each in choices[:MANY_CHOICES])
    return f"Choose one of {shown}{' …' if len(choices) > MANY_CHOICES else ''}."


def _near(value: str, texts: Sequence[str]) -> list[str]:
    """The same file in another folder, which is what a workflow from another machine asks for; else what is alike."""
    same = [each for each in texts if _file_name(each) == _file_name(value)]
    return same[:3] or difflib.get_close_matches(value[:MAX_COMPARED_CHARACTERS], texts, n=3)


def _file_name(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]
