"""Nodes in our own form among a plugin's: functions marked with `@node`, given the services that built-in nodes get.

`nodes.NODE_CLASS_MAPPINGS` holds classes, so that each function gets one, as our built-in nodes have.
"""

import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from compat.core_nodes import built_in
from compat.host import host
from engine.graph import define
from engine.graph.nodetype import NodeType

_FUNCTION = "NODE_FUNCTION"


def functions(module: types.ModuleType) -> Iterator[Callable[..., Any]]:
    """The marked functions in a plugin's module: its own, and those it imported from its parts; not ours."""
    seen: set[int] = set()
    for each in [*vars(module).values()]:
        home = str(getattr(each, "__module__", ""))
        is_own = home == module.__name__ or home.startswith(f"{module.__name__}.")
        if is_own and is_marked(each) and id(each) not in seen:
            seen.add(id(each))
            yield each


def is_marked(thing: object) -> bool:
    """Whether something is a function marked with `@node`."""
    return isinstance(thing, types.FunctionType) and isinstance(
        getattr(thing, "node_definition", None), define.Definition
    )


def id_of(function: Callable[..., Any]) -> str:
    """The id that a marked function was given."""
    return define.definition(function).id


def class_of(function: Callable[..., Any]) -> type:
    """A class in ComfyUI's form that stands for a marked function. Raises: NodeTypeError."""
    made = built_in.class_of(define.node_type(function, host().engine.services))
    setattr(made, _FUNCTION, staticmethod(function))
    return made


def node_type(cls: Any, module: str) -> NodeType | None:
    """The node type behind such a class; None for a class of another kind. Raises: NodeTypeError."""
    function: Callable[..., Any] | None = getattr(cls, _FUNCTION, None)
    if function is None or not is_marked(function):
        return None
    return replace(define.node_type(function, host().engine.services), python_module=module)
