"""HOOKS and HOOK_KEYFRAMES at the border: our frozen groups, and the objects with a memory that plugins know.

A hook of a kind that only plugins make stays what it is inside our group, and draws in ComfyUI's way.
"""

from collections.abc import Mapping
from typing import Any

import comfy.hooks
from torch import Tensor

from compat.crossing import enter, leave
from engine.adapters.hooks import Hook, HookGroup, Weights
from engine.adapters.keyframes import NO_KEYFRAMES, Keyframe, Keyframes
from engine.checkpoints.lora_files import Lora

UNET = "diffusion_model."


@enter.register
def _(value: HookGroup) -> comfy.hooks.HookGroup:
    made = comfy.hooks.HookGroup()
    schedules: dict[int, Any] = {}
    for hook in value.hooks:
        if not isinstance(hook, Hook):
            made.add(hook)
            continue
        entered = _entered(hook)
        # Hooks that share a schedule go through it together.
        entered.hook_keyframe = schedules.setdefault(id(hook.keyframes), enter(hook.keyframes))
        made.add(entered)
    return made


@leave.register
def _(value: comfy.hooks.HookGroup) -> HookGroup:
    schedules: dict[int, Keyframes] = {}
    found = []
    for hook in value.hooks:
        if _is_ours(hook):
            keyframes = schedules.setdefault(id(hook.hook_keyframe), leave(hook.hook_keyframe))
            strengths = hook._strength_model, hook._strength_clip
            found.append(Hook(_source(hook), *strengths, keyframes, identity=hook.hook_ref))
        else:
            found.append(hook)
    return HookGroup(tuple(found))


@enter.register
def _(value: Keyframes) -> comfy.hooks.HookKeyframeGroup:
    made = comfy.hooks.HookKeyframeGroup()
    for frame in value.frames:
        made.add(comfy.hooks.HookKeyframe(frame.strength, frame.start, frame.steps))
    return made


@leave.register
def _(value: comfy.hooks.HookKeyframeGroup) -> Keyframes:
    frames = [Keyframe(each.strength, each.start_percent, each.guarantee_steps) for each in value.keyframes]
    return Keyframes(tuple(frames)) if frames else NO_KEYFRAMES


def _entered(hook: Hook) -> Any:
    made: Any = comfy.hooks.WeightHook(hook.strength_model, hook.strength_clip)
    made.hook_ref = hook.identity
    if isinstance(hook.source, Lora):
        made.weights = hook.source.tensors
        return made
    made.need_weight_init = False
    made.weights = {UNET + name: ("model_as_lora", (weight,)) for name, weight in hook.source.model.items()}
    made.weights_clip = {_full(name): ("model_as_lora", (weight,)) for name, weight in hook.source.clip.items()}
    return made


def _full(name: str) -> str:
    encoder, _, rest = name.partition(".")
    inner = "" if rest.startswith("text_projection") else "text_model."
    return f"{encoder}.transformer.{inner}{rest}"


def _is_ours(hook: Any) -> bool:
    """Whether the engine knows all that a hook does: a LoRA's tensors, or another model's weights."""
    if type(hook) is not comfy.hooks.WeightHook or not isinstance(hook.weights, Mapping):
        return False
    if hook.need_weight_init:
        return all(isinstance(each, Tensor) for each in hook.weights.values())
    both = {**hook.weights, **(hook.weights_clip or {})}
    return bool(both) and all(isinstance(each, tuple) and each[0] == "model_as_lora" for each in both.values())


def _source(hook: Any) -> Lora | Weights:
    if hook.need_weight_init:
        return Lora("a LoRA on a hook", hook.weights)
    model = {name.removeprefix(UNET): patch[1][0] for name, patch in hook.weights.items() if name.startswith(UNET)}
    clip = {
        name.replace(".transformer.text_model.", ".", 1).replace(".transformer.", ".", 1): patch[1][0]
        for name, patch in (hook.weights_clip or {}).items()
    }
    return Weights(model, clip)
