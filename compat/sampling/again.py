"""Asking a model once more at the same moment, in ComfyUI's way: what Answers.ask is there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import comfy
from torch import Tensor

from compat import crossing
from engine.conditioning import Area, Condition, Grounding, SeenPicture, Sizes
from engine.errors import SamplingError
from engine.sampling.hooks import Patches, Side

Conds = Sequence[dict[str, Any]] | None


@dataclass(frozen=True, eq=False)
class Again:
    """One moment of a run: its model, the conditions of each side, and the options the model is asked with."""

    model: Any
    sides: Sequence[Conds]
    options: Mapping[str, Any]

    def __call__(self, side: Side, sign: int, x: Tensor, sigma: Tensor, patches: Patches | None) -> Tensor:
        """The clean latent. As engine.sampling.hooks.Asker."""
        conds = self._of(side) if isinstance(side, int) else self._prepared(side, x)
        options = dict(self.options)
        if patches:
            known = options.get("transformer_options", {})
            options["transformer_options"] = comfy.patcher_extension.merge_nested_dicts(known, dict(patches))
        # As many empty sides before it as make its place the sign that patches are told.
        sides = [*[None] * sign, conds]
        answers = comfy.samplers.calc_cond_batch(self.model, sides, x, sigma.to(x).expand(len(x)), options)
        answer: Tensor = answers[sign]
        return answer

    def _of(self, side: int) -> Conds:
        conds = self.sides[side] if side < len(self.sides) else None
        if conds is None:
            raise SamplingError(
                f"something asked about side {side} of the guidance (0 positive, 1 negative), which has no conditions "
                "here; at a cfg of 1 there is no negative one unless a hook says always_both"
            )
        return conds

    def _prepared(self, conditions: Sequence[Condition], x: Tensor) -> Conds:
        conds = {"negative": [cond_of(each) for each in conditions]}
        ready = comfy.samplers.process_conds(self.model, x, conds, x.device)
        prepared: Conds = ready["negative"]
        return prepared


def cond_of(condition: Condition) -> dict[str, Any]:
    """A condition as the dictionary that ComfyUI's sampler holds, before a run makes it ready."""
    made: dict[str, Any] = {
        "cross_attn": condition.tokens,
        "strength": condition.strength,
        "mask_strength": condition.mask_strength,
        "set_area_to_bounds": condition.area_from_mask,
        "start_percent": condition.start_percent,
        "end_percent": condition.end_percent,
        "control_apply_to_uncond": condition.control_on_negative,
    }
    given = {
        "pooled_output": condition.pooled,
        "mask": condition.mask,
        "area": None if condition.area is None else _area(condition.area),
        "concat_latent_image": condition.concat_latent,
        "concat_mask": condition.concat_mask,
        "concat_image": condition.concat_image,
        "noise_augmentation": condition.image_noise or None,
        "cross_attn_controlnet": condition.control_tokens,
        "prompt_type": condition.prompt_type,
        "default": condition.is_default or None,
        **_sizes(condition.sizes),
    }
    made.update({name: value for name, value in given.items() if value is not None})
    if condition.pictures:
        made["unclip_conditioning"] = [_picture(each) for each in condition.pictures]
        made["unclip_noise_augment_merge"] = condition.picture_merge
    # What plugins know in other clothes crosses the border as part of a conditioning.
    dressed = {
        "control": condition.control or None,
        "hooks": getattr(condition, "hooks", None),
        "gligen": None if condition.grounding is None else _boxes(condition.grounding),
    }
    ((_, options),) = crossing.enter([[condition.tokens, {name: each for name, each in dressed.items() if each}]])
    made.update(options)
    if condition.vector is not None:
        made["model_conds"] = {"y": comfy.conds.CONDRegular(condition.vector)}
    return made


def _sizes(sizes: Sizes) -> dict[str, float | None]:
    return {
        "width": sizes.width,
        "height": sizes.height,
        "crop_w": sizes.crop_x,
        "crop_h": sizes.crop_y,
        "target_width": sizes.target_width,
        "target_height": sizes.target_height,
        "aesthetic_score": sizes.aesthetic_score,
    }


def _picture(picture: SeenPicture) -> dict[str, Any]:
    seen = SimpleNamespace(image_embeds=picture.embeddings)
    return {
        "clip_vision_output": seen,
        "strength": picture.strength,
        "noise_augmentation": picture.noise_augmentation,
    }


def _boxes(grounding: Grounding) -> tuple[Any, ...]:
    return ("position", grounding.net, [(p.vector, p.height, p.width, p.y, p.x) for p in grounding.phrases])


def _area(area: Area) -> tuple[Any, ...]:
    sides = (area.height, area.width, area.y, area.x)
    return ("percentage", *sides) if area.is_share else tuple(int(side) for side in sides)
