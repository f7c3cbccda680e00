"""Every built-in node. `all_nodes()` is what the composition root registers."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

MODULES = (
    "loaders",
    "text",
    "conditioning",
    "unclip",
    "latent",
    "latent_math",
    "latent_operations",
    "latent_files",
    "sampling",
    "custom_sampling",
    "samplers",
    "sigmas",
    "guiders",
    "vae",
    "image_files",
    "animation",
    "image",
    "image_filters",
    "compositing",
    "mask",
    "upscaling",
    "vision",
    "depth",
    "controlnet",
    "gligen",
    "style",
    "ip_adapter",
    "lora",
    "hooks",
    "hypernetwork",
    "merging",
    "model_files",
    "lora_saving",
    "model_sampling",
    "model_running",
    "caching",
    "attention_factors",
    "unet_patches",
    "guidance",
    "primitive",
    "strings",
)
"""The modules that hold nodes, in the order of their topics."""


def all_nodes() -> list[Callable[..., Any]]:
    """The functions marked with @node, in the order of their topics.

    Imported here and not at the top: a name like `nodes.types` must not cost loading every network.
    """
    modules = [import_module(f"{__name__}.{name}") for name in MODULES]
    return [each for module in modules for each in vars(module).values() if _is_node_of(each, module.__name__)]


def _is_node_of(each: object, module: str) -> bool:
    return hasattr(each, "node_definition") and getattr(each, "__module__", None) == module
