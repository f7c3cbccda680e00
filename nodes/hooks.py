"""Nodes for changes that hold for some conditions only, and by schedule: hooks, keyframes, properties of conditions."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

from engine.adapters import hooks as adapters
from engine.adapters.hooks import ClipHooks
from engine.adapters.keyframes import CURVES, NO_KEYFRAMES, Keyframe, Keyframes, interpolated, spread
from engine.checkpoints.load import Loader
from engine.folders import Folders
from engine.graph.define import Choices, Files, Widget, Wire, node
from nodes.convert import naming, need_clip, need_mask
from nodes.types import Clip, Conditioning, HookGroup, HookKeyframes, Mask, Percent, Strength, TimestepsRange

log = logging.getLogger(__name__)

HookStrength = Annotated[float, Widget(min=-20.0, max=20.0, step=0.01, tooltip="1 is the normal weight.")]
Curve = Annotated[str, Choices(tuple(CURVES), tooltip="How the strength goes from start to end.")]
CurveStrength = Annotated[float, Widget(min=0.0, max=10.0, step=0.001)]
LoraName = Annotated[str, Files("loras", tooltip="A file of models/loras.")]
CheckpointName = Annotated[str, Files("checkpoints", tooltip="A file of models/checkpoints.")]
Area = Literal["default", "mask bounds"]
Floats = Annotated[Any, Wire("FLOATS"), Widget(default=-1, min=-1, step=0.001, forceInput=True)]

CREATE, SCHEDULING, COMBINE = (f"advanced/hooks/{each}" for each in ("create", "scheduling", "combine"))
PAIR, SINGLE = "advanced/hooks/cond pair", "advanced/hooks/cond single"


class Pair(NamedTuple):
    """Both sides of a guidance."""

    positive: Conditioning
    negative: Conditioning


class Ranges(NamedTuple):
    """A part of a run, what comes before it, and what after."""

    TIMESTEPS_RANGE: TimestepsRange
    BEFORE_RANGE: TimestepsRange
    AFTER_RANGE: TimestepsRange


class KeyframesOut(NamedTuple):
    """A schedule."""

    HOOK_KF: HookKeyframes


def _with_hook(previous: adapters.HookGroup | None, hook: adapters.Hook) -> adapters.HookGroup:
    return (previous or adapters.HookGroup()).joined(adapters.HookGroup((hook,)))


def _lora_hook(
    folders: Folders, loader: Loader, name: str, strengths: tuple[float, float], previous: adapters.HookGroup | None
) -> adapters.HookGroup:
    if strengths == (0, 0):
        return previous or adapters.HookGroup()
    with naming("lora_name"):
        return _with_hook(previous, adapters.Hook(loader.lora(folders.path("loras", name)), *strengths))


def _model_hook(
    folders: Folders, loader: Loader, name: str, strengths: tuple[float, float], previous: adapters.HookGroup | None
) -> adapters.HookGroup:
    with naming("ckpt_name"):
        checkpoint = loader.checkpoint(folders.path("checkpoints", name))
    clip = {} if checkpoint.clip is None else checkpoint.clip.weights
    weights = adapters.Weights(checkpoint.model.part.weights, clip, name)
    return _with_hook(previous, adapters.Hook(weights, *strengths))


@node("CreateHookLora", category=CREATE, is_experimental=True)
def create_hook_lora(
    *,
    lora_name: LoraName,
    strength_model: HookStrength = 1.0,
    strength_clip: HookStrength = 1.0,
    prev_hooks: HookGroup | None = None,
    folders: Folders,
    loader: Loader,
) -> HookGroup:
    """A LoRA for single conditions, as a hook."""
    return _lora_hook(folders, loader, lora_name, (strength_model, strength_clip), prev_hooks)


@node("CreateHookLoraModelOnly", category=CREATE, is_experimental=True)
def create_hook_lora_model_only(
    *,
    lora_name: LoraName,
    strength_model: HookStrength = 1.0,
    prev_hooks: HookGroup | None = None,
    folders: Folders,
    loader: Loader,
) -> HookGroup:
    """A LoRA for single conditions, as a hook, which leaves the text encoder as it is."""
    return _lora_hook(folders, loader, lora_name, (strength_model, 0.0), prev_hooks)


@node("CreateHookModelAsLora", category=CREATE, is_experimental=True)
def create_hook_model_as_lora(
    *,
    ckpt_name: CheckpointName,
    strength_model: HookStrength = 1.0,
    strength_clip: HookStrength = 1.0,
    prev_hooks: HookGroup | None = None,
    folders: Folders,
    loader: Loader,
) -> HookGroup:
    """Another checkpoint, or some of the way to it, for single conditions."""
    return _model_hook(folders, loader, ckpt_name, (strength_model, strength_clip), prev_hooks)


@node("CreateHookModelAsLoraModelOnly", category=CREATE, is_experimental=True)
def create_hook_model_as_lora_model_only(
    *,
    ckpt_name: CheckpointName,
    strength_model: HookStrength = 1.0,
    prev_hooks: HookGroup | None = None,
    folders: Folders,
    loader: Loader,
) -> HookGroup:
    """Another checkpoint's denoiser, or some of the way to it, for single conditions."""
    return _model_hook(folders, loader, ckpt_name, (strength_model, 0.0), prev_hooks)


