"""ComfyUI's nodes for upscaling networks. Source: node_behaviour.md E."""

from functools import partial
from pathlib import Path
from typing import Any

import comfy
import folder_paths
from torch import Tensor

from compat.core_nodes.output import Output
from compat.core_nodes.widgets import wires
from engine.checkpoints import upscalers
from engine.pictures import upscaling
from engine.values import Watch


class UpscaleModelLoader:
    """Loads an upscaling network."""

    RETURN_TYPES = ("UPSCALE_MODEL",)
    FUNCTION = "execute"
    CATEGORY = "loaders"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": {"model_name": (folder_paths.get_filename_list("upscale_models"),)}}

    @classmethod
    def execute(cls, model_name: str) -> Output:
        """Ours, or spandrel's descriptor, with the same members. Raises: LatentwireError."""
        path = folder_paths.get_full_path_or_raise("upscale_models", model_name)
        return Output(upscalers.read(Path(path).name, upscalers.plain(comfy.utils.load_torch_file(path))))

    load_model = execute


class ImageUpscaleWithModel:
    """Makes pictures larger with a network."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "execute"
    CATEGORY = "image/upscaling"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": wires(upscale_model="UPSCALE_MODEL", image="IMAGE")}

    @classmethod
    def execute(cls, upscale_model: Any, image: Tensor) -> Output:
        """The pictures, in tiles that are halved while they do not fit into memory."""
        management = comfy.model_management
        device = management.get_torch_device()
        bar = comfy.utils.ProgressBar(1)
        watch = Watch(management.throw_exception_if_processing_interrupted, bar.update_absolute)
        room = partial(management.free_memory, device=device)
        made = upscaling.upscaled(upscale_model, image, device, room, watch)
        return Output(made.to(management.intermediate_device()))

    upscale = execute
