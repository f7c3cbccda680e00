"""ComfyUI's core nodes that make and change latents, as classes. Source: node_behaviour.md 2."""

from pathlib import Path
from typing import Any

import comfy
import folder_paths
import torch
from torch import Tensor

from compat.core_nodes.widgets import CROP, HIDDEN_INFO, whole, wires
from engine.checkpoints import latent_files
from engine.images import LATENT_METHODS
from engine.pictures import compositing, latents
from engine.shapes import CELL
from nodes.convert import need_mask

Latent = dict[str, Any]

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
        return (latents.part_of_batch(samples, batch_index, length),)


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
        return (latents.repeated(samples, amount),)


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
        canvas = samples_to["samples"].clone()
        source = samples_from["samples"].to(canvas)
        compositing.paste_faded_(canvas, source, x // CELL, y // CELL, feather // CELL)
        return ({**samples_to, "samples": canvas},)


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
        content = latent_files.packed(samples["samples"], texts_of(prompt, extra_pnginfo))
        Path(folder, name).write_bytes(content)
        return {"ui": {"latents": [{"filename": name, "subfolder": subfolder, "type": "output"}]}}
