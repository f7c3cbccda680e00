"""Gives our package `nodes` what ComfyUI's module of that name has.

Importing the classes imports all of `comfy`, so it waits until a plugin looks for one: `nodes.__getattr__`.
"""

import importlib
import importlib.util
from collections.abc import Iterable
from typing import Any

import nodes
from compat.core_nodes import built_in
from compat.core_nodes.widgets import MAX_RESOLUTION
from compat.host import Host, host
from compat.missing import missing

MODULES = ("conditioning", "control", "drawing", "latents", "loaders", "pictures", "vae")
"""Modules of this package whose classes are core nodes, each under its own name."""

EXTRAS = (
    "nodes_align_your_steps nodes_clip_sdxl nodes_compositing nodes_custom_sampler nodes_differential_diffusion "
    "nodes_flux nodes_freelunch nodes_latent nodes_mask nodes_model_advanced nodes_model_merging nodes_perpneg "
    "nodes_upscale_model"
)
"""Modules of comfy_extras whose classes are found by their ids, which are their names."""

_made: list[str] = []


def furnish(host: Host) -> None:
    """Lets `nodes` answer for ComfyUI's names, for this host from now on."""
    for name in _made:
        vars(nodes).pop(name, None)
    _made.clear()
    setattr(nodes, "__getattr__", _look_up)  # noqa: B010 -- mypy knows the package's own members only


def _look_up(name: str) -> Any:
    if not _made and not name.startswith("_") and importlib.util.find_spec(f"nodes.{name}") is None:
        for each, value in _members().items():
            if each not in vars(nodes):  # a plugin may have put its own there
                setattr(nodes, each, value)
                _made.append(each)
        if name in vars(nodes):
            return vars(nodes)[name]
    # Extra nodes and those of other plugins are found by their ids only, as in ComfyUI.
    raise missing("nodes", name)


def _members() -> dict[str, Any]:
    classes = _nodes_of(f"compat.core_nodes.{name}" for name in MODULES)
    # A pack that finds nodes of another here calls members that ours have not.
    built_ins = {each.id: built_in.class_of(each) for each in host().registry if not each.yields}
    mappings = {**built_ins, **_nodes_of(f"comfy_extras.{name}" for name in EXTRAS.split()), **classes}
    display = {each.id: each.display_name or each.id for each in host().registry}
    return {
        **classes,
        "NODE_CLASS_MAPPINGS": mappings,
        "NODE_DISPLAY_NAME_MAPPINGS": {id: display.get(id, id) for id in mappings},
        "EXTENSION_WEB_DIRS": {},
        "LOADED_MODULE_DIRS": {},
        "MAX_RESOLUTION": MAX_RESOLUTION,
        "common_ksampler": importlib.import_module("compat.core_nodes.drawing").common_ksampler,
        "interrupt_processing": interrupt_processing,
        "before_node_execution": before_node_execution,
        "init_extra_nodes": init_extra_nodes,
    }


def _nodes_of(modules: Iterable[str]) -> dict[str, type]:
    """The node classes that these modules define, by name."""
    found: dict[str, type] = {}
    for module in modules:
        members = vars(importlib.import_module(module))
        found |= {name: each for name, each in members.items() if _is_node_of(each, module)}
    return found


def _is_node_of(each: object, module: str) -> bool:
    return isinstance(each, type) and each.__module__ == module and hasattr(each, "INPUT_TYPES")


def interrupt_processing(value: bool = True) -> None:
    """Asks the prompt that is running to stop."""
    importlib.import_module("comfy.model_management").interrupt_current_processing(value)


def before_node_execution() -> None:
    """Raises: Cancelled, when somebody asked the prompt to stop."""
    importlib.import_module("comfy.model_management").throw_exception_if_processing_interrupted()


async def init_extra_nodes(init_custom_nodes: bool = True, init_api_nodes: bool = True) -> list[str]:
    """Every node is loaded before a plugin can ask for that. Returns: the modules that failed, none."""
    return []
