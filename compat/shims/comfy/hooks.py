"""ComfyUI's hooks: changes that hold for some conditions, and by schedule (a LoRA that fades in)."""

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from comfy import patcher_extension

Conditioning = list[Any]


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


class InterpolationMethod:
    """How strengths go from one to another."""

    LINEAR = "linear"
    EASE_IN = "ease_in"
    EASE_OUT = "ease_out"
    EASE_IN_OUT = "ease_in_out"

    _LIST = [LINEAR, EASE_IN, EASE_OUT, EASE_IN_OUT]

    @classmethod
    def get_weights(cls, num_from: float, num_to: float, length: int, method: str, reverse: bool = False) -> Tensor:
        """That many strengths from one to the other."""
        shares = torch.linspace(0, 1, length, dtype=torch.float64)
        shares = {
            cls.LINEAR: shares,
            cls.EASE_IN: shares**2,
            cls.EASE_OUT: 1 - (1 - shares) ** 2,
            cls.EASE_IN_OUT: (1 - (shares * torch.pi).cos()) / 2,
        }[method]
        weights = num_from + (num_to - num_from) * shares
        return weights.flip(0) if reverse else weights


class _HookRef:
    """What clones of a hook share: by it they are known as the same."""


class HookKeyframe:
    """From a share of the run on, this strength; for at least so many steps."""

    def __init__(self, strength: float, start_percent: float = 0.0, guarantee_steps: int = 1) -> None:
        self.strength = strength
        self.start_percent = float(start_percent)
        self.start_t = 999999999.9
        self.guarantee_steps = guarantee_steps

    def get_effective_guarantee_steps(self, max_sigma: Any) -> int:
        """Its steps; none for one that begins before the run does."""
        return 0 if self.start_t > float(max_sigma) else self.guarantee_steps

    def clone(self) -> "HookKeyframe":
        """Another like it."""
        made = HookKeyframe(self.strength, self.start_percent, self.guarantee_steps)
        made.start_t = self.start_t
        return made


class HookKeyframeGroup:
    """Keyframes in the order they begin, and where a run stands among them."""

    def __init__(self) -> None:
        self.keyframes: list[HookKeyframe] = []
        self.reset()

    def reset(self) -> None:
        """Back to the beginning of a run."""
        self._current_index, self._current_used_steps = 0, 0
        self._current_keyframe = self.keyframes[0] if self.keyframes else None
        self._curr_t: float = -1.0

    @property
    def strength(self) -> float:
        """The strength now; 1 without keyframes."""
        return 1.0 if self._current_keyframe is None else self._current_keyframe.strength

    def add(self, keyframe: HookKeyframe) -> None:
        """One more; those that begin together keep their order."""
        self.keyframes = sorted([*self.keyframes, keyframe], key=lambda each: each.start_percent)
        self.reset()

    def is_empty(self) -> bool:
        """Whether there are none."""
        return not self.keyframes

    def has_index(self, index: int) -> bool:
        """Whether there are so many."""
        return 0 <= index < len(self.keyframes)

    def clone(self) -> "HookKeyframeGroup":
        """Another with the same keyframes, at the beginning of a run."""
        made = HookKeyframeGroup()
        made.keyframes = [each.clone() for each in self.keyframes]
        made.reset()
        return made

    def initialize_timesteps(self, model: Any) -> None:
        """Says for this model at which noise level each begins."""
        for keyframe in self.keyframes:
            keyframe.start_t = float(model.model_sampling.percent_to_sigma(keyframe.start_percent))

    def prepare_current_keyframe(self, curr_t: Any, transformer_options: Mapping[str, Any] | None = None) -> bool:
        """Moves on to where this noise level is. Returns: whether the strength is another now."""
        level = float(curr_t)
        if self.is_empty() or level == self._curr_t:
            return False
        before = self._current_keyframe
        schedule = (transformer_options or {}).get("sample_sigmas")
        highest = level if schedule is None else float(schedule[0])
        assert before is not None
        if self._current_used_steps >= before.get_effective_guarantee_steps(highest):
            for index in range(self._current_index + 1, len(self.keyframes)):
                following = self.keyframes[index]
                if following.start_t < level:
                    break
                self._current_keyframe, self._current_index, self._current_used_steps = following, index, 0
                if following.get_effective_guarantee_steps(highest) > 0:
                    break
        self._current_used_steps += 1
        self._curr_t = level
        return before is not self._current_keyframe


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


