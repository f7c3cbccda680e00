"""ComfyUI's core nodes that make and change latents, as classes. Source: node_behaviour.md 2."""

from typing import Any

import comfy
import folder_paths
import torch
from torch import Tensor

from compat.core_nodes.widgets import CROP, HIDDEN_INFO, whole, wires
from engine import images
from engine.images import LATENT_METHODS
from nodes.convert import need_mask

Latent = dict[str, Any]

CELL = 8  # pixels of a latent cell
SMALLEST = 64  # pixels that LatentUpscale makes at least of each side


class EmptyLatentImage:
    """A latent to draw into from nothing."""

    RETURN_TYPES = ("LATENT",)
    FUNCTION = "generate"
    CATEGORY = "latent"

    def __init__(self) -> None:
        self.device = comfy.model_management.intermediate_device()

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        sides = {name: whole(512, 16, step=8) for name in ("width", "height")}
        return {"required": {**sides, "batch_size": whole(1, 1, 4096)}}

    def generate(self, width: int, height: int, batch_size: int = 1) -> tuple[Latent]:
        """Zeros, four channels."""
        return ({"samples": torch.zeros(batch_size, 4, height // CELL, width // CELL, device=self.device)},)


class LatentFromBatch:
    """Some of a batch."""

    RETURN_TYPES = ("LATENT",)
    FUNCTION = "frombatch"
    CATEGORY = "latent/batch"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": {**wires(samples="LATENT"), "batch_index": whole(0, 0, 63), "length": whole(1, 1, 64)}}

    def frombatch(self, samples: Latent, batch_index: int, length: int) -> tuple[Latent]:
        """That many from there on; each keeps the noise of its old place."""
        x = samples["samples"]
        first = min(len(x) - 1, batch_index)
        end = first + min(len(x) - first, length)
        made = {**samples, "samples": x[first:end].clone()}
        masks = samples.get("noise_mask")
        if masks is not None and len(masks) > 1:
            made["noise_mask"] = images.repeat_to_batch(masks, len(x))[first:end].clone()
        made["batch_index"] = [*samples.get("batch_index", range(len(x)))][first:end]
        return (made,)


class RepeatLatentBatch:
    """A batch several times over."""

    RETURN_TYPES = ("LATENT",)
    FUNCTION = "repeat"
    CATEGORY = "latent/batch"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": {**wires(samples="LATENT"), "amount": whole(1, 1, 64)}}

    def repeat(self, samples: Latent, amount: int) -> tuple[Latent]:
        """The whole batch so often."""
        x = samples["samples"]
        made = {**samples, "samples": x.repeat(amount, *[1] * (x.ndim - 1))}
        masks = samples.get("noise_mask")
        if masks is not None and len(masks) > 1:
            # ComfyUI: the masks as they are, not those of the whole batch.
            made["noise_mask"] = masks.repeat(amount, *[1] * (masks.ndim - 1))
        places = samples.get("batch_index")
        if places is not None:
            offset = max(places) - min(places) + 1
            made["batch_index"] = [place + i * offset for i in range(amount) for place in places]
        return (made,)


class LatentUpscale:
    """Brings latents to a size in pixels."""

    RETURN_TYPES = ("LATENT",)
    FUNCTION = "upscale"
    CATEGORY = "latent"

    upscale_methods = [*LATENT_METHODS]
    crop_methods = ["disabled", "center"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        sides = {name: whole(512, step=8) for name in ("width", "height")}
        return {
            "required": {**wires(samples="LATENT"), "upscale_method": (cls.upscale_methods,), **sides, "crop": CROP}
        }

    def upscale(self, samples: Latent, upscale_method: str, width: int, height: int, crop: str) -> tuple[Latent]:
        """Where one side is 0 the proportions are kept; both 0 changes nothing."""
        x = samples["samples"]
        if width == 0 and height == 0:
            return (samples,)
        if width == 0:
            height = max(SMALLEST, height)
            width = max(SMALLEST, round(x.shape[-1] * height / x.shape[-2]))
        elif height == 0:
            width = max(SMALLEST, width)
            height = max(SMALLEST, round(x.shape[-2] * width / x.shape[-1]))
        width, height = max(SMALLEST, width), max(SMALLEST, height)
        made = comfy.utils.common_upscale(x, width // CELL, height // CELL, upscale_method, crop)
        return ({**samples, "samples": made},)


class LatentUpscaleBy:
    """Makes latents larger or smaller by a factor."""

    RETURN_TYPES = ("LATENT",)
    FUNCTION = "upscale"
    CATEGORY = "latent"

    upscale_methods = [*LATENT_METHODS]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        scale = ("FLOAT", {"default": 1.5, "min": 0.01, "max": 8.0, "step": 0.01})
        return {"required": {**wires(samples="LATENT"), "upscale_method": (cls.upscale_methods,), "scale_by": scale}}

    def upscale(self, samples: Latent, upscale_method: str, scale_by: float) -> tuple[Latent]:
        """Both sides by the same factor."""
        x = samples["samples"]
        width, height = round(x.shape[-1] * scale_by), round(x.shape[-2] * scale_by)
        return ({**samples, "samples": comfy.utils.common_upscale(x, width, height, upscale_method, "disabled")},)


class SetLatentNoiseMask:
    """Lets only the masked part be drawn anew."""

    RETURN_TYPES = ("LATENT",)
    FUNCTION = "set_mask"
    CATEGORY = "latent/inpaint"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": wires(samples="LATENT", mask="MASK")}

    def set_mask(self, samples: Latent, mask: Tensor) -> tuple[Latent]:
        """The latent with this mask."""
        return ({**samples, "noise_mask": need_mask(mask, "mask")},)


class LatentComposite:
    """Pastes one latent into another."""

    RETURN_TYPES = ("LATENT",)
    FUNCTION = "composite"
    CATEGORY = "latent"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        places = {name: whole(0, step=8) for name in ("x", "y", "feather")}
        return {"required": {**wires(samples_to="LATENT", samples_from="LATENT"), **places}}

    def composite(
        self,
        samples_to: Latent,
        samples_from: Latent,
        x: int,
        y: int,
        composite_method: str = "normal",
        feather: int = 0,
    ) -> tuple[Latent]:
        """The one in the other, its edges inside the picture fading over so many pixels."""
        left, top, fade = x // CELL, y // CELL, feather // CELL
        canvas = samples_to["samples"].clone()
        height, width = canvas.shape[-2] - top, canvas.shape[-1] - left
        pasted = samples_from["samples"][..., : max(0, height), : max(0, width)]
        rows = _edges(pasted.shape[-2], fade, top != 0, pasted.shape[-2] < height)
        columns = _edges(pasted.shape[-1], fade, left != 0, pasted.shape[-1] < width)
        weight = (rows[:, None] * columns).to(pasted)
        where = canvas[..., top : top + pasted.shape[-2], left : left + pasted.shape[-1]]
        where.copy_(pasted * weight + where * (1 - weight))
        return ({**samples_to, "samples": canvas},)


def _edges(size: int, fade: int, at_start: bool, at_end: bool) -> Tensor:
    """1, with a ramp at each end that fades."""
    weight = torch.ones(size)
    fade = min(fade, size)
    ramp = torch.arange(1, fade + 1) / max(fade, 1)
    if at_start:
        weight[:fade] *= ramp
    if at_end and fade:
        weight[-fade:] *= ramp.flip(0)
    return weight


class SaveLatent:
    """Writes latents below the output folder."""

    RETURN_TYPES = ()
    FUNCTION = "save"
    OUTPUT_NODE = True
    CATEGORY = "_for_testing"

    def __init__(self) -> None:
        self.output_dir = folder_paths.get_output_directory()

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        prefix = {"filename_prefix": ("STRING", {"default": "latents/ComfyUI"})}
        return {"required": {**wires(samples="LATENT"), **prefix}, "hidden": HIDDEN_INFO}

    def save(
        self, samples: Latent, filename_prefix: str = "ComfyUI", prompt: Any = None, extra_pnginfo: Any = None
    ) -> dict[str, Any]:
        """One file of safetensors under the next free number."""
        from compat.core_nodes.pictures import texts_of  # both write what the graph was

        folder, stem, counter, subfolder, _ = folder_paths.get_save_image_path(filename_prefix, self.output_dir)
        name = f"{stem}_{counter:05}_.latent"
        tensors = {
            "latent_tensor": samples["samples"].contiguous(),
            "latent_format_version_0": torch.tensor([]),
        }
        comfy.utils.save_torch_file(tensors, f"{folder}/{name}", metadata=texts_of(prompt, extra_pnginfo))
        return {"ui": {"latents": [{"filename": name, "subfolder": subfolder, "type": "output"}]}}
