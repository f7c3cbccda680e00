"""Loading models as plugins do it, and the CLIP and VAE objects.

Families that the engine cannot run are refused by its own sentence, which names them.
"""

import copy
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import comfy.lora
import comfy.lora_convert
from comfy import clip_vision, gligen, model_detection, model_management, model_patcher, sd1_clip, sdxl_clip, utils
from compat import files
from compat.crossing import enter, leave
from compat.host import host
from compat.machine import places
from compat.machine.formats import unet_manual_cast
from compat.missing import missing
from compat.parts.clip import CLIP
from compat.parts.vae import VAE
from engine.adapters.picture_texts import Style
from engine.checkpoints import description, image_prompts, save, texts
from engine.checkpoints.load import Checkpoint, Loader
from engine.checkpoints.tensors import TensorFile, in_memory, read_object
from engine.errors import CheckpointError
from engine.settings import Precision
from engine.text.embedding import Embeddings

log = logging.getLogger(__name__)

__all__ = [
    "CLIP",
    "VAE",
    "CLIPType",
    "StyleModel",
    "TEModel",
    "clip_vision",  # plugins look for these modules here
    "gligen",
    "model_detection",
    "model_management",
    "model_patcher",
    "sd1_clip",
    "sdxl_clip",
    "utils",
]


class CLIPType(Enum):
    """What text encoders are loaded for."""

    STABLE_DIFFUSION = 1
    STABLE_CASCADE = 2
    SD3 = 3
    STABLE_AUDIO = 4
    HUNYUAN_DIT = 5
    FLUX = 6
    MOCHI = 7
    LTXV = 8
    HUNYUAN_VIDEO = 9
    PIXART = 10
    COSMOS = 11
    LUMINA2 = 12
    WAN = 13
    HIDREAM = 14
    CHROMA = 15
    ACE = 16
    OMNIGEN2 = 17
    QWEN_IMAGE = 18
    HUNYUAN_IMAGE = 19


class TEModel(Enum):
    """Which text encoder a file holds."""

    CLIP_L = 1
    CLIP_H = 2
    CLIP_G = 3
    T5_XXL = 4


_TEXT_MODELS = {"clip_l": TEModel.CLIP_L, "clip_h": TEModel.CLIP_H, "clip_g": TEModel.CLIP_G}
_PRECISIONS: dict[torch.dtype, Precision] = {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}


def load_checkpoint_guess_config(
    ckpt_path: str,
    output_vae: bool = True,
    output_clip: bool = True,
    output_clipvision: bool = False,
    embedding_directory: Any = None,
    output_model: bool = True,
    model_options: Mapping[str, Any] | None = None,
    te_model_options: Mapping[str, Any] | None = None,
) -> tuple[Any, Any, Any, Any]:
    """The model, CLIP, VAE and CLIP vision of a checkpoint; None for what was not asked for or is not in it.

    Raises: CheckpointError.
    """
    file = files.read(ckpt_path)
    wanted = output_model, output_clip, output_vae, output_clipvision
    return _parts(file, wanted, embedding_directory, model_options, te_model_options)


