"""Nodes that load models from their folders."""

from typing import Annotated, NamedTuple

from engine.checkpoints.load import Loader
from engine.folders import Folders
from engine.graph.define import Files, node
from nodes.convert import naming
from nodes.types import Clip, Model, Vae

CheckpointName = Annotated[str, Files("checkpoints", tooltip="A file of models/checkpoints.")]
VaeName = Annotated[str, Files("vae", also=("pixel_space",), tooltip="A file of models/vae.")]


class Checkpoint(NamedTuple):
    """The three parts of a checkpoint."""

    MODEL: Model
    CLIP: Clip | None
    VAE: Vae | None


@node("CheckpointLoaderSimple", category="loaders", display_name="Load Checkpoint")
def checkpoint_loader_simple(*, ckpt_name: CheckpointName, folders: Folders, loader: Loader) -> Checkpoint:
    """Load a model with its text encoder and autoencoder.

    MODEL: takes the noise out of latents.
    CLIP: turns text into what guides the picture.
    VAE: turns pixels into latents and back.
    """
    with naming("ckpt_name"):
        loaded = loader.checkpoint(folders.path("checkpoints", ckpt_name))
    return Checkpoint(loaded.model, loaded.clip, loaded.vae)


@node("VAELoader", category="loaders", display_name="Load VAE")
def vae_loader(*, vae_name: VaeName, folders: Folders, loader: Loader) -> Vae:
    """Load an autoencoder by itself."""
    if vae_name == "pixel_space":
        return loader.pixel_space()
    with naming("vae_name"):
        return loader.vae(folders.path("vae", vae_name))
