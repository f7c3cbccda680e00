"""Samplers and schedules that plugins added, in the lists of every node that offers ours."""

import sys
from collections.abc import Sequence
from dataclasses import replace

from engine.graph.nodetype import Input, NodeType
from engine.graph.registry import Registry
from engine.sampling.samplers import SAMPLERS
from engine.sampling.schedules import SCHEDULERS


def samplers() -> Sequence[str]:
    """All samplers there are now, in the order in which they are offered."""
    return _names("SAMPLERS", SAMPLERS)


def schedulers() -> Sequence[str]:
    """All schedules there are now."""
    return _names("SCHEDULERS", SCHEDULERS)


def refresh(registry: Registry) -> None:
    """Has nodes whose choices are ours look at the lists that plugins write to. To be called after plugins loaded."""
    for node_type in list(registry):
        inputs = tuple(_looking(each) for each in node_type.inputs)
        if inputs != node_type.inputs:
            _put_in_place(registry, replace(node_type, inputs=inputs))


def _looking(given: Input) -> Input:
    if given.choices is None or callable(given.choices):
        return given
    for ours, now in ((SAMPLERS, samplers), (SCHEDULERS, schedulers)):
        if tuple(given.choices) == ours:
            return replace(given, choices=now)
    return given


def _put_in_place(registry: Registry, node_type: NodeType) -> None:
    """The registry's order is the order in which nodes are offered, so those that follow are put again, too."""
    after = list(registry)
    place = next(index for index, each in enumerate(after) if each.id == node_type.id)
    for each in (node_type, *after[place + 1 :]):
        registry.put(each)


def _names(name: str, ours: Sequence[str]) -> Sequence[str]:
    module = sys.modules.get("comfy.samplers")
    # KSampler is where nodes of ComfyUI look; some plugins put a longer list there.
    return tuple(ours if module is None else getattr(module.KSampler, name))