def load_state_dict_guess_config(
    sd: Mapping[str, Tensor],
    output_vae: bool = True,
    output_clip: bool = True,
    output_clipvision: bool = False,
    embedding_directory: Any = None,
    output_model: bool = True,
    model_options: Mapping[str, Any] | None = None,
    te_model_options: Mapping[str, Any] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> tuple[Any, Any, Any, Any]:
    """As `load_checkpoint_guess_config`, from tensors that were read already."""
    wanted = output_model, output_clip, output_vae, output_clipvision
    file = in_memory("a state dict", sd, metadata)
    return _parts(file, wanted, embedding_directory, model_options, te_model_options)


def load_checkpoint(
    config_path: Any = None,
    ckpt_path: Any = None,
    output_vae: bool = True,
    output_clip: bool = True,
    embedding_directory: Any = None,
    state_dict: Mapping[str, Tensor] | None = None,
    config: Any = None,
) -> tuple[Any, Any, Any]:
    """As `load_checkpoint_guess_config`, without CLIP vision. A configuration's words are not needed."""
    file = in_memory("a state dict", state_dict) if state_dict is not None else files.read(ckpt_path)
    return _parts(file, (True, output_clip, output_vae, False), embedding_directory, None, None)[:3]


def load_diffusion_model(unet_path: str, model_options: Mapping[str, Any] | None = None) -> Any:
    """A model from a file with a denoiser alone. Raises: CheckpointError."""
    return _denoiser(files.read(unet_path), model_options)


def load_diffusion_model_state_dict(
    sd: Mapping[str, Tensor],
    model_options: Mapping[str, Any] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Any:
    """As `load_diffusion_model`, from tensors that were read already."""
    return _denoiser(in_memory("a state dict", sd, metadata), model_options)


def load_unet(unet_path: str, dtype: torch.dtype | None = None) -> Any:
    """An older name of `load_diffusion_model`."""
    return load_diffusion_model(unet_path, {"dtype": dtype})


def load_unet_state_dict(sd: Mapping[str, Tensor], dtype: torch.dtype | None = None) -> Any:
    """An older name of `load_diffusion_model_state_dict`."""
    return load_diffusion_model_state_dict(sd, {"dtype": dtype})


def load_clip(
    ckpt_paths: Sequence[str],
    embedding_directory: Any = None,
    clip_type: CLIPType = CLIPType.STABLE_DIFFUSION,
    model_options: Mapping[str, Any] | None = None,
) -> CLIP:
    """A CLIP object of one file or two. Raises: CheckpointError."""
    return _text_encoders([files.read(path) for path in ckpt_paths], embedding_directory, model_options)


def load_text_encoder_state_dicts(
    state_dicts: Sequence[Mapping[str, Tensor]] = (),
    embedding_directory: Any = None,
    clip_type: CLIPType = CLIPType.STABLE_DIFFUSION,
    model_options: Mapping[str, Any] | None = None,
) -> CLIP:
    """As `load_clip`, from tensors that were read already."""
    files = [in_memory("a state dict", sd) for sd in state_dicts]
    return _text_encoders(files, embedding_directory, model_options)


def detect_te_model(sd: Mapping[str, Tensor]) -> TEModel | None:
    """Which text encoder this is; None when it is none."""
    if any(key.endswith("encoder.block.23.layer.1.DenseReluDense.wi_1.weight") for key in sd):
        return TEModel.T5_XXL
    try:
        return _TEXT_MODELS[texts.tower(in_memory("a state dict", sd)).spec.id]
    except CheckpointError:
        return None


def t5xxl_detect(clip_data: Sequence[Mapping[str, Tensor]]) -> dict[str, torch.dtype]:
    """The number format of a T5-XXL among these, as options for those who build one."""
    mark = "encoder.final_layer_norm.weight"
    return next(({"dtype_t5": sd[mark].dtype} for sd in clip_data if mark in sd), {})


def load_lora_for_models(
    model: Any, clip: Any, lora: Mapping[str, Tensor], strength_model: float, strength_clip: float
) -> tuple[Any, Any]:
    """Clones of a model and a CLIP with a LoRA on them; either may be None."""
    names: dict[Any, Any] = {}
    if model is not None:
        names = comfy.lora.model_lora_keys_unet(model.model, names)
    if clip is not None:
        names = comfy.lora.model_lora_keys_clip(clip.cond_stage_model, names)
    changes = comfy.lora.load_lora(comfy.lora_convert.convert_lora(lora), names)
    patched: list[Any] = [None, None]
    for place, (part, strength) in enumerate(((model, strength_model), (clip, strength_clip))):
        if part is not None:
            patched[place] = part.clone()
            patched[place].add_patches(changes, strength)
    return patched[0], patched[1]


def save_checkpoint(
    output_path: str,
    model: Any,
    clip: Any = None,
    vae: Any = None,
    clip_vision: Any = None,
    metadata: Mapping[str, str] | None = None,
    extra_keys: Mapping[str, Tensor] | None = None,
) -> None:
    """Writes a checkpoint with all patches worked in, and what the model's sampling object was set to.

    Raises: PathError.
    """
    ours, encoders = leave(model), None if clip is None else leave(clip)
    family = save.family_of(ours)
    tensors = save.layout(
        family,
        save.model_weights(ours),
        None if encoders is None else save.text_weights(encoders),
        None if vae is None else save.vae_weights(vae.working()),
    )
    described = description.described(ours, family, tensors, encoders)
    said = {key: str(value) for key, value in (metadata or {}).items()}
    named = {**tensors, **described.marks, **(extra_keys or {})}
    save.save_tensors(Path(output_path), named, {**described.hints.metadata(), **said})
    for sentence in described.lost:
        log.warning("%s: %s", Path(output_path).name, sentence)


class StyleModel:
    """A module that turns what a CLIP vision saw into tokens of text."""

    def __init__(self, model: Any, device: Any = "cpu") -> None:
        self.model = model

    def get_cond(self, input: Any) -> Any:
        """The tokens. `input` is what a CLIP vision answered."""
        return self.model(input.last_hidden_state)


def load_style_model(ckpt_path: str) -> Style:
    """A style adapter of a file. Raises: CheckpointError, for files of other kinds."""
    loader = host().loader
    return Style(image_prompts.style_model(Path(ckpt_path), loader.devices.place("text")), loader.keeper)


def load_gligen(ckpt_path: str) -> Any:
    """A patcher of a GLIGEN model. Raises: CheckpointError."""
    return gligen.patcher_of(host().loader.gligen(files.read(ckpt_path)))


def _parts(
    file: TensorFile,
    wanted: tuple[bool, bool, bool, bool],
    embedding_directory: Any,
    model_options: Mapping[str, Any] | None,
    te_model_options: Mapping[str, Any] | None,
) -> tuple[Any, Any, Any, Any]:
    loader = _loader(embedding_directory, model_options, te_model_options)
    found: Checkpoint = loader.checkpoint(file)
    model, clip, vae, vision = wanted
    return (
        _operated(file, model_options) or enter(found.model) if model else None,
        enter(found.clip) if clip and found.clip is not None else None,
        (enter(found.vae) if found.vae is not None else VAE()) if vae else None,
        _vision(file) if vision else None,
    )


def _vision(file: TensorFile) -> Any:
    for prefix in ("conditioner.embedders.0.open_clip.model.visual.", "embedder.model.visual.", "clip_l_vision."):
        tensors = file.read(prefix)
        if tensors:
            return clip_vision.load_clipvision_from_sd({prefix + k: v for k, v in tensors.items()}, prefix, True)
    return None


def _denoiser(file: TensorFile, model_options: Mapping[str, Any] | None) -> Any:
    return _operated(file, model_options) or enter(_loader(None, model_options, None).checkpoint(file).model)


def _operated(file: TensorFile, model_options: Mapping[str, Any] | None) -> Any:
    """A model whose network is made of a plugin's own layers; None where it names none.

    ComfyUI: those layers take the tensors as they are in the file, so packs keep weights packed in them.
    """
    options = model_options or {}
    if options.get("custom_operations") is None:
        return None
    tensors = dict(file.read())
    prefix = model_detection.unet_prefix_from_state_dict(tensors)
    tensors = utils.state_dict_prefix_replace(tensors, {prefix: ""}, filter_keys=True) or tensors
    config = model_detection.model_config_from_unet(tensors, "")
    if config is None:  # of a size that no model of the family has; the engine minds no sizes
        ours = _loader(None, model_options, None).checkpoint(in_memory(file.path.name, tensors))
        config = copy.copy(enter(ours.model).model.model_config)
    config.custom_operations = options["custom_operations"]
    device = model_management.get_torch_device()
    kept = options.get("dtype") or utils.weight_dtype(tensors) or torch.float32
    config.set_inference_dtype(kept, unet_manual_cast(kept, device))
    model = config.get_model(tensors, "")
    model.load_model_weights(tensors, "")
    return model_patcher.ModelPatcher(model, load_device=device, offload_device=model_management.unet_offload_device())


def _text_encoders(
    files: Sequence[TensorFile], embedding_directory: Any, model_options: Mapping[str, Any] | None
) -> CLIP:
    return CLIP.around(_loader(embedding_directory, None, model_options).text_encoders(files))


def _loader(
    embedding_directory: Any, model_options: Mapping[str, Any] | None, te_model_options: Mapping[str, Any] | None
) -> Loader:
    """The program's loader with a plugin's wishes: number formats, and where learned words are."""
    ours = host().loader
    devices = replace(
        places.named(ours.devices),
        network_precision=_precision(model_options) or ours.devices.network_precision,
        text_precision=_precision(te_model_options) or ours.devices.text_precision,
    )
    made = Loader(devices, (), ours.keeper)
    given = [embedding_directory] if isinstance(embedding_directory, str | Path) else embedding_directory
    made.embeddings = ours.embeddings if given is None else Embeddings([Path(each) for each in given], read_object)
    return made


def _precision(options: Mapping[str, Any] | None) -> Precision | None:
    return _PRECISIONS.get((options or {}).get("dtype", torch.float64))


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