def conditioning_set_values(conditioning: Conditioning, values: Mapping[str, Any]) -> Conditioning:
    """A conditioning with these values in each of its entries."""
    return [[entry[0], {**entry[1], **values}, *entry[2:]] for entry in conditioning]


def set_hooks_for_conditioning(
    cond: Conditioning,
    hooks: HookGroup | None,
    append_hooks: bool = True,
    cache: dict[Any, HookGroup] | None = None,
) -> Conditioning:
    """A conditioning with these hooks on each entry, besides or in the place of those it has."""
    if hooks is None:
        return cond
    kept = {} if cache is None else cache
    found = []
    for tokens, options, *more in cond:
        before = options.get("hooks") if append_hooks else None
        key = (id(before), id(hooks))
        if key not in kept:
            kept[key] = hooks if before is None else before.clone_and_combine(hooks)
        found.append([tokens, {**options, "hooks": kept[key]}, *more])
    return found


def set_timesteps_for_conditioning(cond: Conditioning, timestep_range: tuple[float, float] | None) -> Conditioning:
    """A conditioning that holds for a part of the run."""
    if timestep_range is None:
        return cond
    return conditioning_set_values(cond, {"start_percent": timestep_range[0], "end_percent": timestep_range[1]})


def set_mask_for_conditioning(
    cond: Conditioning, mask: Tensor | None, set_cond_area: str, strength: float
) -> Conditioning:
    """A conditioning that holds where a mask is."""
    if mask is None:
        return cond
    values = {
        "mask": mask if mask.ndim > 2 else mask.unsqueeze(0),
        "set_area_to_bounds": set_cond_area != "default",
        "mask_strength": strength,
    }
    return conditioning_set_values(cond, values)


def combine_conditioning(conds: Iterable[Conditioning]) -> Conditioning:
    """All entries of all of them."""
    return [entry for cond in conds for entry in cond]


def set_conds_props(
    conds: list[Conditioning],
    strength: float,
    set_cond_area: str,
    mask: Tensor | None = None,
    hooks: HookGroup | None = None,
    timesteps_range: tuple[float, float] | None = None,
    append_hooks: bool = True,
) -> list[Conditioning]:
    """Each conditioning with hooks, a mask and a part of the run."""
    cache: dict[Any, HookGroup] = {}
    found = []
    for cond in conds:
        cond = set_hooks_for_conditioning(cond, hooks, append_hooks=append_hooks, cache=cache)
        cond = set_mask_for_conditioning(cond, mask, set_cond_area, strength)
        found.append(set_timesteps_for_conditioning(cond, timesteps_range))
    return found


def set_conds_props_and_combine(
    conds: list[Conditioning],
    new_conds: list[Conditioning],
    strength: float = 1.0,
    set_cond_area: str = "default",
    mask: Tensor | None = None,
    hooks: HookGroup | None = None,
    timesteps_range: tuple[float, float] | None = None,
    append_hooks: bool = True,
) -> list[Conditioning]:
    """The new ones with those properties, after the old."""
    dressed = set_conds_props(new_conds, strength, set_cond_area, mask, hooks, timesteps_range, append_hooks)
    return [combine_conditioning(pair) for pair in zip(conds, dressed, strict=True)]


def set_default_conds_and_combine(
    conds: list[Conditioning],
    new_conds: list[Conditioning],
    hooks: HookGroup | None = None,
    timesteps_range: tuple[float, float] | None = None,
    append_hooks: bool = True,
) -> list[Conditioning]:
    """The new ones for wherever no other holds, after the old."""
    cache: dict[Any, HookGroup] = {}
    found = []
    for cond, new in zip(conds, new_conds, strict=True):
        new = set_hooks_for_conditioning(new, hooks, append_hooks=append_hooks, cache=cache)
        new = set_timesteps_for_conditioning(conditioning_set_values(new, {"default": True}), timesteps_range)
        found.append(combine_conditioning([cond, new]))
    return found
