"""ComfyUI's hooks: changes that hold for some conditions, and by schedule (a LoRA that fades in)."""

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from itertools import pairwise
from typing import Any

from torch import Tensor

from comfy import patcher_extension
from compat.missing import missing
from compat.patcher.hooked_conds import (
    combine_conditioning,
    conditioning_set_values,
    set_conds_props,
    set_conds_props_and_combine,
    set_default_conds_and_combine,
    set_hooks_for_conditioning,
    set_mask_for_conditioning,
    set_timesteps_for_conditioning,
)
from compat.patcher.keyframes import HookKeyframe, HookKeyframeGroup, InterpolationMethod

__all__ = [
    "HookKeyframe",
    "HookKeyframeGroup",
    "InterpolationMethod",
    "combine_conditioning",
    "conditioning_set_values",
    "set_conds_props",
    "set_conds_props_and_combine",
    "set_default_conds_and_combine",
    "set_hooks_for_conditioning",
    "set_mask_for_conditioning",
    "set_timesteps_for_conditioning",
]


class EnumHookMode(Enum):
    """Whether patched weights are kept."""

    MinVram = "minvram"
    MaxSpeed = "maxspeed"


class EnumHookType(Enum):
    """What a hook changes."""

    Weight = "weight"
    ObjectPatch = "object_patch"
    AdditionalModels = "add_models"
    TransformerOptions = "transformer_options"
    Injections = "add_injections"


class EnumWeightTarget(Enum):
    """Whose weights."""

    Model = "model"
    Clip = "clip"


class EnumHookScope(Enum):
    """For which conditions."""

    AllConditioning = "all_conditioning"
    HookedOnly = "hooked_only"


class _HookRef:
    """What clones of a hook share: by it they are known as the same."""


