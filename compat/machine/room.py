"""Lets networks that plugins loaded leave a device when the engine needs room there."""

import sys

import torch

from compat.host import Host
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
