"""What can be wrong with a link, said so that its author can mend it."""

from typing import Any

from engine.graph.describe import input_config
from engine.graph.nodetype import WIDGET_TYPES, Input, NodeType
from engine.graph.problem import Flaw, about, short
from engine.graph.prompt import Link
from engine.graph.sockets import members

# Widgets of the editor's own beyond the five types, whose values are typed in and not wired.
EDITOR_TYPES = frozenset({"*", "COLOR", "IMAGECOMPARE", "BOUNDING_BOX", "CURVE", "RANGE"})


def broken(each: Input, value: Any) -> Flaw:
    """A bare list that is no link."""
    return Flaw(
        "bad_linked_input",
        "Bad linked input, must be a length-2 list of [node_id, slot_index]",
        each.name,
        f'Got {short(value)}; a link is ["4", 0], and a list that is meant as a value is {{"__value__": [...]}}.',
        about(each, input_config(each), value),
    )


def unwired(node_type: NodeType, each: Input, value: Any) -> Flaw | None:
    """A literal where only a wire makes sense; None where the editor may have a widget for it."""
    # Plugins bring widgets of their own types with them, so only the types of built-in nodes are known to be wires.
    is_plugin = node_type.python_module.startswith("custom_nodes")
    if is_plugin or "widgetType" in each.options or not members(each.type).isdisjoint(WIDGET_TYPES | EDITOR_TYPES):
        return None
    return Flaw(
        "bad_linked_input",
        f"A {each.type} comes over a link [node_id, slot_index], it cannot be written down",
        each.name,
        f"Got {short(value)}; connect {each.name} to an output of type {each.type}.",
        about(each, input_config(each), value),
    )


def absent(each: Input, link: Link) -> Flaw:
    """A link to a node that is not there."""
    return Flaw(
        "exception_during_validation",
        f"{each.name} is linked to node '{short(link.node)}', which is not in the graph",
        f"'{short(link.node)}'",
        f"Connect {each.name} to a node that is there" + ("." if each.required else ", or leave it unconnected."),
        {**about(each, input_config(each), [link.node, link.slot]), "exception_type": "KeyError", "traceback": []},
    )


def wrong_slot(each: Input, link: Link, source: NodeType) -> Flaw:
    """A link to an output the node does not have."""
    have = ", ".join(f"{slot} {output.name}" for slot, output in enumerate(source.outputs)) or "none"
    return Flaw(
        "exception_during_validation",
        f"{each.name} is linked to output {link.slot} of node '{short(link.node)}', but {source.id} has none such",
        f"{each.name}: output index {link.slot} out of range",
        f"Its outputs are: {have}.",
        {**about(each, input_config(each), [link.node, link.slot]), "exception_type": "IndexError", "traceback": []},
    )


def mismatch(each: Input, link: Link, received: str) -> Flaw:
    """A link between sockets that do not fit."""
    return Flaw(
        "return_type_mismatch",
        "Return type mismatch between linked nodes",
        f"{each.name}, received_type({received}) mismatch input_type({each.type})",
        f"Connect {each.name} to an output of type {each.type}.",
        {
            "input_name": each.name,
            "input_config": input_config(each),
            "received_type": "".join(received),
            "linked_node": [link.node, link.slot],
        },
    )
