"""Changes that hold for some conditions only, and by schedule: a LoRA that fades in, for one text of several.

A group of hooks goes with a condition; the network wears its changes whenever that condition is asked about. A hook
keeps its identity when it is copied or combined. Source: node_behaviour.md 11.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from torch import Tensor

from engine.adapters import alike, lora
from engine.adapters.keyframes import NO_KEYFRAMES, Keyframes, Standing
from engine.checkpoints.lora_files import Lora
from engine.devices.deltas import Delta
from engine.devices.patches import NONE, Patches, joined
from engine.errors import CheckpointError
from engine.values import Check, Clip, Model


@dataclass(frozen=True, eq=False)
class Weights:
    """Another checkpoint's weights, to go some of the way to; `name` is what messages call it."""

    model: Mapping[str, Tensor]
    clip: Mapping[str, Tensor]
    name: str = "the checkpoint of a hook"


@dataclass(frozen=True, eq=False)
class Towards:
    """The way from a model's weight, as it is in its file, to another's."""

    weight: Tensor
    other: Tensor

    def applied(self, weight: Tensor, strength: float) -> Tensor:
        if self.other.shape != weight.shape:
            raise ValueError(f"the other model has a weight of shape {tuple(self.other.shape)} there")
        return weight + strength * (self.other.to(weight) - self.weight.to(weight))


class Identity:
    """By this a hook is known, however often it is copied."""


@dataclass(frozen=True)
class Hook:
    """One change, how strongly it is meant, and its schedule. Hooks of the same `identity` are the same."""

    source: Lora | Weights = field(compare=False)
    strength_model: float = field(compare=False)
    strength_clip: float = field(compare=False)
    keyframes: Keyframes = field(default=NO_KEYFRAMES, compare=False)
    identity: object = field(default_factory=Identity)

    def deltas(self, model: Model) -> Mapping[str, Delta]:
        """What it changes about a model. Raises: CheckpointError, for a checkpoint of another family."""
        if self.strength_model == 0:
            return {}
        if isinstance(self.source, Lora):
            return lora.bind(self.source, model, None, is_whole=False).for_model
        return _towards(model.part.weights, self.source.model, "the model", self.source.name)

    def clip_deltas(self, clip: Clip) -> Mapping[str, Delta]:
        """What it changes about text encoders. Raises: CheckpointError, for a checkpoint of another family."""
        if self.strength_clip == 0:
            return {}
        if isinstance(self.source, Lora):
            return lora.bind(self.source, None, clip, is_whole=False).for_clip
        if not self.source.clip:
            raise CheckpointError(
                f"{self.source.name}: no text encoder inside, so it cannot change this CLIP as a hook; create the hook "
                "with CreateHookModelAsLoraModelOnly, or choose a checkpoint that has one"
            )
        theirs = f"the text encoder of {self.source.name}"
        return _towards(clip.weights, self.source.clip, "the CLIP", theirs)


@dataclass(frozen=True)
class HookGroup:
    """Several hooks, each once; groups of the same hooks are equal, whatever their order."""

    hooks: tuple[Any, ...] = ()

    def joined(self, other: "HookGroup | None") -> "HookGroup":
        """These, then those of the other that are not among them."""
        return self if other is None else HookGroup(tuple(dict.fromkeys((*self.hooks, *other.hooks))))

    def scheduled(self, keyframes: Keyframes) -> "HookGroup":
        """The same hooks, all by this schedule; those of plugins' own kinds keep theirs."""
        return HookGroup(
            tuple(replace(hook, keyframes=keyframes) if isinstance(hook, Hook) else hook for hook in self.hooks)
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HookGroup) and frozenset(self.hooks) == frozenset(other.hooks)

    def __hash__(self) -> int:
        return hash(frozenset(self.hooks))


@dataclass(frozen=True, eq=False)
class ClipHooks:
    """Hooks of text encoders. `on_conditions`: texts take them along; `is_scheduled`: a text for each keyframe."""

    group: HookGroup
    on_conditions: bool
    is_scheduled: bool


