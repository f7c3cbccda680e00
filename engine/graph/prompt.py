"""A prompt: the graph to run, as frozen data that can be printed.

The API format is ComfyUI's: {"3": {"class_type": "KSampler", "inputs": {"model": ["4", 0], "seed": 7}}}. A list of two
is a link; a list meant as a value is wrapped as {"__value__": [...]}. Reading checks the shape and the limits only;
whether the graph makes sense is validate.py's question.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from engine.errors import PromptError

# Limits of processes.md. Integers get room above 64 bits, so that validation can name the widget they are too big for.
MAX_NODES = 100_000
MAX_NESTING = 500
MAX_STRING_BYTES = 1_000_000
MAX_INTEGER_BITS = 4096
SURELY_SMALL = MAX_STRING_BYTES // 4  # a text this short is within the limit in UTF-8 whatever it says


@dataclass(frozen=True, slots=True)
class Link:
    """The output `slot` of the node `node`."""

    node: str
    slot: int


@dataclass(frozen=True, slots=True)
class BrokenLink:
    """A bare list that is no link ([node id, slot]); validation refuses it where an output needs it."""

    received: Any


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a prompt: its id, its kind, and for every input a literal, a Link or a BrokenLink.

    `class_type` is empty where the file names none. `extra` holds the keys of the file that mean nothing to us.
    """

    id: str
    class_type: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    title: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def links(self) -> Iterator[tuple[str, Link]]:
        """The inputs that are wired, as (input name, link)."""
        return ((name, value) for name, value in self.inputs.items() if isinstance(value, Link))

    def to_json(self) -> dict[str, Any]:
        """The node in API JSON."""
        result: dict[str, Any] = {
            "inputs": {name: _written(value) for name, value in self.inputs.items()},
            "class_type": self.class_type,
        }
        if self.title is not None:
            result["_meta"] = {"title": self.title}
        return {**result, **self.extra}


@dataclass(frozen=True, slots=True)
class Prompt:
    """A graph to run: nodes by id, in the order of the file. Iterating gives the ids."""

    nodes: Mapping[str, Node]

    @classmethod
    def from_json(cls, source: object) -> Self:
        """Reads API JSON that is already parsed.

        Raises: PromptError naming the node and the input, when the shape is wrong or a limit is passed.
        """
        if not isinstance(source, Mapping):
            raise PromptError(
                f"a prompt is an object of nodes, {{id: {{class_type, inputs}}}}; this is {_kind(source)}."
            )
        _refuse_other_formats(source)
        if len(source) > MAX_NODES:
            raise PromptError(f"the prompt has {len(source):,} nodes; at most {MAX_NODES:,} are accepted.")
        return cls({node_id: _node(node_id, node) for node_id, node in source.items()})

    @classmethod
    def from_text(cls, text: str | bytes) -> Self:
        """Reads API JSON as text. Raises: PromptError."""
        return cls.from_json(parse_json(text))

    @classmethod
    def of(cls, nodes: Iterable[Node]) -> Self:
        """A prompt of these nodes, in this order."""
        return cls({node.id: node for node in nodes})

    def to_json(self) -> dict[str, Any]:
        """The prompt in API JSON; `from_json` reads it back to an equal Prompt."""
        return {node_id: node.to_json() for node_id, node in self.nodes.items()}

    def with_input(self, node_id: str, name: str, value: Any) -> Self:
        """A copy where one input holds another literal or Link.

        Raises: PromptError, when there is no such node.
        """
        if node_id not in self.nodes:
            raise PromptError(f"the prompt has no node {node_id!r}; it has {', '.join(list(self.nodes)[:20])}.")
        node = self.nodes[node_id]
        changed = replace(node, inputs={**node.inputs, name: value})
        return replace(self, nodes={**self.nodes, node_id: changed})

    def __getitem__(self, node_id: str) -> Node:
        return self.nodes[node_id]

    def __contains__(self, node_id: object) -> bool:
        return node_id in self.nodes

    def __iter__(self) -> Iterator[str]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)


def parse_json(text: str | bytes) -> Any:
    """JSON as Python values; bare NaN and Infinity are let through, because ComfyUI writes them into pictures.

    Raises: PromptError saying where the text stops being JSON.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise PromptError(f"this is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from error
    except RecursionError as error:
        raise PromptError(f"this JSON is nested too deeply; at most {MAX_NESTING} levels are accepted.") from error
    except UnicodeDecodeError as error:
        raise PromptError(f"this is not JSON: it is not UTF-8 text (byte {error.start}).") from error
    except ValueError as error:
        raise PromptError(f"this JSON holds a number that is too long to read: {error}.") from error


def read_value(value: Any) -> Any:
    """An input's value out of API JSON: a Link, a literal freed of its `__value__`, or a BrokenLink."""
    if isinstance(value, list | tuple):
        if len(value) == 2 and isinstance(value[0], str) and type(value[1]) is int:
            return Link(value[0], value[1])
        return BrokenLink(list(value))
    if isinstance(value, Mapping) and "__value__" in value:
        return value["__value__"]
    return value


