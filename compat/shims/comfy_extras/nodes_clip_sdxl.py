"""ComfyUI's nodes for SDXL's texts, which know of sizes. Source: node_behaviour.md 1.1."""

from typing import Any

from compat.core_nodes.output import Output
from compat.core_nodes.widgets import number, whole, wires

_TEXT = ("STRING", {"multiline": True, "dynamicPrompts": True})


class CLIPTextEncodeSDXL:
    """Lets two texts and the sizes of the picture guide SDXL."""

    RETURN_TYPES = ("CONDITIONING",)
    FUNCTION = "execute"
    CATEGORY = "advanced/conditioning"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        sizes = {name: whole(1024) for name in ("width", "height")}
        crops = {name: whole(0) for name in ("crop_w", "crop_h")}
        targets = {name: whole(1024) for name in ("target_width", "target_height")}
        return {"required": {**wires(clip="CLIP"), **sizes, **crops, **targets, "text_g": _TEXT, "text_l": _TEXT}}

    @classmethod
    def execute(
        cls,
        clip: Any,
        width: int,
        height: int,
        crop_w: int,
        crop_h: int,
        target_width: int,
        target_height: int,
        text_g: str,
        text_l: str,
    ) -> Output:
        """text_g for the large encoder, text_l for the small one, made equally long with empty chunks."""
        tokens = clip.tokenize(text_g)
        tokens["l"] = clip.tokenize(text_l)["l"]
        empty = clip.tokenize("")
        while len(tokens["l"]) != len(tokens["g"]):
            shorter = "l" if len(tokens["l"]) < len(tokens["g"]) else "g"
            tokens[shorter] += empty[shorter]
        sizes = {
            "width": width,
            "height": height,
            "crop_w": crop_w,
            "crop_h": crop_h,
            "target_width": target_width,
            "target_height": target_height,
        }
        return Output(clip.encode_from_tokens_scheduled(tokens, add_dict=sizes))

    encode = execute


class CLIPTextEncodeSDXLRefiner:
    """Lets a text, the picture's size and its wanted beauty guide SDXL's refiner."""

    RETURN_TYPES = ("CONDITIONING",)
    FUNCTION = "execute"
    CATEGORY = "advanced/conditioning"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        sizes = {"ascore": number(6.0, 0.0, 1000.0), "width": whole(1024), "height": whole(1024)}
        return {"required": {**sizes, "text": _TEXT, **wires(clip="CLIP")}}

    @classmethod
    def execute(cls, clip: Any, ascore: float, width: int, height: int, text: str) -> Output:
        """The text with what the refiner was trained beside it."""
        said = {"aesthetic_score": ascore, "width": width, "height": height}
        return Output(clip.encode_from_tokens_scheduled(clip.tokenize(text), add_dict=said))

    encode = execute
