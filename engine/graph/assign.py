"""Setting an input of a saved prompt by name: "KSampler.seed=7" on the command line, `.set(...)` in Python.

A node is named by its id, its title or its class, in that order; a name that fits several nodes is refused with the
candidates, because changing the wrong one silently would cost somebody an hour. Titles may have dots, and so may inputs
("Picture.output.colored=true", an input that the choice of `output` brings).
"""

import json
from collections.abc import Mapping
from typing import Any

from engine.errors import PromptError
from engine.graph import dynamic
from engine.graph.nodetype import Input, NodeType
from engine.graph.problem import short
from engine.graph.registry import Registry

ApiPrompt = Mapping[str, Mapping[str, Any]]


def assign(prompt: ApiPrompt, name: str, value: Any, registry: Registry) -> dict[str, Any]:
    """A copy of the API prompt in which the input `name` ("NODE.INPUT") is `value`.

    A text for an input that is not a text is read as its type ("7" for an INT, "false" for a BOOLEAN). Another choice
    brings its inputs along, as they are at first, and takes those of the old one away.
    Raises: PromptError, when no node or no input has that name, several have, or the text cannot be read.
    """
    node_name, input_name = _split(prompt, name)
    node_id = find_node(prompt, node_name)
    node = prompt[node_id]
    node_type = registry.get(str(_class_type(node)))
    given = {**node.get("inputs", {}), input_name: value}
    if node_type is not None:  # else validation will tell
        settled, _ = dynamic.settle(node_type, given)
        declared = _declared(settled, input_name, node_name)
        given[input_name] = _read(value, declared, name) if isinstance(value, str) else value
        if (node_type.input(input_name) or declared).type == dynamic.DYNAMIC_COMBO:
            given = _brought(settled, input_name, given)
    if isinstance(value, list):
        given[input_name] = {"__value__": value}
    return {**prompt, node_id: {**node, "inputs": given}}


def _split(prompt: ApiPrompt, name: str) -> tuple[str, str]:
    """The node and the input in a name: the longest beginning that names a node, and the rest. Raises: PromptError."""
    places = [place for place, each in enumerate(name) if each == "." and 0 < place < len(name) - 1]
    if not places:
        raise PromptError(f"{short(name)!r}: expected NODE.INPUT, for example KSampler.seed or 3.seed")
    known = {*prompt, *(key(node) for node in prompt.values() for key in (_title, _class_type))}
    place = next((place for place in reversed(places) if name[:place] in known), places[-1])
    return name[:place], name[place + 1 :]


def _brought(settled: NodeType, combo: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """What is given once the choice of a combo is another: its inputs as they are at first, the old choice's gone."""
    own = {each.name: each for each in settled.inputs if each.name.startswith(f"{combo}.")}
    kept = {name: value for name, value in given.items() if name in own or not name.startswith(f"{combo}.")}
    for name, each in own.items():
        first = each.options.get("default", next(iter(each.current_choices()), None))
        if name not in kept and each.required and first is not None:
            kept[name] = first
    return kept


def find_node(prompt: ApiPrompt, name: str) -> str:
    """The id of the one node that `name` means: an id, a title, or a class.

    Raises: PromptError, when none or several fit.
    """
    if name in prompt:
        return name
    for key in (_title, _class_type):
        found = [node_id for node_id, node in prompt.items() if key(node) == name]
        if len(found) == 1:
            return found[0]
        if found:
            raise PromptError(
                f"{name!r} means {len(found)} nodes here ({', '.join(found)}); use one of those ids instead"
            )
    have = ", ".join(f"{node_id} ({_title(node) or _class_type(node)})" for node_id, node in list(prompt.items())[:20])
    raise PromptError(f"no node has the id, title or class {name!r}; this workflow has {have}")


def _declared(node_type: NodeType, input_name: str, node_name: str) -> Input:
    """What the node's type says of the input."""
    declared = node_type.input(input_name)
    if declared is None:
        names = ", ".join(each.name for each in node_type.inputs)
        raise PromptError(f"{node_name} ({node_type.id}) has no input {input_name!r}; it has {names}")
    if not declared.is_widget:
        raise PromptError(f"{node_name}.{input_name} takes a {declared.type} over a wire; it cannot be set to a value")
    return declared


def _read(text: str, declared: Input, name: str) -> Any:
    if declared.type in ("STRING", "COMBO"):
        return text
    if declared.type == "BOOLEAN":
        words = {
            "true": True,
            "yes": True,
            "on": True,
            "1": True,
            "false": False,
            "no": False,
            "off": False,
            "0": False,
        }
        if text.strip().lower() in words:
            return words[text.strip().lower()]
        raise PromptError(f"{name}={short(text)}: expected true or false")
    try:
        return int(text, 0) if declared.type == "INT" else float(text) if declared.type == "FLOAT" else json.loads(text)
    except ValueError as error:
        raise PromptError(f"{name}={short(text)}: expected a value of type {declared.type}") from error


def _title(node: Mapping[str, Any]) -> Any:
    meta = node.get("_meta")
    return meta.get("title") if isinstance(meta, Mapping) else None


def _class_type(node: Mapping[str, Any]) -> Any:
    return node.get("class_type")
