"""Setting an input of a saved prompt by name: "KSampler.seed=7" on the command line, `.set(...)` in Python.

A node is named by its id, its title or its class, in that order; a name that fits several nodes is refused with the
candidates, because changing the wrong one silently would cost somebody an hour.
"""

import json
from collections.abc import Mapping
from typing import Any

from engine.errors import PromptError
from engine.graph.nodetype import Input
from engine.graph.problem import short
from engine.graph.registry import Registry

ApiPrompt = Mapping[str, Mapping[str, Any]]


def assign(prompt: ApiPrompt, name: str, value: Any, registry: Registry) -> dict[str, Any]:
    """A copy of the API prompt in which the input `name` ("NODE.INPUT") is `value`.

    A text for an input that is not a text is read as its type ("7" for an INT, "false" for a BOOLEAN).
    Raises: PromptError, when no node or no input has that name, several have, or the text cannot be read.
    """
    node_name, dot, input_name = name.rpartition(".")
    if not dot or not node_name or not input_name:
        raise PromptError(f"{short(name)!r}: expected NODE.INPUT, for example KSampler.seed or 3.seed")
    node_id = find_node(prompt, node_name)
    node = prompt[node_id]
    declared = _declared(node, input_name, node_name, registry)
    if isinstance(value, str) and declared is not None:
        value = _read(value, declared, name)
    inputs = {**node.get("inputs", {}), input_name: {"__value__": value} if isinstance(value, list) else value}
    return {**prompt, node_id: {**node, "inputs": inputs}}


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


def _declared(node: Mapping[str, Any], input_name: str, node_name: str, registry: Registry) -> Input | None:
    """What the node's type says of the input; None when the type itself is unknown (validation will tell)."""
    node_type = registry.get(str(_class_type(node)))
    if node_type is None:
        return None
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