class Hook:
    """A change that holds for the conditions it is on. Clones are equal to it."""

    def __init__(
        self,
        hook_type: EnumHookType | None = None,
        hook_ref: _HookRef | None = None,
        hook_id: str | None = None,
        hook_keyframe: HookKeyframeGroup | None = None,
        hook_scope: EnumHookScope = EnumHookScope.AllConditioning,
    ) -> None:
        self.hook_type = hook_type
        self.hook_ref = hook_ref or _HookRef()
        self.hook_id = hook_id
        self.hook_keyframe = hook_keyframe or HookKeyframeGroup()
        self.hook_scope = hook_scope
        self.custom_should_register: Callable[..., bool] = default_should_register

    @property
    def strength(self) -> float:
        """How strong it is now."""
        return self.hook_keyframe.strength

    def initialize_timesteps(self, model: Any) -> None:
        """Before a run: back to its beginning."""
        self.reset()
        self.hook_keyframe.initialize_timesteps(model)

    def reset(self) -> None:
        """Back to the beginning of a run."""
        self.hook_keyframe.reset()

    def clone(self) -> Any:
        """Another that is equal to it."""
        made = type(self).__new__(type(self))
        made.__dict__.update(vars(self))
        return made

    def should_register(self, model: Any, model_options: Any, target_dict: Any, registered: "HookGroup") -> bool:
        """Whether it is for this model, and not there already."""
        return self.custom_should_register(self, model, model_options, target_dict, registered)

    def add_hook_patches(self, model: Any, model_options: Any, target_dict: Any, registered: "HookGroup") -> bool:
        """Takes its changes up in a patcher."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it changes")

    def on_apply(self, model: Any, transformer_options: dict[str, Any]) -> None:
        """When a condition with it is asked about."""

    def on_apply_hooks(self, model: Any, transformer_options: dict[str, Any]) -> None:
        """The same; what it puts into transformer_options is merged with others'."""

    def on_unapply(self, model: Any, transformer_options: dict[str, Any]) -> None:
        """When one without it is."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hook) and type(self) is type(other) and self.hook_ref is other.hook_ref

    def __hash__(self) -> int:
        return hash(self.hook_ref)


def default_should_register(
    hook: Hook, model: Any, model_options: Any, target_dict: Any, registered: "HookGroup"
) -> bool:
    """Whether a hook is for this patcher: always, unless a plugin says otherwise."""
    return not registered.contains(hook)


class WeightHook(Hook):
    """Changes of weights, those of a LoRA for instance."""

    def __init__(self, strength_model: float = 1.0, strength_clip: float = 1.0) -> None:
        super().__init__(hook_type=EnumHookType.Weight, hook_scope=EnumHookScope.HookedOnly)
        self.weights: Any = None
        self.weights_clip: Any = None
        self.need_weight_init = True
        self._strength_model, self._strength_clip = strength_model, strength_clip

    @property
    def strength_model(self) -> float:
        """How strong it is now on a denoiser."""
        return self._strength_model * self.strength

    @property
    def strength_clip(self) -> float:
        """How strong it is now on a text encoder."""
        return self._strength_clip * self.strength

    def add_hook_patches(self, model: Any, model_options: Any, target_dict: Any, registered: "HookGroup") -> bool:
        if not self.should_register(model, model_options, target_dict, registered):
            return False
        is_clip = target_dict.get("target") == EnumWeightTarget.Clip
        strength = self._strength_clip if is_clip else self._strength_model
        weights = self.weights_clip if is_clip else self.weights
        if self.need_weight_init:
            import comfy.lora
            import comfy.lora_convert

            names = comfy.lora.model_lora_keys_clip if is_clip else comfy.lora.model_lora_keys_unet
            converted = comfy.lora_convert.convert_lora(self.weights or {})
            weights = comfy.lora.load_lora(converted, names(model.model, {}), log_missing=False)
        model.add_hook_patches(hook=self, patches=weights or {}, strength_patch=strength)
        registered.add(self)
        return True


class ObjectPatchHook(Hook):
    """Replaced attributes."""

    def __init__(
        self,
        object_patches: dict[str, Any] | None = None,
        hook_scope: EnumHookScope = EnumHookScope.AllConditioning,
    ) -> None:
        super().__init__(hook_type=EnumHookType.ObjectPatch)
        self.object_patches = object_patches
        self.hook_scope = hook_scope

    def add_hook_patches(self, model: Any, model_options: Any, target_dict: Any, registered: "HookGroup") -> bool:
        if not self.should_register(model, model_options, target_dict, registered):
            return False
        for name, value in (self.object_patches or {}).items():
            model.add_object_patch(name, value)
        registered.add(self)
        return True


class AdditionalModelsHook(Hook):
    """Further models to load."""

    def __init__(self, models: list[Any] | None = None, key: str | None = None) -> None:
        super().__init__(hook_type=EnumHookType.AdditionalModels)
        self.models, self.key = models, key

    def add_hook_patches(self, model: Any, model_options: Any, target_dict: Any, registered: "HookGroup") -> bool:
        if not self.should_register(model, model_options, target_dict, registered):
            return False
        registered.add(self)
        return True


class TransformerOptionsHook(Hook):
    """Further transformer_options: wrappers, patches."""

    def __init__(
        self,
        transformers_dict: dict[str, Any] | None = None,
        hook_scope: EnumHookScope = EnumHookScope.AllConditioning,
    ) -> None:
        super().__init__(hook_type=EnumHookType.TransformerOptions)
        self.transformers_dict = transformers_dict
        self.hook_scope = hook_scope
        self._skip_adding = False

    def add_hook_patches(self, model: Any, model_options: Any, target_dict: Any, registered: "HookGroup") -> bool:
        if not self.should_register(model, model_options, target_dict, registered):
            return False
        self._skip_adding = False
        if self.hook_scope == EnumHookScope.AllConditioning:
            options = (model_options or {}).setdefault("transformer_options", {})
            patcher_extension.merge_nested_dicts(options, self.transformers_dict or {}, copy_dict1=False)
            self._skip_adding = True
        registered.add(self)
        return True

    def on_apply_hooks(self, model: Any, transformer_options: dict[str, Any]) -> None:
        if not self._skip_adding:
            patcher_extension.merge_nested_dicts(transformer_options, self.transformers_dict or {}, copy_dict1=False)


WrapperHook = TransformerOptionsHook


class InjectionsHook(Hook):
    """Things put into a loaded model."""

    def __init__(self, key: str | None = None, injections: list[Any] | None = None) -> None:
        super().__init__(hook_type=EnumHookType.Injections)
        self.key, self.injections = key, injections

    def add_hook_patches(self, model: Any, model_options: Any, target_dict: Any, registered: "HookGroup") -> bool:
        if not self.should_register(model, model_options, target_dict, registered):
            return False
        model.set_injections(self.key, self.injections or [])
        registered.add(self)
        return True


class HookGroup:
    """Several hooks, each once; groups of equal hooks are equal."""

    def __init__(self) -> None:
        self.hooks: list[Any] = []

    def __len__(self) -> int:
        return len(self.hooks)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HookGroup) and set(self.hooks) == set(other.hooks)

    def __hash__(self) -> int:
        return hash(frozenset(self.hooks))

    def add(self, hook: Hook) -> None:
        """One more, unless it is there."""
        if hook not in self.hooks:
            self.hooks.append(hook)

    def remove(self, hook: Hook) -> None:
        """One less."""
        if hook in self.hooks:
            self.hooks.remove(hook)

    def get_type(self, hook_type: EnumHookType) -> list[Any]:
        """Those of a type."""
        return [hook for hook in self.hooks if hook.hook_type == hook_type]

    def contains(self, hook: Hook) -> bool:
        """Whether it is there."""
        return hook in self.hooks

    def is_subset_of(self, other: "HookGroup") -> bool:
        """Whether all are in the other."""
        return set(self.hooks) <= set(other.hooks)

    def new_with_common_hooks(self, other: "HookGroup") -> "HookGroup":
        """Those in both."""
        return _group(hook.clone() for hook in self.hooks if hook in other.hooks)

    def clone(self) -> "HookGroup":
        """Another with clones of them."""
        return _group(hook.clone() for hook in self.hooks)

    def clone_and_combine(self, other: "HookGroup | None") -> "HookGroup":
        """Those of both."""
        return _group([*self.clone().hooks, *([] if other is None else other.clone().hooks)])

    def set_keyframes_on_hooks(self, hook_kf: HookKeyframeGroup | None) -> None:
        """The same keyframes for all; each group of hooks has a run of its own."""
        keyframes = HookKeyframeGroup() if hook_kf is None else hook_kf.clone()
        for hook in self.hooks:
            hook.hook_keyframe = keyframes

    def get_hooks_for_clip_schedule(self) -> list[tuple[tuple[float, float], list[tuple[Any, Any]]]]:
        """The ranges of a run between keyframes; for each the hooks and the keyframe that holds there (or None)."""
        weight_hooks = self.get_type(EnumHookType.Weight)
        starts = {0.0, 1.0}
        for hook in weight_hooks:
            starts |= {frame.start_percent for frame in hook.hook_keyframe.keyframes}
        marks = sorted(starts)
        ranges = []
        for start, end in pairwise(marks):
            held = []
            for hook in weight_hooks:
                begun = [frame for frame in hook.hook_keyframe.keyframes if frame.start_percent <= start]
                held.append((hook, begun[-1] if begun else None))
            ranges.append(((start, end), held))
        return ranges

    def reset(self) -> None:
        """All back to the beginning of a run."""
        for hook in self.hooks:
            hook.reset()

    @staticmethod
    def combine_all_hooks(hooks_list: Iterable["HookGroup | None"], require_count: int = 0) -> "HookGroup | None":
        """Those of all groups; None when there are no groups, or fewer than required."""
        groups = [group for group in hooks_list if group is not None]
        if not groups or len(groups) < require_count:
            return None
        if len(groups) == 1:
            return groups[0]
        return _group(hook for group in groups for hook in group.clone().hooks)


def _group(hooks: Iterable[Any]) -> HookGroup:
    made = HookGroup()
    for hook in hooks:
        made.add(hook)
    return made


def create_transformer_options_from_hooks(
    model: Any, hooks: HookGroup | None, transformer_options: dict[str, Any] | None = None
) -> dict[str, Any]:
    """What a group's hooks add to transformer_options (into those given, where some are)."""
    options = {} if transformer_options is None else transformer_options
    for hook in [] if hooks is None else hooks.hooks:
        hook.on_apply_hooks(model, options)
    return options


