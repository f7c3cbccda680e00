"""Can this prompt run? All of its problems at once, each with node, input, reason and remedy.

What no output needs is not looked at, except that an unknown class anywhere refuses the prompt. Nothing here recurses:
a chain of 100,000 nodes is as good as a short one.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.graph import ancestry, dynamic, links, literals
from engine.graph.author_checks import AuthorChecks
from engine.graph.marks import Remembered
from engine.graph.nodetype import WIDGET_TYPES, Input, NodeType
from engine.graph.problem import Flaw, Problem, Validation, about, short
from engine.graph.prompt import BrokenLink, Link, Node, Prompt
from engine.graph.registry import Registry
from engine.graph.sockets import accepts

__all__ = ["Problem", "Validation", "validate"]

QUICKLY_SEARCHED = 100  # choices among which a value is found sooner than a set of them is made
MAX_SUGGESTIONS = 20  # near misses are searched for so many unknown classes and files; a search reads the whole list


def validate(prompt: Prompt, registry: Registry, targets: Iterable[str] | None = None) -> Validation:
    """Every problem of the outputs (of `targets` only, when given) and of what they need.

    Author's VALIDATE_INPUTS functions are called where the node types have them.
    """
    unknown = [node for node in prompt.nodes.values() if node.class_type not in registry]
    problems = _unknown_classes(unknown, registry)
    outputs = _outputs(prompt, registry, targets)
    if not outputs:
        if not problems:
            problems.append(_no_outputs(prompt, targets))
        return Validation(tuple(problems), (), prompt)
    sources = ancestry.needed(prompt, registry, outputs)
    unordered = ancestry.unordered(sources)
    problems += ancestry.cycles(prompt, sources, unordered)
    checks = _Checks(prompt, registry)
    converted = checks.run(sources)
    problems += checks.problems
    bad = {each.node for each in problems if each.node is not None}
    failed = ancestry.downstream(sources, bad | unordered)
    return Validation(
        problems=tuple(problems),
        outputs=() if unknown else tuple(each for each in outputs if each not in failed),
        prompt=Prompt({**prompt.nodes, **converted}) if converted else prompt,
        dependents=ancestry.causes(sources, [each for each in outputs if each in failed], bad),
    )


def _unknown_classes(unknown: Sequence[Node], registry: Registry) -> list[Problem]:
    near: dict[str, list[str]] = {}
    problems = []
    for node in unknown:
        if node.class_type not in near and len(near) < MAX_SUGGESTIONS:
            near[node.class_type] = registry.near(node.class_type) if node.class_type else []
        problems.append(_unknown_class(node, near.get(node.class_type, [])))
    return problems


def _unknown_class(node: Node, near: Sequence[str]) -> Problem:
    title = node.title or node.class_type
    if node.class_type:
        message = f"Node '{short(title)}' not found. The custom node may not be installed."
        remedy = f"Did you mean {' or '.join(near)}?" if near else "Install the plugin that has it, or remove the node."
    else:
        message = "Cannot execute because a node is missing the class_type property."
        remedy = "Give the node a class_type."
    return Problem(
        node=node.id,
        class_type=node.class_type,
        input=None,
        kind="missing_node_type",
        message=message,
        details=f"Node ID '#{short(node.id)}'",
        remedy=remedy,
        extra_info={"node_id": node.id, "class_type": short(node.class_type), "node_title": short(title), "near": near},
    )


def _outputs(prompt: Prompt, registry: Registry, targets: Iterable[str] | None) -> list[str]:
    wanted = None if targets is None else set(targets)
    result = []
    for node in prompt.nodes.values():
        node_type = registry.get(node.class_type)
        if node_type is not None and node_type.is_output and (wanted is None or node.id in wanted):
            result.append(node.id)
    return result


def _no_outputs(prompt: Prompt, targets: Iterable[str] | None) -> Problem:
    details, remedy = "", "Add a node that shows or saves something, such as SaveImage."
    if not len(prompt):
        details, remedy = "the graph is empty", "Add nodes, one of which saves something."
    elif targets is not None:
        details = f"none of {short(list(targets))} is an output node of this graph"
        remedy = "Name output nodes, or leave the targets out to run all of them."
    return Problem(None, "", None, "prompt_no_outputs", "Prompt has no outputs", details, remedy)


@dataclass(frozen=True, slots=True)
class _Known:
    """What is looked up once per node type: its inputs, and which of them the author checks."""

    type: NodeType
    checked_by_author: frozenset[str]
    compares_types: bool
    is_dynamic: bool


@dataclass(frozen=True, slots=True)
class _Choices:
    """The choices of a combo during one validation; where they are many, the texts among them for looking up."""

    values: Sequence[Any]
    texts: Collection[Any]

    @classmethod
    def of(cls, values: Sequence[Any]) -> "_Choices":
        is_long = len(values) > QUICKLY_SEARCHED
        return cls(values, frozenset(each for each in values if isinstance(each, str)) if is_long else values)


class _Checks:
    """Looks at the inputs of every needed node."""

    def __init__(self, prompt: Prompt, registry: Registry) -> None:
        self.problems: list[Problem] = []
        self._prompt = prompt
        self._registry = registry
        self._known: dict[str, _Known] = {}
        self._choices: dict[tuple[str, str], _Choices] = {}
        self._suggested = 0
        self._author = AuthorChecks(prompt, registry)

    def run(self, needed: Collection[str]) -> dict[str, Node]:
        """Returns: the nodes of which a value was converted."""
        converted: dict[str, Node] = {}
        for node in self._prompt.nodes.values():
            if node.id in needed and node.class_type in self._registry:
                after = self._node(node)
                if after is not node:
                    converted[node.id] = after
        return converted

    def _node(self, node: Node) -> Node:
        known = self._lookup(node.class_type)
        flaws: dict[str, Flaw] = {}
        if known.is_dynamic:
            settled, flaws = dynamic.settle(known.type, node.inputs)
            known = replace(known, type=settled)
        changed: dict[str, Any] = {}
        for each in known.type.inputs:
            if each.name in flaws:
                continue
            if each.name not in node.inputs:
                if each.required:
                    flaws[each.name] = _missing(each)
                continue
            before = node.inputs[each.name]
            after, flaw = self._value(known, each, before)
            if flaw is not None:
                flaws[each.name] = flaw
            elif after is not before:
                changed[each.name] = after
        if known.type.others is not None:
            flaws.update(self._undeclared(known.type, node))
        self.problems.extend(Problem.of(flaw, node.id, node.class_type, name) for name, flaw in flaws.items())
        result = replace(node, inputs={**node.inputs, **changed}) if changed else node
        self.problems.extend(self._author.problems(known.type, result, flaws))
        return result

    def _lookup(self, class_type: str) -> _Known:
        known = self._known.get(class_type)
        if known is None:
            node_type = self._registry[class_type]
            names = node_type.validate_inputs
            every = dynamic.possible(node_type.inputs)
            checked = frozenset(every if names is None else names)
            is_dynamic = dynamic.is_dynamic(node_type)
            known = self._known[class_type] = _Known(node_type, checked, node_type.compares_types, is_dynamic)
        return known

    def _value(self, known: _Known, each: Input, value: Any) -> tuple[Any, Flaw | None]:
        if isinstance(value, Link):
            return value, self._link(known, each, value)
        if isinstance(value, BrokenLink):
            return value, links.broken(each, value.received)
        if value is None and not each.required:
            return value, None
        if each.type not in WIDGET_TYPES:
            return value, links.unwired(known.type, each, value) or literals.unusable_text(each, value)
        converted, flaw = literals.convert(each, value)
        if flaw is not None:
            return value, flaw
        if each.name not in known.checked_by_author:
            flaw = literals.out_of_range(each, converted) or self._not_in_list(known, each, converted)
        else:
            flaw = literals.no_choice(each, converted)
        return converted, flaw or literals.unusable_text(each, converted)

    def _undeclared(self, node_type: NodeType, node: Node) -> dict[str, Flaw]:
        """What is wrong with the inputs that the node type takes without declaring them: they may hold anything."""
        flaws: dict[str, Flaw] = {}
        others = node_type.others
        for name, value in node.inputs.items() if others is not None else ():
            if others is None or name in node_type.hidden or node_type.input(name) is not None:
                continue
            each = replace(others, name=name)
            flaw: Flaw | None = None
            if isinstance(value, Link):
                flaw = self._source(each, value)
            elif isinstance(value, BrokenLink):
                flaw = links.broken(each, value.received)
            if flaw is not None:
                flaws[name] = flaw
        return flaws

    def _source(self, each: Input, link: Link) -> Flaw | None:
        source = self._prompt.nodes.get(link.node)
        if source is None:
            return links.absent(each, link)
        source_type = self._registry.get(source.class_type)
        if source_type is not None and not 0 <= link.slot < len(source_type.outputs):
            return links.wrong_slot(each, link, source_type)
        return None

    def _link(self, known: _Known, each: Input, link: Link) -> Flaw | None:
        source = self._prompt.nodes.get(link.node)
        if source is None:
            return links.absent(each, link)
        source_type = self._registry.get(source.class_type)
        if source_type is None:
            return None
        if not 0 <= link.slot < len(source_type.outputs):
            return links.wrong_slot(each, link, source_type)
        received = source_type.outputs[link.slot].type
        if known.compares_types or accepts(each.type, received):
            return None
        return links.mismatch(each, link, received)

    def _not_in_list(self, known: _Known, each: Input, value: Any) -> Flaw | None:
        if each.choices is None:
            return None
        key = known.type.id, each.name
        choices = None if known.is_dynamic else self._choices.get(key)
        if choices is None:
            try:
                choices = self._choices[key] = _Choices.of(each.current_choices())
            except Exception as error:  # noqa: BLE001 - a plugin's function lists the choices
                return _unlisted(each, value, error)
        if isinstance(value, str) and value in choices.texts:
            return None
        if isinstance(each.choices, Remembered):  # its author may list it now: see author_checks.asked_elsewhere
            return None
        self._suggested += 1
        return literals.not_in_list(each, value, choices.values, suggest=self._suggested <= MAX_SUGGESTIONS)


def _missing(each: Input) -> Flaw:
    name = each.name
    remedy = f"Give {name} a value." if each.is_widget else f"Connect {name} to an output of type {each.type}."
    return Flaw("required_input_missing", "Required input is missing", name, remedy, {"input_name": name})


def _unlisted(each: Input, value: Any, error: Exception) -> Flaw:
    return Flaw(
        "exception_during_validation",
        "The choices cannot be listed",
        f"{each.name}: {short(str(error))}",
        "See whether the folder they are read from is there and readable.",
        {**about(each, None, value), "exception_type": type(error).__name__, "traceback": []},
    )