@node("CreateHookKeyframe", category=SCHEDULING, is_experimental=True)
def create_hook_keyframe(
    *,
    strength_mult: HookStrength = 1.0,
    start_percent: Percent = 0.0,
    prev_hook_kf: HookKeyframes | None = None,
) -> KeyframesOut:
    """From a part of the run on, so much of a hook's strength."""
    return KeyframesOut((prev_hook_kf or NO_KEYFRAMES).joined([Keyframe(strength_mult, start_percent)]))


@node("CreateHookKeyframesInterpolated", category=SCHEDULING, is_experimental=True)
def create_hook_keyframes_interpolated(
    *,
    strength_start: CurveStrength = 1.0,
    strength_end: CurveStrength = 1.0,
    interpolation: Curve,
    start_percent: Percent = 0.0,
    end_percent: Percent = 1.0,
    keyframes_count: Annotated[int, Widget(min=2, max=100, step=1)] = 5,
    print_keyframes: bool = False,
    prev_hook_kf: HookKeyframes | None = None,
) -> KeyframesOut:
    """A strength that goes from one value to another over a part of the run.

    print_keyframes: says them in the log.
    """
    frames = interpolated((strength_start, strength_end), (start_percent, end_percent), keyframes_count, interpolation)
    return _keyframes(frames, prev_hook_kf, print_keyframes)


@node("CreateHookKeyframesFromFloats", category=SCHEDULING, is_experimental=True)
def create_hook_keyframes_from_floats(
    *,
    floats_strength: Floats,
    start_percent: Percent = 0.0,
    end_percent: Percent = 1.0,
    print_keyframes: bool = False,
    prev_hook_kf: HookKeyframes | None = None,
) -> KeyframesOut:
    """Strengths from a list of numbers, evenly over a part of the run.

    print_keyframes: says them in the log.
    """
    given = floats_strength if isinstance(floats_strength, list | tuple) else [floats_strength]
    return _keyframes(
        spread([float(each) for each in given], (start_percent, end_percent)), prev_hook_kf, print_keyframes
    )


def _keyframes(frames: list[Keyframe], previous: Keyframes | None, is_told: bool) -> KeyframesOut:
    if is_told:
        for frame in frames:
            log.info("keyframe: from %.1f %% of the run on, strength %.4g", 100 * frame.start, frame.strength)
    return KeyframesOut((previous or NO_KEYFRAMES).joined(frames))


