"""Samplers and schedules that plugins added, in the lists of every node that offers ours."""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from engine.graph.nodetype import Input, NodeType
from engine.graph.registry import Registry
from engine.sampling.samplers import SAMPLERS
from engine.sampling.schedules import SCHEDULERS

Listed = Counter[tuple[str, str]]
"""Where a name stands and which, and how often it stands there."""


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


def written() -> Listed:
    """What is in the lists now; to be asked before a plugin is imported, for `since`."""
    return Counter((place, name) for place, names in _lists().items() for name in names)


def since(before: Listed) -> Listed:
    """What was written into the lists since then, and how often."""
    return written() - before


def take_out(listed: Listed) -> None:
    """Takes out what a plugin wrote into the lists, when it is imported again or goes."""
    done: set[int] = set()
    for place, names in _lists().items():
        if id(names) in done or not isinstance(names, list):
            continue
        done.add(id(names))  # as long as nobody puts another there, two places have the same list
        for (where, name), count in listed.items():
            for _ in range(min(count, names.count(name)) if where == place else 0):
                del names[len(names) - 1 - names[::-1].index(name)]


def _lists() -> dict[str, Any]:
    """The lists that plugins write to, by where they stand."""
    module = sys.modules.get("comfy.samplers")
    if module is None:
        return {}
    return {
        "KSampler.SAMPLERS": module.KSampler.SAMPLERS,
        "KSampler.SCHEDULERS": module.KSampler.SCHEDULERS,
        "SAMPLER_NAMES": module.SAMPLER_NAMES,
        "SCHEDULER_NAMES": module.SCHEDULER_NAMES,
    }


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
    # A plugin may have written a name twice, or one that another has written.
    return tuple(ours if module is None else dict.fromkeys(getattr(module.KSampler, name)))