def combined(groups: Iterable[HookGroup | None]) -> HookGroup | None:
    """The hooks of all groups; None where there are none."""
    found: HookGroup | None = None
    for group in groups:
        if group is not None:
            found = group if found is None else found.joined(group)
    return found


class Wardrobe:
    """Dresses a model's network for the conditions it is asked about, all through one run.

    To be used while the network is ready and in nobody else's hands.
    """

    def __init__(self, model: Model, sigmas: Tensor, check: Check) -> None:
        self.model, self.check = model, check
        self._highest = float(sigmas[0])
        self._standings: dict[int, Standing] = {}
        self._deltas: dict[Hook, Mapping[str, Delta]] = {}
        self._patches: dict[tuple[tuple[Hook, float], ...], Patches] = {}

    def __call__(self, hooks: object | None, sigma: Tensor) -> None:
        """Gives the network the changes of a group, as strong as they are at this noise level, and no others."""
        group = hooks.hooks if isinstance(hooks, HookGroup) else ()
        key = tuple((hook, self._strength(hook, float(sigma))) for hook in group)
        if key not in self._patches:
            self._patches[key] = self._made(key)
        part = self.model.part
        try:
            part.wear(self._patches[key], self.check)
        except BaseException:
            part.leave()  # half dressed; whoever comes next starts from the file
            raise

    def _strength(self, hook: Hook, level: float) -> float:
        keyframes = hook.keyframes
        if id(keyframes) not in self._standings:
            self._standings[id(keyframes)] = keyframes.standing(self.model.prediction.table, self._highest)
        return hook.strength_model * self._standings[id(keyframes)].strength(level)

    def _made(self, key: Sequence[tuple[Hook, float]]) -> Patches:
        found: Patches = NONE
        for hook, strength in key:
            if hook not in self._deltas:
                self._deltas[hook] = hook.deltas(self.model)
            found = joined(found, lora.patches(self._deltas[hook], strength))
        return joined(self.model.patches, found)


def dresser(
    model: Model, conditions: Iterable[Any], sigmas: Tensor, check: Check
) -> Callable[[object | None, Tensor], None] | None:
    """What dresses a model for a run with these conditions; None where none of them has hooks."""
    needed = any(condition.hooks is not None for condition in conditions)
    return Wardrobe(model, sigmas, check) if needed and len(sigmas) > 0 else None


def worn(clip: Clip) -> list[tuple[Clip, dict[str, Any]]]:
    """A text encoder with its hooks on, and the options of conditions it makes; one for each range of the schedule.

    Raises: CheckpointError, for files that cannot be used.
    """
    if not isinstance(clip.hooks, ClipHooks):
        return [(clip, {})]
    hooks, plain = clip.hooks, replace(clip, hooks=None)
    options: dict[str, Any] = {"hooks": hooks.group} if hooks.on_conditions else {}
    deltas = [(hook, hook.clip_deltas(plain)) for hook in hooks.group.hooks]
    if not hooks.is_scheduled:
        return [(_with(plain, [(found, hook.strength_clip) for hook, found in deltas]), options)]
    ranges = []
    for start, end in _ranges(hooks.group):
        strengths = [(found, hook.strength_clip * hook.keyframes.at(start)) for hook, found in deltas]
        ranges.append((_with(plain, strengths), {**options, "clip_start_percent": start, "clip_end_percent": end}))
    return ranges


def _ranges(group: HookGroup) -> Iterable[tuple[float, float]]:
    """The parts of a run between keyframes."""
    starts = {frame.start for hook in group.hooks for frame in hook.keyframes.frames}
    return pairwise(sorted({0.0, 1.0, *starts}))


def _with(clip: Clip, deltas: Iterable[tuple[Mapping[str, Delta], float]]) -> Clip:
    for found, strength in deltas:
        clip = clip.with_patches(lora.patches(found, strength))
    return clip


def _towards(ours: Mapping[str, Tensor], others: Mapping[str, Tensor], first: str, second: str) -> dict[str, Delta]:
    names = alike.common(ours, others, f"{first} that wears it as a hook", second, "choose one of the same family")
    return {name: Towards(ours[name], others[name]) for name in names if ours[name].shape == others[name].shape}