@node("SetHookKeyframes", category=SCHEDULING, is_experimental=True)
def set_hook_keyframes(*, hooks: HookGroup, hook_kf: HookKeyframes | None = None) -> HookGroup:
    """Give hooks a schedule."""
    return hooks if hook_kf is None else hooks.scheduled(hook_kf)


@node("SetClipHooks", category="advanced/hooks/clip", is_experimental=True)
def set_clip_hooks(
    *, clip: Clip, apply_to_conds: bool = True, schedule_clip: bool = False, hooks: HookGroup | None = None
) -> Clip:
    """Encode texts with hooks.

    apply_to_conds: the denoiser wears the hooks as well wherever the texts guide it.
    schedule_clip: the text is encoded anew for each keyframe.
    """
    encoder = need_clip(clip)
    return encoder if hooks is None else encoder.with_hooks(ClipHooks(hooks, apply_to_conds, schedule_clip))


@node("CombineHooks2", category=COMBINE, is_experimental=True)
def combine_hooks_2(*, hooks_A: HookGroup | None = None, hooks_B: HookGroup | None = None) -> HookGroup:
    """Two groups of hooks as one."""
    return _combined(hooks_A, hooks_B)


@node("CombineHooks4", category=COMBINE, is_experimental=True)
def combine_hooks_4(
    *,
    hooks_A: HookGroup | None = None,
    hooks_B: HookGroup | None = None,
    hooks_C: HookGroup | None = None,
    hooks_D: HookGroup | None = None,
) -> HookGroup:
    """Four groups of hooks as one."""
    return _combined(hooks_A, hooks_B, hooks_C, hooks_D)


@node("CombineHooks8", category=COMBINE, is_experimental=True)
def combine_hooks_8(
    *,
    hooks_A: HookGroup | None = None,
    hooks_B: HookGroup | None = None,
    hooks_C: HookGroup | None = None,
    hooks_D: HookGroup | None = None,
    hooks_E: HookGroup | None = None,
    hooks_F: HookGroup | None = None,
    hooks_G: HookGroup | None = None,
    hooks_H: HookGroup | None = None,
) -> HookGroup:
    """Eight groups of hooks as one."""
    return _combined(hooks_A, hooks_B, hooks_C, hooks_D, hooks_E, hooks_F, hooks_G, hooks_H)


def _combined(*groups: adapters.HookGroup | None) -> adapters.HookGroup:
    found = adapters.combined(groups)
    return found if found is not None else adapters.HookGroup()


@dataclass(frozen=True)
class Properties:
    """What is set on each entry of a conditioning: hooks come to those it has, the others replace what it has."""

    hooks: adapters.HookGroup | None = None
    mask: Any = None
    strength: float = 1.0
    area: str = "default"
    timesteps: tuple[float, float] | None = None
    is_default: bool = False

    def on(self, conditioning: list[list[Any]]) -> list[list[Any]]:
        """A copy of a conditioning with them."""
        options: dict[str, Any] = {"default": True} if self.is_default else {}
        if self.mask is not None:
            options["mask"] = need_mask(self.mask, "mask")[:, 0]
            options |= {"mask_strength": self.strength, "set_area_to_bounds": self.area != "default"}
        if self.timesteps is not None:
            options |= {"start_percent": self.timesteps[0], "end_percent": self.timesteps[1]}
        return [[tokens, {**known, **options, **self._hooks(known)}] for tokens, known in conditioning]

    def _hooks(self, known: Mapping[str, Any]) -> dict[str, Any]:
        found = adapters.combined((known.get("hooks"), self.hooks))
        return {} if found is None else {"hooks": found}


@node("PairConditioningCombine", category=PAIR, is_experimental=True)
def pair_conditioning_combine(
    *, positive_A: Conditioning, negative_A: Conditioning, positive_B: Conditioning, negative_B: Conditioning
) -> Pair:
    """Add to both sides others that hold at once."""
    return Pair([*positive_A, *positive_B], [*negative_A, *negative_B])


