"""Nodes that change a model a little: LoRA files put on top of its weights."""

from typing import Annotated, NamedTuple

from engine.adapters import lora
from engine.checkpoints.load import Loader
from engine.folders import Folders
from engine.graph.define import Files, node
from nodes.convert import naming
from nodes.types import Clip, LoraStrength, Model

LoraName = Annotated[str, Files("loras", tooltip="A file of models/loras.")]


class Patched(NamedTuple):
    """Both parts a LoRA can change."""

    MODEL: Model
    CLIP: Clip | None


@node("LoraLoader", category="loaders", display_name="Load LoRA")
def lora_loader(
    *,
    model: Model,
    clip: Clip,
    lora_name: LoraName,
    strength_model: LoraStrength = 1.0,
    strength_clip: LoraStrength = 1.0,
    folders: Folders,
    loader: Loader,
) -> Patched:
    """Put a LoRA on a model and its text encoder; several add up."""
    if strength_model == 0 and strength_clip == 0:
        return Patched(model, clip)
    with naming("lora_name"):
        weights = loader.lora(folders.path("loras", lora_name))
        return Patched(*lora.apply(model, clip, weights, strength_model, strength_clip))


@node("LoraLoaderModelOnly", category="loaders")
def lora_loader_model_only(
    *, model: Model, lora_name: LoraName, strength_model: LoraStrength = 1.0, folders: Folders, loader: Loader
) -> Model:
    """Put a LoRA on a model and leave the text encoder as it is."""
    if strength_model == 0:
        return model
    with naming("lora_name"):
        weights = loader.lora(folders.path("loras", lora_name))
        return lora.apply(model, None, weights, strength_model, 0.0)[0]
