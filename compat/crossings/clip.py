"""CLIP at the border: our Clip and the object plugins know; one that a plugin took apart still works in our nodes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakValueDictionary

import comfy.hooks
import comfy.model_patcher
import comfy.sd1_clip
import comfy.sd2_clip
import comfy.sdxl_clip
from torch import Tensor

from compat.crossing import enter, leave
from compat.parts import towers
from compat.parts.clip import CLIP
from engine.adapters.hooks import ClipHooks
from engine.devices.patches import Patches
from engine.values import Clip

_known: WeakValueDictionary[int, CLIP] = WeakValueDictionary()


@dataclass(frozen=True, eq=False)
class AuthorsClip:
    """A text encoder that only its plugin knows how to use, with the members that our nodes ask a Clip for."""

    guest: Any

    @property
    def weights(self) -> dict[str, Tensor]:
        """The weights that LoRA files can change, as Clip names them."""
        residence = getattr(self.guest.patcher, "residence", None)
        if residence is None:
            return {}  # weights that no file of ours can change
        return {name.replace(".transformer.text_model.", ".", 1): w for name, w in residence.weights().items()}

    @property
    def patches(self) -> Patches:
        """The changes its weights have."""
        return towers.patches_from(self.guest.patcher) if self.weights else {}

    def conditioning(self, text: str) -> list[list[Any]]:
        """A text as CONDITIONING, with whatever else the plugin has to say."""
        return leave(self.guest.encode_from_tokens_scheduled(self.guest.tokenize(text)))

    def conditioning_of(self, texts: Mapping[str, str]) -> list[list[Any]]:
        """A text for each encoder, by id, as CONDITIONING; shorter ones are filled up with empty prompts."""
        names = {id: id.removeprefix("clip_") for id in texts}
        tokens = {name: list(self.guest.tokenize(texts[id])[name]) for id, name in names.items()}
        empty = self.guest.tokenize("")
        longest = max(len(chunks) for chunks in tokens.values())
        for name, chunks in tokens.items():
            while len(chunks) < longest:
                chunks += empty[name]
        return leave(self.guest.encode_from_tokens_scheduled(tokens))

    def encode(self, text: str, check: Any = None) -> tuple[Tensor, Tensor]:
        """A text as vectors and a summary."""
        return self.guest.encode_from_tokens(self.guest.tokenize(text), return_pooled=True)

    def unprojected(self, text: str) -> Tensor:
        """A text's summary before its projection."""
        return self.guest.encode_from_tokens(self.guest.tokenize(text), return_pooled="unprojected")[1]

    def with_last_layer(self, layer: int) -> "AuthorsClip":
        """The same encoder, stopped at another layer."""
        made = self.guest.clone()
        made.clip_layer(layer)
        return AuthorsClip(made)

    def with_hooks(self, hooks: Any) -> "AuthorsClip":
        """The same encoder, its texts made with these hooks."""
        made = self.guest.clone()
        _hooked(made, hooks)
        return AuthorsClip(made)

    def with_patches(self, patches: Patches) -> "AuthorsClip":
        """The same encoder with more changes of its weights."""
        made = self.guest.clone()
        if patches:
            towers.give_patches(made.patcher, patches)
        return AuthorsClip(made)


@enter.register
def _(value: Clip) -> CLIP:
    guest = value.guest
    if isinstance(guest, CLIP):
        if guest.left is value:
            return guest
        return _renewed(guest, value)
    known = _known.get(id(value))
    if known is None or known.ours is not value:
        known = CLIP.around(value)
        known.ours = value
        _hooked(known, value.hooks)
        _known[id(value)] = known
    return known


def _hooked(clip: CLIP, hooks: object) -> None:
    """Gives a CLIP the hooks of one of our encoders."""
    if not isinstance(hooks, ClipHooks):
        return
    group = enter(hooks.group)
    clip.apply_hooks_to_conds = group if hooks.on_conditions else None
    clip.use_clip_schedule = hooks.is_scheduled
    forced = group.clone()
    if not hooks.is_scheduled:
        forced.set_keyframes_on_hooks(None)
    clip.patcher.forced_hooks = forced
    target = comfy.hooks.create_target_dict(comfy.hooks.EnumWeightTarget.Clip)
    clip.patcher.register_all_hook_patches(forced, target)


@enter.register
def _(value: AuthorsClip) -> Any:
    return value.guest


@leave.register
def _(value: CLIP) -> Any:
    if not _is_plain(value):
        return AuthorsClip(value)
    patches = towers.patches_from(value.patcher)
    last = value.left
    plain: Any = value.ours
    wanted = plain if value.layer_idx is None else plain.with_last_layer(value.layer_idx)
    if last is None or _differ(last.patches, patches) or _layers(last) != _layers(wanted):
        value.left = replace(wanted, patches=patches, guest=value)
    return value.left


def _layers(clip: Clip) -> list[int]:
    return [each.last_layer for each in clip.encoders]


def _renewed(guest: CLIP, value: Clip) -> CLIP:
    """What a plugin kept with an encoder that our nodes have changed since: the same with those changes."""
    known = _known.get(id(value))
    if known is not None and known.left is value:
        return known
    made = guest.clone()
    before = {} if guest.left is None else guest.left.patches
    further = {name: each[len(before.get(name, ())) :] for name, each in value.patches.items()}
    towers.give_patches(made.patcher, {name: each for name, each in further.items() if each})
    if guest.left is None or _layers(value) != _layers(guest.left):
        made.clip_layer(value.encoders[0].last_layer)
    _hooked(made, value.hooks)
    made.left = value
    _known[id(value)] = made
    return made


def _differ(a: Patches, b: Patches) -> bool:
    return a.keys() != b.keys() or any(
        len(a[key]) != len(b[key]) or any(x is not y for x, y in zip(a[key], b[key], strict=True)) for key in a
    )


_OVERRIDES = {"tokenize", "encode_from_tokens", "encode_from_tokens_scheduled", "encode", "load_model"}
_STAGES = (
    comfy.sd1_clip.SD1ClipModel,
    comfy.sd2_clip.SD2ClipModel,
    comfy.sdxl_clip.SDXLClipModel,
    comfy.sdxl_clip.SDXLRefinerClipModel,
)


def _is_plain(clip: CLIP) -> bool:
    """Whether the engine can encode for it: everything that decides a text's vectors is as we made it."""
    ours, stage = clip.ours, clip.cond_stage_model
    if ours is None or type(clip) is not CLIP or _OVERRIDES & vars(clip).keys() or clip.tokenizer_options:
        return False
    if clip.apply_hooks_to_conds or getattr(clip.patcher, "forced_hooks", None):
        return False
    if type(clip.patcher) is not comfy.model_patcher.ModelPatcher or clip.patcher.object_patches:
        return False
    by_name = towers.encoders_of(stage)
    same = all(
        each.id in by_name and getattr(by_name[each.id].residence, "part", None) is each.part for each in ours.encoders
    )
    return same and type(stage) in _STAGES and _is_untouched(stage) and clip.tokenizer is clip.made_tokenizer


def _is_untouched(stage: Any) -> bool:
    """Whether no plugin put functions of its own on the encoders."""
    changed = {"encode_token_weights", "forward", "encode", "ready"}
    encoders = towers.encoders_of(stage).values()
    return not (changed & vars(stage).keys() or any(changed & vars(encoder).keys() for encoder in encoders))
