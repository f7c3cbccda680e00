"""ComfyUI's core nodes about texts and what they guide, as classes. Source: node_behaviour.md 1.1 and 1.2."""

from collections.abc import Sequence
from typing import Any

import node_helpers
from torch import Tensor

from compat.core_nodes.widgets import STRENGTH, number, whole, wires
from engine.pictures import inpainting
from engine.shapes import CELL
from nodes.convert import need_mask
from nodes.mixed_texts import averaged, concatenated, silenced

Conditioning = Sequence[Sequence[Any]]


class CLIPTextEncode:
    """Lets a text guide the picture."""

    RETURN_TYPES = ("CONDITIONING",)
    FUNCTION = "encode"
    CATEGORY = "conditioning"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": {"text": ("STRING", {"multiline": True, "dynamicPrompts": True}), **wires(clip="CLIP")}}

    def encode(self, clip: Any, text: str) -> tuple[Any]:
        """The text as conditioning. Raises: RuntimeError, when there is no text encoder."""
        if clip is None:
            raise RuntimeError(
                "clip: the checkpoint has no text encoder inside; take CLIP from a full checkpoint of the same family."
            )
        return (clip.encode_from_tokens_scheduled(clip.tokenize(text)),)


class CLIPSetLastLayer:
    """Takes the text as an earlier layer of the encoder understands it."""

    RETURN_TYPES = ("CLIP",)
    FUNCTION = "set_last_layer"
    CATEGORY = "conditioning"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": {**wires(clip="CLIP"), "stop_at_clip_layer": whole(-1, -24, -1)}}

    def set_last_layer(self, clip: Any, stop_at_clip_layer: int) -> tuple[Any]:
        """A clone that stops there; -1 is the last layer."""
        clip = clip.clone()
        clip.clip_layer(stop_at_clip_layer)
        return (clip,)


class ConditioningCombine:
    """Lets both guide the picture."""

    RETURN_TYPES = ("CONDITIONING",)
    FUNCTION = "combine"
    CATEGORY = "conditioning"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": wires(conditioning_1="CONDITIONING", conditioning_2="CONDITIONING")}

    def combine(self, conditioning_1: Any, conditioning_2: Any) -> tuple[Any]:
        """One list after the other."""
        return (conditioning_1 + conditioning_2,)


class ConditioningConcat:
    """Puts the tokens of one text behind those of another."""

    RETURN_TYPES = ("CONDITIONING",)
    FUNCTION = "concat"
    CATEGORY = "conditioning"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": wires(conditioning_to="CONDITIONING", conditioning_from="CONDITIONING")}

    def concat(self, conditioning_to: Conditioning, conditioning_from: Conditioning) -> tuple[Any]:
        """Every entry with the tokens of the other's first one after its own."""
        return (concatenated(conditioning_to, conditioning_from),)


class ConditioningAverage:
    """Mixes two texts."""

    RETURN_TYPES = ("CONDITIONING",)
    FUNCTION = "addWeighted"
    CATEGORY = "conditioning"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        both = wires(conditioning_to="CONDITIONING", conditioning_from="CONDITIONING")
        return {"required": {**both, "conditioning_to_strength": number(1.0)}}

    def addWeighted(
        self, conditioning_to: Conditioning, conditioning_from: Conditioning, conditioning_to_strength: float
    ) -> tuple[Any]:
        """Every entry mixed with the first of the other list, cut or filled up with zeros to its length."""
        return (averaged(conditioning_to, conditioning_from, conditioning_to_strength),)


class ConditioningZeroOut:
    """Makes a text say nothing."""

    RETURN_TYPES = ("CONDITIONING",)
    FUNCTION = "zero_out"
    CATEGORY = "advanced/conditioning"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": wires(conditioning="CONDITIONING")}

    def zero_out(self, conditioning: Conditioning) -> tuple[Any]:
        """Tokens and summaries as zeros; all else stays."""
        return (silenced(conditioning),)


