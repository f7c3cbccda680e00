"""What a request sends: read up to a limit, parsed as strict JSON, and refused in words when it is neither.

The content type is never looked at: half of ComfyUI's clients send a wrong one (protocol.md, section 1).
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Never

from aiohttp import web

from engine.graph.prompt import MAX_NESTING
from server.requests.reading import PATIENCE, Reading
from server.requests.refusal import Refused

MAX_PROMPT = 20_000_000
"""Bytes of a prompt. Source: processes.md, Limits."""

MAX_ORDER = 4_000_000
"""Bytes of any other request in JSON; the ids of 100,000 jobs fit."""

MAX_CONTAINERS = 1_000_000
"""Objects and lists in one body; each takes 60 bytes and more of memory for two of JSON."""

_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
_TOO_DEEP = f"this JSON is nested too deeply; at most {MAX_NESTING} levels are accepted"


async def read(request: web.Request, limit: int = MAX_PROMPT, *, patience: float = PATIENCE) -> bytes:
    """The body of a request. Raises: Refused, as Reading does."""
    return await Reading(request, limit, patience=patience).whole()


def parse(data: bytes) -> Any:
    """Strict JSON in UTF-8 as Python values: every key once, finite numbers, whole characters.

    Raises: Refused with 400, saying what is wrong and where.
    """
    if not data.strip():
        raise Refused(400, "expected JSON, got an empty body")
    if data.count(b"{") + data.count(b"[") > MAX_CONTAINERS:
        raise Refused(400, f"this JSON has too many objects and lists; at most {MAX_CONTAINERS:,} are accepted")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise Refused(400, f"expected JSON in UTF-8, got {_encoding(data)} (at byte {error.start})") from error
    if text[0] == "\ufeff":
        raise Refused(400, "expected JSON in UTF-8, got a byte order mark in front of it; send it without")
    value = _decode(text)
    if not _is_plain(text):
        _refuse_flaws(value)
    return value


async def read_object(request: web.Request, *, may_be_empty: bool = False) -> dict[str, Any]:
    """The body of a small request: an object. may_be_empty: nothing at all stands for {}.

    Raises: Refused.
    """
    data = await read(request, MAX_ORDER)
    if may_be_empty and not data.strip():
        return {}
    value = parse(data)
    if not isinstance(value, dict):
        raise Refused(400, f"expected an object in JSON, got {kind(value)}")
    return value


def kind(value: object) -> str:
    """What a value is, in JSON's words, and the value itself where it is short."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str):
        shown = json.dumps(value[:41])
        return f"the text {shown}" if len(value) <= 40 else f"the text {shown[:-1]}…"
    if isinstance(value, int | float):
        shown = str(value) if isinstance(value, float) or value.bit_length() < 100 else "a very long one"
        return f"the number {shown}"
    return "a list" if isinstance(value, list | tuple) else "an object"


def _encoding(data: bytes) -> str:
    return "UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "bytes that are not UTF-8"


# --- strict JSON ---


class _NotJson(ValueError):
    """Something that Python's json reads and JSON does not know."""


def _decode(text: str) -> Any:
    try:
        return _STRICT.decode(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Refused(400, f"this is not JSON: {error.msg} at {where}") from error
    except RecursionError as error:
        raise Refused(400, _TOO_DEEP) from error
    except _NotJson as error:
        if error.args[0] in _CONSTANTS:
            return _LENIENT.decode(text)  # the search for flaws says where it stands
        raise Refused(400, str(error)) from error
    except ValueError as error:  # Python reads no number of more than 4,300 digits
        raise Refused(400, "this JSON holds a number that is too long; at most 4,300 digits are accepted") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise _NotJson(f"the key {twice!r:.200} is there more than once in one object; keep the one that is meant")
    return result


def _old_node(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, without what ComfyUI 0.3 wrote into the nodes of its pictures, often as a bare NaN."""
    result = _object(pairs)
    if "class_type" in result:
        result.pop("is_changed", None)
    return result


def _constant(name: str) -> Never:
    raise _NotJson(name)


_CONSTANTS = ("NaN", "Infinity", "-Infinity")
_ENDLESS = re.compile(r"NaN|Infinity|[0-9]{200}|[eE][+-]?[0-9]{3}")
"""What a number without end may be written like; 199 digits and an exponent of two more are still finite."""
_STRICT = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
_LENIENT = json.JSONDecoder(object_pairs_hook=_old_node)


def _is_plain(text: str) -> bool:
    """Whether a text cannot hold such flaws, seen without looking at its values; most requests are of this kind."""
    is_shallow = text.count("{") + text.count("[") <= MAX_NESTING
    return is_shallow and text.isascii() and "\\u" not in text and not _ENDLESS.search(text)


def _refuse_flaws(value: Any) -> None:
    """Raises: Refused for numbers without end, halves of characters, and nesting nobody can write again."""
    level: list[Any] = [[value]]
    for _ in range(MAX_NESTING + 1):
        inner: list[Any] = []
        for container in level:
            if type(container) is dict:
                if not all(map(str.isascii, container)):
                    for key in container:
                        _refuse_half_characters(key, value)
                items: Any = container.values()
            else:
                items = container
            for item in items:
                found = type(item)
                if found is str:
                    if not item.isascii():
                        _refuse_half_characters(item, value)
                elif found is dict or found is list:
                    inner.append(item)
                elif found is float and not math.isfinite(item):
                    got = f"got {json.dumps(item)}, which is none; send null"
                    raise Refused(400, f"{_place(value, item)}: expected a value of JSON, {got}")
        if not inner:
            return
        level = inner
    raise Refused(400, _TOO_DEEP)


def _refuse_half_characters(text: str, document: Any) -> None:
    if _HALF_CHARACTER.search(text):
        where = _place(document, text)
        raise Refused(400, f"{where}: half of a surrogate pair is no character; remove it")


def _place(document: Any, wanted: object) -> str:
    """Where in a document this very value or key is: "prompt.3.inputs.cfg"."""
    stack: list[tuple[Any, Any]] = [(document, None)]
    while stack:
        value, path = stack.pop()
        for key, item in _items(value):
            if item is wanted or key is wanted:
                return _written((key, path))
            if isinstance(item, dict | list):
                stack.append((item, (key, path)))
    return "the body"


def _items(value: Any) -> Iterator[tuple[Any, Any]]:
    return iter(value.items()) if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())


def _written(path: Any) -> str:
    keys: list[str] = []
    while path is not None:
        key, path = path
        keys.append(str(key).encode("utf-8", "backslashreplace").decode()[:100])
    keys.reverse()
    return ".".join(keys if len(keys) <= 20 else [*keys[:10], "…", *keys[-3:]])
