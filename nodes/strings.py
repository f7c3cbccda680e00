"""Nodes that work on texts, and one that shows any value as text.

What the modes of the Regex nodes mean is from the page of RegexExtract on docs.comfy.org (group 0 is the whole match);
patterns are those of Python's `re`.
"""

import json
import re
import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Annotated, Any, Literal, NamedTuple

from engine.errors import TextError
from engine.graph.define import Widget, Wire, node
from engine.graph.nodetype import Result
from engine.graph.sockets import ANYTHING

Text = Annotated[str, Widget(multiline=True)]
Pattern = Annotated[str, Widget(multiline=True, tooltip="A regular expression, as Python writes them.")]
Line = Annotated[str, Widget(multiline=False)]
Place = Annotated[int, Widget(tooltip="Counted from 0; below 0 from the end.")]
Count = Annotated[int, Widget(min=0, max=100, tooltip="How many at most; 0 is all of them.")]
Group = Annotated[int, Widget(min=0, max=100, tooltip="Which group of the pattern; 0 is the whole match.")]
Source = Annotated[Any, Wire(ANYTHING)]

STRING = "utils/string"

_CASES: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {"UPPERCASE": str.upper, "lowercase": str.lower, "Capitalize": str.capitalize, "Title Case": str.title}
)
_TRIMMING: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {"Both": str.strip, "Left": str.lstrip, "Right": str.rstrip}
)
_COMPARING: Mapping[str, Callable[[str, str], bool]] = MappingProxyType(
    {"Starts With": str.startswith, "Ends With": str.endswith, "Equal": str.__eq__}
)


class Length(NamedTuple):
    """How long a text is."""

    length: int


class Contained(NamedTuple):
    """Whether a text is in another."""

    contains: bool


class Matched(NamedTuple):
    """Whether a pattern is found."""

    matches: bool


@node("StringConcatenate", category=STRING, display_name="Concatenate")
def string_concatenate(*, string_a: Text, string_b: Text, delimiter: Line = "") -> str:
    """One text behind another, with the delimiter between them."""
    return delimiter.join((string_a, string_b))


@node("StringSubstring", category=STRING, display_name="Substring")
def string_substring(*, string: Text, start: Place, end: Place) -> str:
    """A part of a text: from one place up to, and without, another."""
    return string[start:end]


@node("StringLength", category=STRING, display_name="Length")
def string_length(*, string: Text) -> Length:
    """How many characters a text has."""
    return Length(len(string))


@node("CaseConverter", category=STRING, display_name="Case Converter")
def case_converter(*, string: Text, mode: Literal["UPPERCASE", "lowercase", "Capitalize", "Title Case"]) -> str:
    """A text in other letters: large, small, the first one large, or the first one of each word."""
    return _CASES[mode](string)


@node("StringTrim", category=STRING, display_name="Trim")
def string_trim(*, string: Text, mode: Literal["Both", "Left", "Right"]) -> str:
    """A text without the spaces and line breaks around it."""
    return _TRIMMING[mode](string)


@node("StringReplace", category=STRING, display_name="Replace")
def string_replace(*, string: Text, find: Text, replace: Text) -> str:
    """A text with another in the place of all it finds."""
    return string.replace(find, replace)


@node("StringContains", category=STRING, display_name="Contains")
def string_contains(*, string: Text, substring: Text, case_sensitive: bool = True) -> Contained:
    """Whether a text is in another."""
    whole, part = _alike(string, substring, case_sensitive)
    return Contained(part in whole)


@node("StringCompare", category=STRING, display_name="Compare")
def string_compare(
    *, string_a: Text, string_b: Text, mode: Literal["Starts With", "Ends With", "Equal"], case_sensitive: bool = True
) -> bool:
    """Whether the first text begins with the second, ends with it, or is the same."""
    return _COMPARING[mode](*_alike(string_a, string_b, case_sensitive))


@node("RegexMatch", category=STRING, display_name="Regex Match")
def regex_match(
    *,
    string: Text,
    regex_pattern: Pattern,
    case_insensitive: bool = True,
    multiline: bool = False,
    dotall: bool = False,
) -> Matched:
    """Whether a pattern is found anywhere in a text.

    multiline: ^ and $ hold at every line. dotall: a dot is a line break, too.
    """
    return Matched(_pattern(regex_pattern, case_insensitive, multiline, dotall).search(string) is not None)


@node("RegexExtract", category=STRING, display_name="Regex Extract")
def regex_extract(
    *,
    string: Text,
    regex_pattern: Pattern,
    mode: Literal["First Match", "All Matches", "First Group", "All Groups"],
    case_insensitive: bool = True,
    multiline: bool = False,
    dotall: bool = False,
    group_index: Group = 1,
) -> str:
    """What of a text a pattern finds; several findings are a line each, and nothing found is an empty text.

    mode: the whole of what is found, or one group of it. group_index: which group.
    """
    pattern = _pattern(regex_pattern, case_insensitive, multiline, dotall)
    group = group_index if mode.endswith("Groups") or mode == "First Group" else 0
    if group > pattern.groups:
        return ""
    found = [each.group(group) or "" for each in pattern.finditer(string)]
    return "\n".join(found[:1] if mode.startswith("First") else found)


@node("RegexReplace", category=STRING, display_name="Regex Replace")
def regex_replace(
    *,
    string: Text,
    regex_pattern: Pattern,
    replace: Text,
    case_insensitive: bool | None = True,
    multiline: bool | None = False,
    dotall: bool | None = False,
    count: Count | None = 0,
) -> str:
    """A text with another in the place of what a pattern finds; \\1 in that one is the pattern's first group."""
    pattern = _pattern(regex_pattern, bool(case_insensitive), bool(multiline), bool(dotall))
    try:
        with _unwarned():
            return pattern.sub(replace, string, count=count or 0)
    except (re.error, IndexError) as error:
        raise _unusable("replace", replace, error) from error


@node("PreviewAny", category="utils", display_name="Preview Any", is_output=True)
def preview_any(*, source: Source) -> Result:
    """Show any value as text."""
    return Result(ui={"text": (_told(source),)})


def _alike(one: str, other: str, case_sensitive: bool) -> tuple[str, str]:
    return (one, other) if case_sensitive else (one.lower(), other.lower())


def _pattern(text: str, case_insensitive: bool, multiline: bool, dotall: bool) -> re.Pattern[str]:
    flags = re.IGNORECASE * case_insensitive | re.MULTILINE * multiline | re.DOTALL * dotall
    try:
        with _unwarned():
            return re.compile(text, flags)
    except (re.error, RecursionError, OverflowError) as error:
        raise _unusable("regex_pattern", text, error) from error


def _unwarned() -> AbstractContextManager[object]:
    """Says nothing of what a later Python may read in another way: nobody at a prompt could do anything about it."""
    return warnings.catch_warnings(action="ignore", category=Warning)


def _unusable(name: str, text: str, error: Exception) -> TextError:
    made = TextError(
        f"{name}: expected a regular expression, got {text!r:.80}, which is none: {error}; a backslash before a "
        "sign takes it as it is"
    )
    made.input = name
    return made


def _told(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool | int | float):
        return str(value)
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return str(value)