class ConditioningSetArea:
    """Lets a text guide one rectangle."""

    RETURN_TYPES = ("CONDITIONING",)
    FUNCTION = "append"
    CATEGORY = "conditioning"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        sides = {name: whole(64, 64, step=8) for name in ("width", "height")}
        starts = {name: whole(0, step=8) for name in ("x", "y")}
        return {"required": {**wires(conditioning="CONDITIONING"), **sides, **starts, "strength": STRENGTH}}

    def append(self, conditioning: Conditioning, width: int, height: int, x: int, y: int, strength: float) -> Any:
        """The rectangle in pixels becomes one of latent cells."""
        area = (height // CELL, width // CELL, y // CELL, x // CELL)
        said = {"area": area, "strength": strength, "set_area_to_bounds": False}
        return (node_helpers.conditioning_set_values(conditioning, said),)


class ConditioningSetAreaPercentage:
    """Lets a text guide one rectangle, given in shares of the picture."""

    RETURN_TYPES = ("CONDITIONING",)
    FUNCTION = "append"
    CATEGORY = "conditioning"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        sides = {name: number(1.0) for name in ("width", "height")}
        starts = {name: number(0.0) for name in ("x", "y")}
        return {"required": {**wires(conditioning="CONDITIONING"), **sides, **starts, "strength": STRENGTH}}

    def append(
        self, conditioning: Conditioning, width: float, height: float, x: float, y: float, strength: float
    ) -> tuple[Any]:
        """The rectangle as shares of height and width."""
        said = {"area": ("percentage", height, width, y, x), "strength": strength, "set_area_to_bounds": False}
        return (node_helpers.conditioning_set_values(conditioning, said),)


class ConditioningSetAreaStrength:
    """Says how much a text counts."""

    RETURN_TYPES = ("CONDITIONING",)
    FUNCTION = "append"
    CATEGORY = "conditioning"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": {**wires(conditioning="CONDITIONING"), "strength": STRENGTH}}

    def append(self, conditioning: Conditioning, strength: float) -> tuple[Any]:
        """Every entry with this strength."""
        return (node_helpers.conditioning_set_values(conditioning, {"strength": strength}),)


class ConditioningSetMask:
    """Lets a text guide the masked part."""

    RETURN_TYPES = ("CONDITIONING",)
    FUNCTION = "append"
    CATEGORY = "conditioning"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        bounds = {"strength": STRENGTH, "set_cond_area": (["default", "mask bounds"],)}
        return {"required": {**wires(conditioning="CONDITIONING", mask="MASK"), **bounds}}

    def append(self, conditioning: Conditioning, mask: Tensor, set_cond_area: str, strength: float) -> tuple[Any]:
        """Every entry with this mask."""
        said = {
            "mask": mask.unsqueeze(0) if mask.ndim < 3 else mask,
            "set_area_to_bounds": set_cond_area != "default",
            "mask_strength": strength,
        }
        return (node_helpers.conditioning_set_values(conditioning, said),)


class ConditioningSetTimestepRange:
    """Lets a text guide only a part of the steps."""

    RETURN_TYPES = ("CONDITIONING",)
    FUNCTION = "set_range"
    CATEGORY = "advanced/conditioning"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        ends = {"start": number(0.0, step=0.001), "end": number(1.0, step=0.001)}
        return {"required": {**wires(conditioning="CONDITIONING"), **ends}}

    def set_range(self, conditioning: Conditioning, start: float, end: float) -> tuple[Any]:
        """Every entry from start to end, as shares of the run."""
        return (node_helpers.conditioning_set_values(conditioning, {"start_percent": start, "end_percent": end}),)


class InpaintModelConditioning:
    """Shows an inpainting model what is there and what is to be drawn anew."""

    RETURN_TYPES = ("CONDITIONING", "CONDITIONING", "LATENT")
    RETURN_NAMES = ("positive", "negative", "latent")
    FUNCTION = "encode"
    CATEGORY = "conditioning/inpaint"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        given = wires(positive="CONDITIONING", negative="CONDITIONING", vae="VAE", pixels="IMAGE", mask="MASK")
        return {"required": {**given, "noise_mask": ("BOOLEAN", {"default": True})}}

    def encode(
        self,
        positive: Conditioning,
        negative: Conditioning,
        pixels: Tensor,
        vae: Any,
        mask: Tensor,
        noise_mask: bool = True,
    ) -> tuple[Any, Any, dict[str, Any]]:
        """Both conditionings with the picture, grey where it is masked, and the picture's latent."""
        pixels, masks = inpainting.fitted(pixels, need_mask(mask, "mask"), CELL)
        said = {"concat_latent_image": vae.encode(inpainting.greyed(pixels, masks)), "concat_mask": masks}
        latent = {"samples": vae.encode(pixels), **({"noise_mask": masks} if noise_mask else {})}
        sides = (node_helpers.conditioning_set_values(each, said) for each in (positive, negative))
        return (*sides, latent)  # type: ignore[return-value]


class CLIPVisionEncode:
    """Turns a picture into what image prompts are made of."""

    RETURN_TYPES = ("CLIP_VISION_OUTPUT",)
    FUNCTION = "encode"
    CATEGORY = "conditioning"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": {**wires(clip_vision="CLIP_VISION", image="IMAGE"), "crop": (["center", "none"],)}}

    def encode(self, clip_vision: Any, image: Tensor, crop: str) -> tuple[Any]:
        """What the vision model sees."""
        return (clip_vision.encode_image(image, crop=crop == "center"),)


class unCLIPConditioning:
    """Lets a picture guide an unCLIP model."""

    RETURN_TYPES = ("CONDITIONING",)
    FUNCTION = "apply_adm"
    CATEGORY = "conditioning"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        amounts = {"strength": number(1.0, -10.0, 10.0), "noise_augmentation": number(0.0)}
        return {"required": {**wires(conditioning="CONDITIONING", clip_vision_output="CLIP_VISION_OUTPUT"), **amounts}}

    def apply_adm(
        self, conditioning: Conditioning, clip_vision_output: Any, strength: float, noise_augmentation: float
    ) -> tuple[Any]:
        """Every entry with the picture after those it has; strength 0 changes nothing."""
        if strength == 0:
            return (conditioning,)
        said = {
            "clip_vision_output": clip_vision_output,
            "strength": strength,
            "noise_augmentation": noise_augmentation,
        }
        return (node_helpers.conditioning_set_values(conditioning, {"unclip_conditioning": [said]}, append=True),)
