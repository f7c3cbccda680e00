"""Nodes that keep models in files, as everybody else in the field can open them."""

import logging
from collections.abc import Mapping
from typing import Annotated, Any

from engine.checkpoints import description, save
from engine.errors import CheckpointError, PathError
from engine.file_checks import prefix_stays_inside
from engine.folders import Folders
from engine.graph.define import Widget, node
from engine.graph.nodetype import Result
from engine.metadata import texts
from engine.saving import next_place, save_numbered
from engine.settings import Settings
from nodes.convert import naming, need_clip, need_vae
from nodes.types import Clip, ExtraJson, Model, PromptJson, Vae

log = logging.getLogger(__name__)

Prefix = Annotated[
    str, Widget(tooltip="Folder and start of the file names; %year%, %month% and the like are filled in.")
]
CATEGORY = "advanced/model_merging"


@node("CheckpointSave", category=CATEGORY, display_name="Save Checkpoint", is_output=True, validate=prefix_stays_inside)
def checkpoint_save(
    *,
    model: Model,
    clip: Clip,
    vae: Vae,
    filename_prefix: Prefix = "checkpoints/ComfyUI",
    prompt: PromptJson = None,
    extra_pnginfo: ExtraJson = None,
    folders: Folders,
    settings: Settings,
) -> Result:
    """Write a model with its text encoder and autoencoder into one file, LoRAs and merges worked in.

    filename_prefix: below the output folder; files in its checkpoints folder can be loaded at once.
    """
    family = save.family_of(model)
    with naming("vae", CheckpointError):
        autoencoder = save.vae_weights(need_vae(vae))
    with naming("clip", CheckpointError):
        encoders = save.text_weights(need_clip(clip))
        tensors = save.layout(family, save.model_weights(model), encoders, autoencoder)
    info = {} if settings.disable_metadata else texts(prompt, extra_pnginfo)
    return _write_model(model, clip, tensors, folders, filename_prefix, info)


@node("ModelSave", category=CATEGORY, display_name="Save Model", is_output=True, validate=prefix_stays_inside)
def model_save(
    *,
    model: Model,
    filename_prefix: Prefix = "diffusion_models/ComfyUI",
    prompt: PromptJson = None,
    extra_pnginfo: ExtraJson = None,
    folders: Folders,
    settings: Settings,
) -> Result:
    """Write the denoiser alone into a file, LoRAs and merges worked in."""
    tensors = save.layout(save.family_of(model), save.model_weights(model))
    info = {} if settings.disable_metadata else texts(prompt, extra_pnginfo)
    return _write_model(model, None, tensors, folders, filename_prefix, info)


@node("CLIPSave", category=CATEGORY, is_output=True, validate=prefix_stays_inside)
def clip_save(
    *,
    clip: Clip,
    filename_prefix: Prefix = "clip/ComfyUI",
    prompt: PromptJson = None,
    extra_pnginfo: ExtraJson = None,
    folders: Folders,
    settings: Settings,
) -> Result:
    """Write each text encoder into a file of its own, its name behind the prefix: _clip_l, _clip_g."""
    info = {} if settings.disable_metadata else texts(prompt, extra_pnginfo)
    for id, tensors in save.text_weights(need_clip(clip)).items():
        _write(folders, f"{filename_prefix}_{id}", save.alone(id, tensors), info)
    return Result()


@node("VAESave", category=CATEGORY, is_output=True, validate=prefix_stays_inside)
def vae_save(
    *,
    vae: Vae,
    filename_prefix: Prefix = "vae/ComfyUI_vae",
    prompt: PromptJson = None,
    extra_pnginfo: ExtraJson = None,
    folders: Folders,
    settings: Settings,
) -> Result:
    """Write the autoencoder alone into a file."""
    info = {} if settings.disable_metadata else texts(prompt, extra_pnginfo)
    with naming("vae", CheckpointError):
        tensors = save.vae_weights(need_vae(vae))
    _write(folders, filename_prefix, tensors, info)
    return Result()


def _title(model: Any, folders: Folders, prefix: str) -> dict[str, str]:
    """What other programs read of the model; its title is its place among the files of its prefix."""
    with naming("filename_prefix", PathError):
        _, stem, counter = next_place(folders.output, prefix)
    return description.metadata(model, f"{stem} {counter}")


def _write_model(
    model: Model, clip: Clip | None, tensors: save.Stored, folders: Folders, prefix: str, info: Mapping[str, str]
) -> Result:
    """The file of a model; what cannot be told in it, or not to other programs, is said in the log."""
    described = description.described(model, save.family_of(model), tensors, clip)
    said = {**_title(model, folders, prefix), **described.hints.metadata(), **info}
    name = _write(folders, prefix, {**tensors, **described.marks}, said)
    for sentence in described.lost:
        log.warning("%s: %s", name, sentence)
    return Result()


def _write(folders: Folders, prefix: str, tensors: save.Stored, info: Mapping[str, str]) -> str:
    with naming("filename_prefix", PathError):
        written = save_numbered(
            folders.output, prefix, "safetensors", lambda file: save.write_tensors(file, tensors, info)
        )
    return written.filename
