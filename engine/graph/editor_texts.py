"""What the editor does to texts at the moment it sends a prompt: choices in prompts, words in file names.

A saved workflow holds "{red|blue} hat" and "%date:yyyy-MM-dd%/hat"; what is sent holds one choice and today's date. Off
unless asked for, because a prompt taken from a picture is settled already.
"""

import re
import time
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from engine.graph.nodetype import NodeType

_COMMENTS = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_PIECES = re.compile(r"\\[{}|]|[{}|]|[^\\{}|]+|\\")
_WORDS = re.compile(r"%([^%]+)%")
_DATE_PARTS = re.compile(r"y{2,4}|MM?|dd?|hh?|mm?|ss?")
_NOT_IN_NAMES = re.compile(r'[/?<>\\:*|"\x00-\x1f\x7f]')

FILE_NAMES = frozenset({"filename_prefix"})
"""Inputs that hold the beginning of a file name."""


def settle_texts(
    prompt: Mapping[str, Any],
    lookup: Callable[[str], NodeType | None],
    random: Random,
    now: time.struct_time | None = None,
) -> dict[str, Any]:
    """The prompt (API JSON) with its texts as the editor would send them now.

    Comments go and choices are made where the input has `dynamicPrompts`; `%date:…%` and `%Node.input%` are filled in
    where it is the beginning of a file name.
    """
    settled: dict[str, Any] = {}
    for node_id, entry in prompt.items():
        node_type = lookup(entry["class_type"])
        inputs = dict(entry["inputs"])
        for name, value in inputs.items():
            described = node_type.input(name) if node_type is not None else None
            if isinstance(value, str) and described is not None and described.options.get("dynamicPrompts"):
                inputs[name] = choose(value, random)
            elif isinstance(value, str) and name in FILE_NAMES:
                inputs[name] = fill_in(value, prompt, now or time.localtime())
        settled[node_id] = {**entry, "inputs": inputs}
    return settled


def choose(text: str, random: Random) -> str:
    """The text without /* */ and // comments, and one of each {a|b|c} taken.

    Braces nest; behind a backslash they are just braces.
    """
    frames: list[list[list[str]]] = [[[]]]
    for piece in _PIECES.findall(_COMMENTS.sub("", text)):
        is_open = len(frames) > 1
        if piece == "{":
            frames.append([[]])
        elif piece == "|" and is_open:
            frames[-1].append([])
        elif piece == "}" and is_open:
            options = frames.pop()
            frames[-1][-1].append("".join(random.choice(options)))
        else:
            frames[-1][-1].append(piece[1:] if len(piece) == 2 and piece[0] == "\\" else piece)
    while len(frames) > 1:  # a brace never closed is just a brace
        options = frames.pop()
        frames[-1][-1].append("{" + "|".join("".join(each) for each in options))
    return "".join(frames[0][0])


def fill_in(text: str, prompt: Mapping[str, Any], now: time.struct_time) -> str:
    """The text with %date:FORMAT% and %Node.input% replaced; Node is a title or a class, and other words stay."""

    def replacement(found: re.Match[str]) -> str:
        word = found[1]
        if word.startswith("date:"):
            return _DATE_PARTS.sub(lambda part: _date_part(part[0], now), word.removeprefix("date:"))
        value = _input_value(word, prompt)
        return found[0] if value is None else _NOT_IN_NAMES.sub("_", str(value))

    return _WORDS.sub(replacement, text)


def _date_part(letters: str, now: time.struct_time) -> str:
    if letters[0] == "y":
        return f"{now.tm_year:04}"[-len(letters) :]
    fields = {"M": now.tm_mon, "d": now.tm_mday, "h": now.tm_hour, "m": now.tm_min, "s": now.tm_sec}
    return f"{fields[letters[0]]:0{len(letters)}}"


def _input_value(word: str, prompt: Mapping[str, Any]) -> str | int | float | None:
    node, dot, name = word.rpartition(".")
    if not dot:
        return None
    for key in ("class_type", "title"):
        for entry in prompt.values():
            own = entry["class_type"] if key == "class_type" else entry.get("_meta", {}).get("title")
            value = entry["inputs"].get(name) if own == node else None
            if isinstance(value, str | int | float):
                return value
    return None
