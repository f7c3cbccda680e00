"""What a plugin's `comfy_entrypoint` leads to: its extension, and the classes of its nodes."""

import inspect
from collections.abc import Callable
from typing import Any

from comfy_api.latest import ComfyExtension, io

from engine.errors import NodeTypeError


async def node_classes(entrypoint: Callable[[], Any]) -> list[type[io.ComfyNode]]:
    """The node classes of a plugin. The entry point, and what it returns, may be `async` or not.

    Raises: NodeTypeError, saying what the plugin returned and what it should have; and whatever the plugin raises.
    """
    extension = await _awaited(entrypoint())
    if not isinstance(extension, ComfyExtension) and not hasattr(extension, "get_node_list"):
        raise NodeTypeError(f"comfy_entrypoint() must return a ComfyExtension; it returned {extension!r:.100}")
    if hasattr(extension, "on_load"):
        await _awaited(extension.on_load())
    classes = await _awaited(extension.get_node_list())
    if not isinstance(classes, list | tuple):
        raise NodeTypeError(f"get_node_list() must return a list of classes; it returned {classes!r:.100}")
    for each in classes:
        if not (isinstance(each, type) and issubclass(each, io.ComfyNode)):
            raise NodeTypeError(f"get_node_list() must list subclasses of io.ComfyNode; {each!r:.100} is none")
    return [*classes]


async def _awaited(answer: Any) -> Any:
    return await answer if inspect.isawaitable(answer) else answer
