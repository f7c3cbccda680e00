"""ComfyUI's core nodes that load models, as classes. Source: node_behaviour.md 6."""

from typing import Any

import comfy
import folder_paths
import torch

from compat.core_nodes.built_in import call
from compat.core_nodes.widgets import LORA_STRENGTH, wires
from compat.host import host
from engine.models.taesd import LATENTS as TAESD

_TEXT_DEVICE = {"device": (["default", "cpu"], {"advanced": True})}


def _embeddings() -> list[str]:
    return folder_paths.get_folder_paths("embeddings")


class CheckpointLoaderSimple:
    """Loads a model with its text encoder and autoencoder."""

    RETURN_TYPES = ("MODEL", "CLIP", "VAE")
    FUNCTION = "load_checkpoint"
    CATEGORY = "loaders"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": {"ckpt_name": (folder_paths.get_filename_list("checkpoints"),)}}

    def load_checkpoint(self, ckpt_name: str) -> tuple[Any, ...]:
        """The three parts; those the file does not have are None."""
        path = folder_paths.get_full_path_or_raise("checkpoints", ckpt_name)
        parts = comfy.sd.load_checkpoint_guess_config(
            path, output_vae=True, output_clip=True, embedding_directory=_embeddings()
        )
        return tuple(parts[:3])


class unCLIPCheckpointLoader:
    """Loads a model that pictures guide, with the vision model among its parts."""

    RETURN_TYPES = ("MODEL", "CLIP", "VAE", "CLIP_VISION")
    FUNCTION = "load_checkpoint"
    CATEGORY = "loaders"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": {"ckpt_name": (folder_paths.get_filename_list("checkpoints"),)}}

    def load_checkpoint(self, ckpt_name: str, output_vae: bool = True, output_clip: bool = True) -> tuple[Any, ...]:
        """The four parts; those the file does not have are None."""
        path = folder_paths.get_full_path_or_raise("checkpoints", ckpt_name)
        return tuple(
            comfy.sd.load_checkpoint_guess_config(
                path,
                output_vae=output_vae,
                output_clip=output_clip,
                output_clipvision=True,
                embedding_directory=_embeddings(),
            )
        )


class DiffusersLoader:
    """Loads a model from a folder of diffusers."""

    RETURN_TYPES = ("MODEL", "CLIP", "VAE")
    FUNCTION = "load_checkpoint"
    CATEGORY = "advanced/loaders/deprecated"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": {"model_path": (folder_paths.get_filename_list("diffusers"),)}}

    def load_checkpoint(self, model_path: str, output_vae: bool = True, output_clip: bool = True) -> tuple[Any, ...]:
        """The three parts. Raises: PathError."""
        folder = str(host().folders.path("diffusers", model_path))
        parts = comfy.diffusers_load.load_diffusers(
            folder, output_vae=output_vae, output_clip=output_clip, embedding_directory=_embeddings()
        )
        return tuple(parts)


class LoraLoader:
    """Puts a LoRA on a model and its text encoder."""

    RETURN_TYPES = ("MODEL", "CLIP")
    FUNCTION = "load_lora"
    CATEGORY = "loaders"

    def __init__(self) -> None:
        self.loaded_lora: tuple[str, Any] | None = None

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        strengths = {"strength_model": LORA_STRENGTH, "strength_clip": LORA_STRENGTH}
        names = {"lora_name": (folder_paths.get_filename_list("loras"),)}
        return {"required": {**wires(model="MODEL", clip="CLIP"), **names, **strengths}}

    def load_lora(
        self, model: Any, clip: Any, lora_name: str, strength_model: float, strength_clip: float
    ) -> tuple[Any, Any]:
        """Both with the LoRA on; either may be None. Without any strength they are as they were."""
        if strength_model == 0 and strength_clip == 0:
            return (model, clip)
        path = folder_paths.get_full_path_or_raise("loras", lora_name)
        if self.loaded_lora is None or self.loaded_lora[0] != path:
            self.loaded_lora = (path, comfy.utils.load_torch_file(path, safe_load=True))
        patched = comfy.sd.load_lora_for_models(model, clip, self.loaded_lora[1], strength_model, strength_clip)
        return (patched[0], patched[1])


class LoraLoaderModelOnly(LoraLoader):
    """Puts a LoRA on a model."""

    RETURN_TYPES = ("MODEL",)  # type: ignore[assignment]
    FUNCTION = "load_lora_model_only"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        names = {"lora_name": (folder_paths.get_filename_list("loras"),)}
        return {"required": {**wires(model="MODEL"), **names, "strength_model": LORA_STRENGTH}}

    def load_lora_model_only(self, model: Any, lora_name: str, strength_model: float) -> tuple[Any]:
        """The model with the LoRA on."""
        return (self.load_lora(model, None, lora_name, strength_model, 0)[0],)