def _written(value: Any) -> Any:
    if type(value) is str or type(value) is int:  # nearly every value; asking for a Mapping is slow
        return value
    if isinstance(value, Link):
        return [value.node, value.slot]
    if isinstance(value, BrokenLink):
        return value.received
    if isinstance(value, list | tuple) or (isinstance(value, Mapping) and "__value__" in value):
        return {"__value__": value}
    return value


def _refuse_other_formats(source: Mapping[Any, Any]) -> None:
    if isinstance(source.get("nodes"), list):
        raise PromptError("this is a workflow in the editor's format; read it with workflow_file, or save it as API.")
    wrapped = source.get("prompt")
    if isinstance(wrapped, Mapping) and "class_type" not in wrapped:
        raise PromptError('this is a request around a prompt; give the object under its key "prompt".')


def _node(node_id: object, source: object) -> Node:
    if not isinstance(node_id, str):
        raise PromptError(f"a node's id is a text; {node_id!r:.100} is {_kind(node_id)}.")
    where = f"node {node_id!r:.100}"
    _check_string(node_id, where, "its id")
    if type(source) is not dict and not isinstance(source, Mapping):
        raise PromptError(f"{where}: expected {{class_type, inputs}}, got {_kind(source)}.")
    class_type = source.get("class_type")
    if class_type is None:
        class_type = ""
    if not isinstance(class_type, str):
        raise PromptError(f"{where}: class_type is the name of a node type, not {_kind(class_type)}.")
    _check_string(class_type, where, "class_type")
    inputs = source.get("inputs")
    if inputs is None:
        inputs = {}
    if type(inputs) is not dict and not isinstance(inputs, Mapping):
        raise PromptError(f"{where}: inputs is an object of values by name, not {_kind(inputs)}.")
    read = {name: _input(where, name, value) for name, value in inputs.items()}
    title, extra = (None, {}) if source.keys() <= {"class_type", "inputs"} else _unknown_keys(where, source)
    return Node(node_id, class_type, read, title, extra)


def _unknown_keys(where: str, source: Mapping[Any, Any]) -> tuple[str | None, dict[str, Any]]:
    extra: dict[str, Any] = {}
    title: str | None = None
    for key, value in source.items():
        # ComfyUI: pictures of version 0.3 carry is_changed, often a bare NaN; it says nothing about the graph.
        if key in ("class_type", "inputs", "is_changed"):
            continue
        if key == "_meta" and isinstance(value, Mapping) and isinstance(value.get("title"), str):
            title = value["title"]
            _check_string(title, where, "its title")
            if len(value) == 1:
                continue
        if _check_value(value, where, f"key {key!r:.100}"):
            extra[key] = value
    return title, extra


def _input(where: str, name: object, value: Any) -> Any:
    if not isinstance(name, str):
        raise PromptError(f"{where}: an input's name is a text; {name!r:.100} is {_kind(name)}.")
    if len(name) > 100:
        _check_string(name, where, "an input's name")
    # Nearly every value is one of these three; the long way round is felt in a prompt of 100,000 nodes.
    if type(value) is str and len(value) < SURELY_SMALL:
        return value
    if type(value) is int and -SURELY_SMALL < value < SURELY_SMALL:
        return value
    if type(value) is list and len(value) == 2:
        node, slot = value
        if type(node) is str and type(slot) is int and len(node) < SURELY_SMALL and -1 <= slot < SURELY_SMALL:
            return Link(node, slot)
    _check_value(value, where, f"input {name!r:.100}")
    return read_value(value)


def _check_value(value: Any, where: str, what: str) -> bool:
    """Walks a JSON value without recursion. Returns: whether every number in it is finite."""
    is_finite = True
    stack: list[tuple[Any, int]] = [(value, 1)]
    while stack:
        item, depth = stack.pop()
        if depth > MAX_NESTING:
            raise PromptError(f"{where}, {what}: nested too deeply; at most {MAX_NESTING} levels are accepted.")
        if isinstance(item, str):
            _check_string(item, where, what)
        elif item is None or isinstance(item, bool):
            continue
        elif isinstance(item, int):
            _check_integer(item, where, what)
        elif isinstance(item, float):
            is_finite = is_finite and math.isfinite(item)
        elif isinstance(item, list | tuple):
            stack.extend((each, depth + 1) for each in item)
        elif isinstance(item, Mapping):
            stack.extend((key, depth) for key in item)
            stack.extend((each, depth + 1) for each in item.values())
        else:
            raise PromptError(f"{where}, {what}: {_kind(item)} is no value JSON knows.")
    return is_finite


def _check_string(text: str, where: str, what: str) -> None:
    if len(text) < SURELY_SMALL:
        return
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_STRING_BYTES:
        raise PromptError(f"{where}, {what}: a text of {size:,} bytes; at most {MAX_STRING_BYTES:,} are accepted.")


def _check_integer(number: int, where: str, what: str) -> None:
    if number.bit_length() > MAX_INTEGER_BITS:
        raise PromptError(f"{where}, {what}: an integer of {number.bit_length():,} bits; 64 are what a node can use.")


def _kind(value: object) -> str:
    """What a value is, in JSON's words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    names = {str: "a text", int: "a number", float: "a number", list: "a list", tuple: "a list", dict: "an object"}
    return next((name for kind, name in names.items() if isinstance(value, kind)), f"a {type(value).__name__}")
