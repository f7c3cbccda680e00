"""What plugins put into the table of node types: their classes as our node types, and what they write there themselves.

`nodes.NODE_CLASS_MAPPINGS` is the table that plugins know. What a plugin module exports goes in there unless a built-in
node has that id that does not yield; what a plugin writes there with its own hands counts as it is.
"""

import inspect
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import nodes
from compat.plugins import typed
from compat.plugins.records import Given, Record, one_line
from engine.errors import NodeTypeError
from engine.graph.nodetype import NodeType


@dataclass(frozen=True, slots=True)
class Offer:
    """A node class, or a function marked with `@node`, under an id, as a plugin exports it."""

    id: str
    cls: Any
    display_name: str = ""


def table() -> dict[str, Any]:
    """nodes.NODE_CLASS_MAPPINGS."""
    return _of_nodes("NODE_CLASS_MAPPINGS")


def display_names() -> dict[str, str]:
    """nodes.NODE_DISPLAY_NAME_MAPPINGS."""
    return _of_nodes("NODE_DISPLAY_NAME_MAPPINGS")


def web_dirs() -> dict[str, str]:
    """nodes.EXTENSION_WEB_DIRS: the folders behind names below /extensions."""
    return _of_nodes("EXTENSION_WEB_DIRS")


def module_dirs() -> dict[str, str]:
    """nodes.LOADED_MODULE_DIRS: where each plugin lies."""
    return _of_nodes("LOADED_MODULE_DIRS")


async def offers(module: types.ModuleType) -> list[Offer]:
    """What a plugin's module exports, in any of the three forms. Raises: whatever its entry point raises."""
    marked = [Offer(typed.id_of(each), each) for each in typed.functions(module)]
    return [*await _classes(module), *marked]


async def _classes(module: types.ModuleType) -> list[Offer]:
    mappings = getattr(module, "NODE_CLASS_MAPPINGS", None)
    if mappings is not None:
        names = getattr(module, "NODE_DISPLAY_NAME_MAPPINGS", None) or {}
        return [Offer(str(id), cls, str(names.get(id) or "")) for id, cls in mappings.items()]
    entrypoint = getattr(module, "comfy_entrypoint", None)
    return await _extension(entrypoint) if entrypoint is not None else []


async def _extension(entrypoint: Any) -> list[Offer]:
    extension = entrypoint()
    if inspect.isawaitable(extension):
        extension = await extension
    on_load = getattr(extension, "on_load", None)
    if on_load is not None:
        waiting = on_load()
        if inspect.isawaitable(waiting):
            await waiting
    classes = extension.get_node_list()
    if inspect.isawaitable(classes):
        classes = await classes
    return [Offer(_schema_id(each), each) for each in classes]


def adopt(
    offered: Iterable[Offer], record: Record, builtins: Mapping[str, NodeType], module: str, salt: str
) -> dict[str, Given]:
    """Classes as node types, by id. Those that cannot be are named in the record."""
    taken: dict[str, Given] = {}
    for each in offered:
        if each.id in builtins and not builtins[each.id].yields:
            record.problems.append(f"node {each.id}: a built-in node has that id; it stays")
            continue
        try:
            cls: Any = typed.class_of(each.cls) if typed.is_marked(each.cls) else each.cls
            cls.RELATIVE_PYTHON_MODULE = module
            node_type = made(cls, each.id, each.display_name, module, salt)
            if not node_type.id:
                raise NodeTypeError("it has no id; give it a name")
        except Exception as error:  # noqa: BLE001 -- an author's class
            record.problems.append(f"node {each.id}: {one_line(error)}")
            continue
        taken[each.id] = Given(cls, each.display_name or node_type.display_name or each.id, node_type)
    return taken


def written(before: Mapping[str, Any]) -> Iterator[Offer]:
    """What somebody wrote into the table itself since it looked like this."""
    for id, cls in [*table().items()]:
        if before.get(id) is not cls:
            yield Offer(id, cls, display_names().get(id, ""))


def made(cls: Any, id: str, display_name: str, module: str, salt: str) -> NodeType:
    """A class as a node type. Raises: whatever its author's description raises."""
    ours = typed.node_type(cls, module)
    if ours is not None:
        return replace(ours, salt=salt)
    if is_v3(cls):
        from compat.v3 import adapter as v3  # imported when it is needed: packs of one kind only do without the other

        return replace(v3.node_type(cls, module), salt=salt)
    from compat.v1 import adapter as v1

    return replace(v1.node_type(cls, id, display_name, module), salt=salt)


def is_v3(cls: Any) -> bool:
    """Whether a class describes itself by a schema."""
    return isinstance(cls, type) and callable(getattr(cls, "define_schema", None))


def _schema_id(cls: Any) -> str:
    schema = cls.GET_SCHEMA() if callable(getattr(cls, "GET_SCHEMA", None)) else cls.define_schema()
    return str(schema.node_id)


def _of_nodes(name: str) -> dict[str, Any]:
    if not hasattr(nodes, name):
        setattr(nodes, name, {})
    found: dict[str, Any] = getattr(nodes, name)
    return found