class VAELoader:
    """Loads an autoencoder by itself."""

    RETURN_TYPES = ("VAE",)
    FUNCTION = "load_vae"
    CATEGORY = "loaders"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": {"vae_name": (cls.vae_list(),)}}

    @staticmethod
    def vae_list() -> list[str]:
        """The files, the small autoencoders that have both halves, and none at all."""
        halves = folder_paths.get_filename_list("vae_approx")
        both = [
            name
            for name in TAESD
            if all(any(each.startswith(f"{name}_{half}.") for each in halves) for half in ("encoder", "decoder"))
        ]
        names: list[str] = folder_paths.get_filename_list("vae")
        return names + [*both, "pixel_space"]  # noqa: RUF005 -- keeps what kind of files these are

    @staticmethod
    def load_taesd(name: str) -> dict[str, Any]:
        """The weights of a small autoencoder, both halves in one, with the scale and shift of its latents."""
        weights: dict[str, Any] = {}
        for half in ("encoder", "decoder"):
            files = folder_paths.get_filename_list("vae_approx")
            file = next(each for each in files if each.startswith(f"{name}_{half}."))
            read = comfy.utils.load_torch_file(folder_paths.get_full_path_or_raise("vae_approx", file))
            weights |= {f"taesd_{half}.{key}": tensor for key, tensor in read.items()}
        scale, shift = TAESD[name]
        return {**weights, "vae_scale": torch.tensor(scale), "vae_shift": torch.tensor(shift)}

    def load_vae(self, vae_name: str) -> tuple[Any]:
        """The autoencoder of that name."""
        return (call("VAELoader", vae_name=vae_name)[0],)


class CLIPLoader:
    """Loads a text encoder by itself."""

    RETURN_TYPES = ("CLIP",)
    FUNCTION = "load_clip"
    CATEGORY = "advanced/loaders"

    TYPES = [
        "stable_diffusion",
        "stable_cascade",
        "sd3",
        "stable_audio",
        "mochi",
        "ltxv",
        "pixart",
        "cosmos",
        "lumina2",
        "wan",
        "hidream",
        "chroma",
        "ace",
        "omnigen2",
        "qwen_image",
        "hunyuan_image",
    ]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        names = {"clip_name": (folder_paths.get_filename_list("text_encoders"),)}
        return {"required": {**names, "type": ([*cls.TYPES],)}, "optional": {**_TEXT_DEVICE}}

    def load_clip(self, clip_name: str, type: str = "stable_diffusion", device: str = "default") -> tuple[Any]:
        """The text encoder of a file, as this family uses it."""
        return (_text_encoder([clip_name], type, device),)


class DualCLIPLoader:
    """Loads two text encoders that work together."""

    RETURN_TYPES = ("CLIP",)
    FUNCTION = "load_clip"
    CATEGORY = "advanced/loaders"

    TYPES = ("sdxl", "sd3", "flux", "hunyuan_video", "hidream", "hunyuan_image")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        names = {name: (folder_paths.get_filename_list("text_encoders"),) for name in ("clip_name1", "clip_name2")}
        return {"required": {**names, "type": ([*cls.TYPES],)}, "optional": {**_TEXT_DEVICE}}

    def load_clip(self, clip_name1: str, clip_name2: str, type: str, device: str = "default") -> tuple[Any]:
        """The text encoders of two files, in any order."""
        return (_text_encoder([clip_name1, clip_name2], type, device),)


class TripleCLIPLoader:
    """Loads Stable Diffusion 3's three text encoders."""

    RETURN_TYPES = ("CLIP",)
    FUNCTION = "load_clip"
    CATEGORY = "advanced/loaders"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        names = ("clip_name1", "clip_name2", "clip_name3")
        return {"required": {name: (folder_paths.get_filename_list("text_encoders"),) for name in names}}

    def load_clip(self, clip_name1: str, clip_name2: str, clip_name3: str) -> tuple[Any]:
        """The text encoders of three files, in any order."""
        return (_text_encoder([clip_name1, clip_name2, clip_name3], "sd3", "default"),)


def _text_encoder(names: list[str], kind: str, device: str) -> Any:
    types = comfy.sd.CLIPType
    where = torch.device("cpu")
    return comfy.sd.load_clip(
        ckpt_paths=[folder_paths.get_full_path_or_raise("text_encoders", name) for name in names],
        embedding_directory=_embeddings(),
        clip_type=getattr(types, kind.upper(), types.STABLE_DIFFUSION),
        model_options={"load_device": where, "offload_device": where} if device == "cpu" else {},
    )


class CLIPVisionLoader:
    """Loads a vision model."""

    RETURN_TYPES = ("CLIP_VISION",)
    FUNCTION = "load_clip"
    CATEGORY = "loaders"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": {"clip_name": (folder_paths.get_filename_list("clip_vision"),)}}

    def load_clip(self, clip_name: str) -> tuple[Any]:
        """The vision model of a file. Raises: RuntimeError, when the file holds none."""
        found = comfy.clip_vision.load(folder_paths.get_full_path_or_raise("clip_vision", clip_name))
        if found is None:
            raise RuntimeError(f"{clip_name}: no vision model inside; choose a file of models/clip_vision with one")
        return (found,)


class UNETLoader:
    """Loads a denoiser by itself."""

    RETURN_TYPES = ("MODEL",)
    FUNCTION = "load_unet"
    CATEGORY = "advanced/loaders"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        names = {"unet_name": (folder_paths.get_filename_list("diffusion_models"),)}
        return {"required": {**names, "weight_dtype": (["default", "fp8_e4m3fn", "fp8_e4m3fn_fast", "fp8_e5m2"],)}}

    def load_unet(self, unet_name: str, weight_dtype: str = "default") -> tuple[Any]:
        """The denoiser of a file, its weights kept in this format."""
        options: dict[str, Any] = {"fp8_optimizations": True} if weight_dtype == "fp8_e4m3fn_fast" else {}
        if weight_dtype != "default":
            options["dtype"] = getattr(torch, f"float8_{weight_dtype.split('_')[1]}")
        path = folder_paths.get_full_path_or_raise("diffusion_models", unet_name)
        return (comfy.sd.load_diffusion_model(path, model_options=options),)
