"""Our own nodes, called by an author's code: values change their clothes on the way in and on the way out.

Every built-in node without a class of its own in this package gets one here, with its arguments' own names.
"""

from collections.abc import Mapping
from typing import Any

from compat.core_nodes.filenames import FileNames
from compat.crossing import enter, leave
from compat.host import host
from engine.graph.describe import describe
from engine.graph.events import Event
from engine.graph.marks import FileChoices
from engine.graph.nodetype import NodeType, Result
from engine.graph.run import Run


def call(node_id: str, **given: Any) -> Any:
    """What a built-in node makes of these inputs, as an author's method would return it.

    Returns: a tuple with one value per output, or ComfyUI's {"ui": …, "result": …}.
    """
    node_type = host().registry[node_id]
    values = {name: leave(value) for name, value in given.items()}
    run = host().run or Run("", _nobody)
    known: Mapping[str, Any] = {
        "RUN": run,
        "UNIQUE_ID": run.node_id,
        "PROMPT": run.prompt,
        "EXTRA_PNGINFO": run.extra,
        "DYNPROMPT": None,
    }
    hidden = {name: known[kind] for name, kind in node_type.hidden.items() if name not in values}
    if node_type.function is None:
        raise TypeError(f"{node_id} has no function in this process")
    return _entered(node_type, node_type.function(**values, **hidden))


def _entered(node_type: NodeType, made: Any) -> Any:
    if isinstance(made, Result):
        shown = {"ui": dict(made.ui)} if made.ui else {}
        return {**shown, "result": tuple(enter(each) for each in made.values)}
    if len(node_type.outputs) == 1 and not (isinstance(made, tuple) and hasattr(made, "_fields")):
        return (enter(made),)
    return tuple(enter(each) for each in made or ())


def _nobody(event: Event) -> None:
    """Where a call outside of a prompt tells of itself."""


def class_of(node_type: NodeType) -> type:
    """A class in ComfyUI's form for a built-in node."""
    entry = describe(node_type)

    def INPUT_TYPES(cls: type) -> dict[str, Any]:
        return _inputs(host().registry.get(node_type.id) or node_type)

    def execute(self: object, **given: Any) -> Any:
        return call(node_type.id, **given)

    return type(
        node_type.id,
        (),
        {
            "__doc__": node_type.description,
            "__module__": "nodes",
            "INPUT_TYPES": classmethod(INPUT_TYPES),
            "RETURN_TYPES": tuple(each.type for each in node_type.outputs),
            "RETURN_NAMES": tuple(entry["output_name"]),
            "FUNCTION": "execute",
            "CATEGORY": node_type.category,
            "DESCRIPTION": node_type.description,
            "OUTPUT_NODE": node_type.is_output,
            "INPUT_IS_LIST": node_type.input_is_list,
            "OUTPUT_IS_LIST": tuple(each.is_list for each in node_type.outputs),
            "execute": execute,
        },
    )


def with_method(node_id: str, method: str) -> type:
    """The class of a built-in node with the method that ComfyUI's has; its arguments may be given by position."""
    node_type = host().registry[node_id]
    names = [each.name for each in node_type.inputs]

    def called(self: object, *args: Any, **given: Any) -> Any:
        return call(node_id, **dict(zip(names, args, strict=False)), **given)

    return type(node_id, (class_of(node_type),), {"FUNCTION": method, method: called})


def _inputs(node_type: NodeType) -> dict[str, Any]:
    sections: dict[str, dict[str, Any]] = {
        name: {key: tuple(value) if isinstance(value, list) else value for key, value in section.items()}
        for name, section in describe(node_type)["input"].items()
    }
    for each in node_type.inputs:
        choices = each.choices
        if isinstance(choices, FileChoices) and not choices.is_input:
            section = sections["required" if each.required else "optional"]
            names = FileNames(choices.lists.list(choices.kind), choices.kind)
            names.extend(choices.also)
            section[each.name] = (names, *section[each.name][1:])
    return sections