def create_target_dict(target: EnumWeightTarget, **kwargs: Any) -> dict[str, Any]:
    """Whom hooks are registered for."""
    return {"target": target, **kwargs}


def create_hook_lora(lora: Mapping[str, Tensor], strength_model: float, strength_clip: float) -> HookGroup:
    """A group with one hook: a LoRA file, bound to weights when it is registered."""
    hook = WeightHook(strength_model, strength_clip)
    hook.weights = lora
    return _group([hook])


def create_hook_model_as_lora(
    weights_model: Any, weights_clip: Any, strength_model: float, strength_clip: float
) -> HookGroup:
    """A group with one hook: another model's weights, as the difference to this one's."""
    hook = WeightHook(strength_model, strength_clip)
    hook.weights, hook.weights_clip, hook.need_weight_init = weights_model, weights_clip, False
    return _group([hook])


def get_patch_weights_from_model(model: Any) -> Any:
    """A model's weights as patches for create_hook_model_as_lora; None for no model."""
    if model is None:
        return None
    patches = model.get_key_patches()
    return {key: ("model_as_lora", (each[0][0],)) for key, each in patches.items()}


def load_hook_lora_for_models(
    model: Any, clip: Any, lora: Mapping[str, Tensor], strength_model: float, strength_clip: float
) -> tuple[Any, Any, HookGroup]:
    """Clones of a model and a text encoder with a LoRA for hooks, and the group that turns it on."""
    import comfy.lora

    hook = WeightHook(strength_model, strength_clip)
    group = _group([hook])
    hook.need_weight_init = False
    new_model = new_clip = None
    if model is not None:
        patches = comfy.lora.load_lora(lora, comfy.lora.model_lora_keys_unet(model.model, {}), log_missing=False)
        new_model = model.clone()
        new_model.add_hook_patches(hook=hook, patches=patches, strength_patch=strength_model)
    if clip is not None:
        names = comfy.lora.model_lora_keys_clip(clip.cond_stage_model, {})
        patches = comfy.lora.load_lora(lora, names, log_missing=False)
        new_clip = clip.clone()
        new_clip.patcher.add_hook_patches(hook=hook, patches=patches, strength_patch=strength_clip)
    return new_model, new_clip, group


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