@node("PairConditioningSetProperties", category=PAIR, is_experimental=True)
def pair_conditioning_set_properties(
    *,
    positive_NEW: Conditioning,
    negative_NEW: Conditioning,
    strength: Strength = 1.0,
    set_cond_area: Area,
    mask: Mask | None = None,
    hooks: HookGroup | None = None,
    timesteps: TimestepsRange | None = None,
) -> Pair:
    """Say for both sides which hooks they wear, where they hold and when."""
    properties = Properties(hooks, mask, strength, set_cond_area, timesteps)
    return Pair(properties.on(positive_NEW), properties.on(negative_NEW))


@node("PairConditioningSetPropertiesAndCombine", category=PAIR, is_experimental=True)
def pair_conditioning_set_properties_and_combine(
    *,
    positive: Conditioning,
    negative: Conditioning,
    positive_NEW: Conditioning,
    negative_NEW: Conditioning,
    strength: Strength = 1.0,
    set_cond_area: Area,
    mask: Mask | None = None,
    hooks: HookGroup | None = None,
    timesteps: TimestepsRange | None = None,
) -> Pair:
    """Add to both sides others with hooks, a place and a time of their own."""
    properties = Properties(hooks, mask, strength, set_cond_area, timesteps)
    return Pair([*positive, *properties.on(positive_NEW)], [*negative, *properties.on(negative_NEW)])


@node("ConditioningSetProperties", category=SINGLE, is_experimental=True)
def conditioning_set_properties(
    *,
    cond_NEW: Conditioning,
    strength: Strength = 1.0,
    set_cond_area: Area,
    mask: Mask | None = None,
    hooks: HookGroup | None = None,
    timesteps: TimestepsRange | None = None,
) -> Conditioning:
    """Say which hooks a conditioning wears, where it holds and when."""
    return Properties(hooks, mask, strength, set_cond_area, timesteps).on(cond_NEW)


@node("ConditioningSetPropertiesAndCombine", category=SINGLE, is_experimental=True)
def conditioning_set_properties_and_combine(
    *,
    cond: Conditioning,
    cond_NEW: Conditioning,
    strength: Strength = 1.0,
    set_cond_area: Area,
    mask: Mask | None = None,
    hooks: HookGroup | None = None,
    timesteps: TimestepsRange | None = None,
) -> Conditioning:
    """Add to a conditioning another with hooks, a place and a time of its own."""
    return [*cond, *Properties(hooks, mask, strength, set_cond_area, timesteps).on(cond_NEW)]


@node("PairConditioningSetDefaultCombine", category=PAIR, is_experimental=True)
def pair_conditioning_set_default_combine(
    *,
    positive: Conditioning,
    negative: Conditioning,
    positive_DEFAULT: Conditioning,
    negative_DEFAULT: Conditioning,
    hooks: HookGroup | None = None,
) -> Pair:
    """Add to both sides what holds wherever nothing else does."""
    default = Properties(hooks, is_default=True)
    return Pair([*positive, *default.on(positive_DEFAULT)], [*negative, *default.on(negative_DEFAULT)])


@node("ConditioningSetDefaultCombine", category=SINGLE, is_experimental=True)
def conditioning_set_default_combine(
    *, cond: Conditioning, cond_DEFAULT: Conditioning, hooks: HookGroup | None = None
) -> Conditioning:
    """Add to a conditioning what holds wherever nothing else does."""
    return [*cond, *Properties(hooks, is_default=True).on(cond_DEFAULT)]


@node("ConditioningTimestepsRange", category="advanced/hooks", is_experimental=True)
def conditioning_timesteps_range(*, start_percent: Percent = 0.0, end_percent: Percent = 1.0) -> Ranges:
    """A part of the run, what comes before it and what after."""
    return Ranges((start_percent, end_percent), (0.0, start_percent), (end_percent, 1.0))
