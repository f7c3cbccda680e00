"""Lets networks that plugins loaded leave a device: when the engine needs room there, and when somebody asks for it."""

import gc
import sys

import torch

from compat.host import Host, host
from compat.machine.loaded import LoadedModel
from engine.devices import memory


def furnish(host: Host) -> None:
    """The keeper asks for cached results first, then for plugins' networks, and only then lets parts leave."""
    keeper = host.loader.keeper
    before = keeper.make_room

    def make_room(device: torch.device, size: int) -> None:
        target = memory.free(device) + size
        if before is not None:
            before(device, size)
        management = sys.modules.get("comfy.model_management")
        lacking = target - memory.free(device)
        if management is not None and lacking > 0:
            management.make_room(device, lacking)

    keeper.make_room = make_room
    host.after_work = _forget_what_is_gone


def free(unload_models: bool, free_memory: bool) -> None:
    """Gives memory back between prompts, as the engine does, that of plugins' networks too."""
    ours, management = host(), sys.modules.get("comfy.model_management")
    if unload_models and management is not None:
        management.unload_all_models()
    ours.engine.free(unload_models=unload_models, free_memory=free_memory)
    if management is not None:
        gc.collect()  # a patcher and its patches may hold each other
        _forget_what_is_gone()
        management.soft_empty_cache()


def _forget_what_is_gone() -> None:
    management = sys.modules.get("comfy.model_management")
    listed = [] if management is None else management.current_loaded_models
    # Only what we put there: plugins have things of their own in the list.
    for each in [each for each in listed if isinstance(each, LoadedModel) and each.is_dead()]:
        listed.remove(each)
