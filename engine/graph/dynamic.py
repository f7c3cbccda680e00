"""Inputs that depend on other inputs: groups that grow, and combos whose choice brings inputs of its own.

A node type declares such a group as one input of a type below; a prompt spells its members with dots (`images.image0`,
`resize_type.width`). `settle` makes the inputs a node really has from the ones its type declares and the names the
prompt gives. All of it is read from the input's options, as they stand in /object_info, so a process without the
author's code comes to the same inputs.

* AUTOGROW: `template` with `input` (a section or two of /object_info with one input), and `names`, or `prefix`, `min`
  and `max`. The first `min` members are required.
* DYNAMIC_COMBO: `options`, each a `key` and its `inputs` (sections of /object_info).
* MATCH: `template` with `template_id` and `allowed_types`; any of those types may be wired.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from engine.graph.describe import input_config, read_inputs
from engine.graph.nodetype import Input, NodeType
from engine.graph.problem import Flaw, about, short
from engine.graph.prompt import BrokenLink, Link
from engine.graph.sockets import ANYTHING, members

AUTOGROW: Final = "COMFY_AUTOGROW_V3"
DYNAMIC_COMBO: Final = "COMFY_DYNAMICCOMBO_V3"
MATCH: Final = "COMFY_MATCHTYPE_V3"

TYPES: Final = frozenset({AUTOGROW, DYNAMIC_COMBO, MATCH})
MOST_MEMBERS: Final = 100  # of a group whose author names no maximum

Flaws = dict[str, Flaw]


def is_dynamic(node_type: NodeType) -> bool:
    """Whether what it declares is not yet what a node of that type has."""
    return any(each.type in TYPES for each in node_type.inputs)


def settle(node_type: NodeType, given: Mapping[str, Any]) -> tuple[NodeType, Flaws]:
    """The node type with the inputs a node has for which the prompt gives these.

    Returns: it, and by input name what is wrong with the choice of members.
    """
    flaws: Flaws = {}
    return replace(node_type, inputs=tuple(_settled(node_type.inputs, given, flaws))), flaws


def possible(inputs: Iterable[Input]) -> Iterator[str]:
    """Every name that may be given for these inputs."""
    for each in inputs:
        if each.type != AUTOGROW:
            yield each.name
        if each.type == AUTOGROW:
            yield from possible(_members(each))
        elif each.type == DYNAMIC_COMBO:
            for option in each.options.get("options", ()):
                yield from possible(_brought(each, option))


def _settled(inputs: Iterable[Input], given: Mapping[str, Any], flaws: Flaws) -> Iterator[Input]:
    for each in inputs:
        if each.type == MATCH:
            yield _matching(each)
        elif each.type == AUTOGROW:
            yield from _settled(_grown(each, given, flaws), given, flaws)
        elif each.type == DYNAMIC_COMBO:
            yield from _chosen(each, given, flaws)
        else:
            yield each


def _matching(each: Input) -> Input:
    allowed = str(each.options.get("template", {}).get("allowed_types", "*"))
    return replace(each, type=ANYTHING if "*" in members(allowed) else allowed)


def _grown(each: Input, given: Mapping[str, Any], flaws: Flaws) -> list[Input]:
    """The members that are required or given. A member nobody declared would get lost, so it is a flaw."""
    every = _members(each)
    roots = {name[len(each.name) + 1 :].partition(".")[0] for name in given if name.startswith(f"{each.name}.")}
    known = {member.name.rpartition(".")[2] for member in every}
    for root in sorted(roots - known):
        flaws[f"{each.name}.{root}"] = _no_member(each, root, every)
    return [member for member in every if member.required or member.name.rpartition(".")[2] in roots]


def _members(each: Input) -> list[Input]:
    template = each.options.get("template", {})
    (made, *_) = read_inputs(template["input"])
    names = template.get("names")
    if names is None:
        prefix, most = template.get("prefix", ""), template.get("max")
        names = [f"{prefix}{n}" for n in range(MOST_MEMBERS if most is None else most)]
    required = template.get("min") or 0
    return [
        replace(made, name=f"{each.name}.{name}", required=each.required and made.required and position < required)
        for position, name in enumerate(names)
    ]


def _chosen(each: Input, given: Mapping[str, Any], flaws: Flaws) -> Iterator[Input]:
    """The combo itself, and the inputs that its value brings along."""
    options = {str(option["key"]): option for option in each.options.get("options", ())}
    shown = {name: value for name, value in each.options.items() if name != "options"}
    yield replace(each, type="COMBO", choices=tuple(options), options=shown)
    value = given.get(each.name)
    if each.name not in given or (value is None and not each.required):
        return
    if isinstance(value, str) and value in options:
        yield from _settled(_brought(each, options[value]), given, flaws)
    else:
        flaws[each.name] = _no_option(each, value, options)


def _brought(each: Input, option: Mapping[str, Any]) -> list[Input]:
    inputs = read_inputs(option.get("inputs", {}))
    return [
        replace(brought, name=f"{each.name}.{brought.name}", required=each.required and brought.required)
        for brought in inputs
    ]


def _no_member(each: Input, root: str, every: list[Input]) -> Flaw:
    names = [member.name for member in every]
    shown = ", ".join(names[:8]) + (f" … {names[-1]}" if len(names) > 8 else "")
    name = f"{each.name}.{root}"
    return Flaw(
        "invalid_dynamic_input",
        "The group has no such input",
        f"{short(name)}: {each.name} has {len(names)} inputs",
        f"Use one of {shown}.",
        {"input_name": name, "input_config": input_config(each), "received_value": None},
    )


def _no_option(each: Input, value: Any, options: Mapping[str, Any]) -> Flaw:
    choose = f"hoose one of {', '.join(options) or 'nothing: its author offers no choice'}."
    is_wired = isinstance(value, Link | BrokenLink)
    if is_wired:
        value = [value.node, value.slot] if isinstance(value, Link) else value.received
    return Flaw(
        "invalid_dynamic_input",
        "No such choice",
        f"{each.name}: {short(value)} is not among its choices",
        f"It decides which inputs there are, so it cannot come over a wire; c{choose}" if is_wired else f"C{choose}",
        about(each, input_config(each), value),
    )
