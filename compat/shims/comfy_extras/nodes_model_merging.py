"""ComfyUI's node that writes checkpoints, and the built-in ones that merge. Source: node_behaviour.md 9 and G."""

from typing import Any

import comfy
import folder_paths

from compat.core_nodes import built_in
from compat.core_nodes.pictures import texts_of
from compat.core_nodes.widgets import HIDDEN_INFO, wires
from compat.missing import missing


def save_checkpoint(
    model: Any,
    clip: Any = None,
    vae: Any = None,
    clip_vision: Any = None,
    filename_prefix: str | None = None,
    output_dir: str | None = None,
    prompt: Any = None,
    extra_pnginfo: Any = None,
) -> None:
    """Writes a checkpoint under the next free number of a prefix."""
    root = output_dir or folder_paths.get_output_directory()
    folder, stem, counter, _, _ = folder_paths.get_save_image_path(filename_prefix or "checkpoints/ComfyUI", root)
    comfy.sd.save_checkpoint(
        f"{folder}/{stem}_{counter:05}_.safetensors",
        model,
        clip,
        vae,
        clip_vision,
        metadata={"modelspec.title": f"{stem} {counter}", **texts_of(prompt, extra_pnginfo)},
    )


class CheckpointSave:
    """Writes a model with its text encoder and autoencoder into the output folder."""

    RETURN_TYPES = ()
    FUNCTION = "save"
    OUTPUT_NODE = True
    CATEGORY = "advanced/model_merging"

    def __init__(self) -> None:
        self.output_dir = folder_paths.get_output_directory()

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        prefix = {"filename_prefix": ("STRING", {"default": "checkpoints/ComfyUI"})}
        return {"required": {**wires(model="MODEL", clip="CLIP", vae="VAE"), **prefix}, "hidden": dict(HIDDEN_INFO)}

    def save(
        self, model: Any, clip: Any, vae: Any, filename_prefix: str, prompt: Any = None, extra_pnginfo: Any = None
    ) -> dict[str, Any]:
        """One file, the changes of the weights worked in."""
        save_checkpoint(
            model,
            clip,
            vae,
            filename_prefix=filename_prefix,
            output_dir=self.output_dir,
            prompt=prompt,
            extra_pnginfo=extra_pnginfo,
        )
        return {}


MERGING = (
    "ModelMergeSimple",
    "ModelMergeBlocks",
    "ModelMergeAdd",
    "ModelMergeSubtract",
    "CLIPMergeSimple",
    "CLIPMergeAdd",
    "CLIPMergeSubtract",
)


def __getattr__(name: str) -> Any:
    if name in MERGING:
        return built_in.with_method(name, "merge")
    raise missing(__name__, name)
