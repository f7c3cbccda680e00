"""ComfyUI's nodes for upscaling networks. Source: node_behaviour.md E."""

from typing import Any

import comfy
import folder_paths
from torch import Tensor

from compat.core_nodes.output import Output
from compat.core_nodes.upscalers import picture_upscaler
from compat.core_nodes.widgets import wires

LARGEST_TILE, SMALLEST_TILE, OVERLAP = 512, 128, 32  # pixels


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
        """spandrel's descriptor of a file. Raises: LatentwireError, without spandrel."""
        path = folder_paths.get_full_path_or_raise("upscale_models", model_name)
        return Output(picture_upscaler(comfy.utils.load_torch_file(path, safe_load=True)))

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
        management.free_memory(_bytes(upscale_model, image), device)
        upscale_model.to(device)
        try:
            made = _in_tiles(upscale_model, image.movedim(-1, -3).to(device))
        finally:
            upscale_model.to("cpu")
        return Output(made.movedim(-3, -1).clamp(0, 1).to(management.intermediate_device()))

    upscale = execute


def _bytes(upscale_model: Any, image: Tensor) -> int:
    """About what the network and one tile of its work take: a round guess, as a CPU's or a GPU's are alike in that."""
    weights: int = comfy.model_management.module_size(upscale_model.model)
    scale = max(float(upscale_model.scale), 1.0)
    return int(weights + LARGEST_TILE**2 * 3 * image.element_size() * scale * 384)


def _in_tiles(upscale_model: Any, pictures: Tensor) -> Tensor:
    tile = LARGEST_TILE
    while True:
        steps = len(pictures) * comfy.utils.get_tiled_scale_steps(
            pictures.shape[3], pictures.shape[2], tile_x=tile, tile_y=tile, overlap=OVERLAP
        )
        try:
            made: Tensor = comfy.utils.tiled_scale(
                pictures,
                upscale_model,
                tile_x=tile,
                tile_y=tile,
                overlap=OVERLAP,
                upscale_amount=upscale_model.scale,
                pbar=comfy.utils.ProgressBar(steps),
            )
            return made
        except (RuntimeError, MemoryError) as error:
            comfy.model_management.raise_non_oom(error)
            if tile // 2 < SMALLEST_TILE:
                raise
        tile //= 2
        comfy.model_management.soft_empty_cache()
