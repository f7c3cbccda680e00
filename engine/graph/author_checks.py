"""The checks that authors write for their own nodes (ComfyUI's VALIDATE_INPUTS), asked before anything runs."""

import traceback
from collections.abc import Collection, Iterable
from typing import Any

from engine.errors import LatentwireError
from engine.graph.awaiting import Awaiting
from engine.graph.marks import Remembered
from engine.graph.nodetype import FILLED_IN, NodeType
from engine.graph.problem import Problem, short
from engine.graph.prompt import BrokenLink, Link, Node, Prompt
from engine.graph.registry import Registry
from engine.graph.sockets import Undecided, accepts

_ASKED_FOR = FILLED_IN - {"RUN"}  # there is no run yet


class AuthorChecks:
    """Calls the authors' functions for the nodes of one prompt."""

    def __init__(self, prompt: Prompt, registry: Registry) -> None:
        self._prompt = prompt
        self._registry = registry
        self._json: dict[str, Any] | None = None

    def problems(self, node_type: NodeType, node: Node, flawed: Collection[str]) -> Iterable[Problem]:
        """What the author's function has against the node; it is not asked about inputs known to be wrong."""
        hook = node_type.validate
        names = node_type.validate_inputs
        if hook is None or (flawed if names is None else any(name in names for name in flawed)):
            return []
        given = self._arguments(node_type, node)
        try:
            answer = _resolved(hook(**given))
        except LatentwireError as error:
            answer = str(error)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - an author's code
            only = [name for name in given if name != "input_types"]
            return [_raised(node, only[0] if len(only) == 1 else None, error)]
        if answer is True:
            return []
        about = [name for name in given if name != "input_types"] or [""]
        return [_refused(node, name, answer) for name in about]

    def _arguments(self, node_type: NodeType, node: Node) -> dict[str, Any]:
        """What the function takes of the node; the whole prompt as JSON is not made for one that does not ask."""
        names = node_type.validate_inputs
        values: dict[str, Any] = {}
        for each in node_type.inputs:
            if each.name in node.inputs and (names is None or each.name in names):
                values[each.name] = _constant(node.inputs[each.name], each.is_raw_link)
        if node_type.others is not None:
            for name, value in node.inputs.items():
                if name not in values and node_type.input(name) is None and (names is None or name in names):
                    values[name] = _constant(value, node_type.others.is_raw_link)
        for name, kind in node_type.hidden.items():
            if kind in _ASKED_FOR and (names is None or name in names):
                values[name] = self._hidden(kind, node)
        if node_type.input_is_list:
            values = {name: [value] for name, value in values.items()}
        if node_type.compares_types:
            values["input_types"] = self._link_types(node_type, node)
        return values

    def _hidden(self, kind: str, node: Node) -> Any:
        if kind == "UNIQUE_ID":
            return node.id
        if kind == "PROMPT":
            if self._json is None:
                self._json = self._prompt.to_json()
            return self._json
        return None

    def _link_types(self, node_type: NodeType, node: Node) -> dict[str, str]:
        types: dict[str, str] = {}
        for name, link in node.links():
            source = self._prompt.nodes.get(link.node)
            source_type = None if source is None else self._registry.get(source.class_type)
            if source_type is not None and node_type.input(name) and 0 <= link.slot < len(source_type.outputs):
                types[name] = source_type.outputs[link.slot].type
        return types


def may_ask(node_type: NodeType) -> bool:
    """Whether there is something that only the process with the author's code can say of nodes of this type."""
    if _has_check_elsewhere(node_type):
        return True
    types = (*(each.type for each in node_type.inputs), *(each.type for each in node_type.outputs))
    lists = any(isinstance(each.choices, Remembered) for each in node_type.inputs)
    return lists or any(isinstance(each, Undecided) for each in types)


def asked_elsewhere(prompt: Prompt, registry: Registry, needed: Collection[str]) -> tuple[str, ...]:
    """The needed nodes about which only the process with their authors' code can say whether they can run."""
    hooks: dict[str, bool] = {}
    for name in {each.class_type for each in prompt.nodes.values()}:
        node_type = registry.get(name)
        hooks[name] = node_type is not None and _has_check_elsewhere(node_type)
    return tuple(
        node.id
        for node in prompt.nodes.values()
        if node.id in needed
        and (hooks[node.class_type] or _is_unlisted(registry, node) or _is_undecided(prompt, registry, node))
    )


def _has_check_elsewhere(node_type: NodeType) -> bool:
    is_there = node_type.is_checked_elsewhere or node_type.validate_inputs != ()
    return is_there and node_type.validate is None


def _is_unlisted(registry: Registry, node: Node) -> bool:
    """Whether the node has a choice that its author did not list when he was last asked."""
    node_type = registry.get(node.class_type)
    if node_type is None:
        return False
    given = ((each.choices, node.inputs.get(each.name)) for each in node_type.inputs)
    return any(
        isinstance(choices, Remembered) and value is not None and not isinstance(value, Link) and value not in choices
        for choices, value in given
    )


def _is_undecided(prompt: Prompt, registry: Registry, node: Node) -> bool:
    """Whether a link of the node fits only if an author's own comparison says so, which is not here."""
    node_type = registry.get(node.class_type)
    if node_type is None or node_type.compares_types:
        return False
    for name, link in node.links():
        each, source = node_type.input(name), prompt.nodes.get(link.node)
        source_type = None if source is None else registry.get(source.class_type)
        if each is None or source_type is None or not 0 <= link.slot < len(source_type.outputs):
            continue
        received = source_type.outputs[link.slot].type
        is_open = isinstance(each.type, Undecided) or isinstance(received, Undecided)
        if is_open and not accepts("".join(each.type), "".join(received)):
            return True
    return False


def _constant(value: Any, is_raw_link: bool) -> Any:
    if isinstance(value, Link):
        return [value.node, value.slot] if is_raw_link else None
    return None if isinstance(value, BrokenLink) else value


def _resolved(answer: Any) -> Any:
    if not hasattr(type(answer), "__await__"):
        return answer
    awaiting = Awaiting()
    try:
        return awaiting.resolve(answer)
    finally:
        awaiting.close()


def _refused(node: Node, name: str, answer: Any) -> Problem:
    text = f" - {short(str(answer))}" if answer is not False and answer is not None else ""
    return Problem(
        node=node.id,
        class_type=node.class_type,
        input=name or None,
        kind="custom_validation_failed",
        message="Custom validation failed for node",
        details=f"{name}{text}" if name else text.removeprefix(" - "),
        remedy="Choose another value; the node itself refuses this one.",
        extra_info={"input_name": name},
    )


def _raised(node: Node, name: str | None, error: BaseException) -> Problem:
    return Problem(
        node=node.id,
        class_type=node.class_type,
        input=name,
        kind="exception_during_validation",
        message="Exception when validating node",
        details=short(str(error)),
        remedy="This is a fault in the node's own check; tell its author.",
        extra_info={
            "exception_type": type(error).__name__,
            "traceback": traceback.format_tb(error.__traceback__),
        },
    )
