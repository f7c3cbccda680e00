"""Nodes that load models from their folders."""

from typing import Annotated, NamedTuple

import torch

from engine.checkpoints import configs
from engine.checkpoints.configs import Configuration
from engine.checkpoints.load import Loader
from engine.errors import CheckpointError
from engine.folders import SMALL_VAES, VAE_AND_SMALL, Folders
from engine.graph.define import Choices, Files, node
from nodes.convert import naming
from nodes.types import Clip, ClipVision, Model, Vae

CheckpointName = Annotated[str, Files("checkpoints", tooltip="A file of models/checkpoints.")]
VaeName = Annotated[str, Files(VAE_AND_SMALL, also=("pixel_space",), tooltip="A file of models/vae.")]

DenoiserName = Annotated[str, Files("diffusion_models", tooltip="A file of models/diffusion_models.")]
TextName = Annotated[str, Files("text_encoders", tooltip="A file of models/text_encoders.")]
FolderName = Annotated[str, Files("diffusers", tooltip="A folder of models/diffusers with a model_index.json.")]
ConfigName = Annotated[
    str, Files("configs", also=tuple(configs.STANDARD), tooltip="What is known of the checkpoint besides its file.")
]
TextDevice = Annotated[str, Choices(("default", "cpu"), advanced=True, tooltip="Where the text is encoded.")]

STORED = {
    "default": None,
    "fp8_e4m3fn": torch.float8_e4m3fn,
    "fp8_e4m3fn_fast": torch.float8_e4m3fn,
    "fp8_e5m2": torch.float8_e5m2,
}
WeightFormat = Annotated[
    str,
    Choices(tuple(STORED), tooltip="How weights are kept; in 8 bits they take half of the room and are less exact."),
]

# fmt: off
TEXT_FAMILIES = (
    "stable_diffusion", "stable_cascade", "sd3", "stable_audio", "mochi", "ltxv", "pixart", "cosmos", "lumina2", "wan",
    "hidream", "chroma", "ace", "omnigen2", "qwen_image", "hunyuan_image",
)
# fmt: on
TextFamily = Annotated[str, Choices(TEXT_FAMILIES, tooltip="The models whose texts it is to encode.")]
PairFamily = Annotated[
    str,
    Choices(
        ("sdxl", "sd3", "flux", "hunyuan_video", "hidream", "hunyuan_image"),
        tooltip="The models whose texts they are to encode.",
    ),
]


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


class PictureCheckpoint(NamedTuple):
    """The four parts of a checkpoint that draws after pictures."""

    MODEL: Model
    CLIP: Clip | None
    VAE: Vae | None
    CLIP_VISION: ClipVision | None


@node("CheckpointLoader", category="advanced/loaders", display_name="Load Checkpoint With Config", is_deprecated=True)
def checkpoint_loader(
    *, config_name: ConfigName, ckpt_name: CheckpointName, folders: Folders, loader: Loader
) -> Checkpoint:
    """Load a checkpoint with a configuration, which says what it predicts and which layer of its text encoder to take.

    config_name: a file of models/configs, or one that everybody has.
    """
    with naming("config_name"):
        said = _configuration(config_name, folders)
    with naming("ckpt_name"):
        loaded = loader.checkpoint(folders.path("checkpoints", ckpt_name), said)
    return Checkpoint(loaded.model, loaded.clip, loaded.vae)


def _configuration(name: str, folders: Folders) -> Configuration:
    if name in configs.STANDARD and name not in folders.list("configs"):
        return configs.STANDARD[name]
    return configs.read(folders.path("configs", name))


@node("unCLIPCheckpointLoader", category="loaders")
def unclip_checkpoint_loader(*, ckpt_name: CheckpointName, folders: Folders, loader: Loader) -> PictureCheckpoint:
    """Load a model that draws after pictures, with the eyes it sees them by.

    CLIP_VISION: what CLIPVisionEncode looks at pictures with.
    """
    with naming("ckpt_name"):
        loaded = loader.checkpoint(folders.path("checkpoints", ckpt_name), with_vision=True)
    return PictureCheckpoint(loaded.model, loaded.clip, loaded.vae, loaded.vision)


@node("DiffusersLoader", category="advanced/loaders/deprecated")
def diffusers_loader(*, model_path: FolderName, folders: Folders, loader: Loader) -> Checkpoint:
    """Load a model from a folder in diffusers' layout."""
    with naming("model_path"):
        loaded = loader.diffusers(folders.path("diffusers", model_path))
    return Checkpoint(loaded.model, loaded.clip, loaded.vae)


@node("UNETLoader", category="advanced/loaders", display_name="Load Diffusion Model")
def unet_loader(*, unet_name: DenoiserName, weight_dtype: WeightFormat, folders: Folders, loader: Loader) -> Model:
    """Load the denoiser alone, without a text encoder or an autoencoder."""
    with naming("unet_name"):
        return loader.denoiser(folders.path("diffusion_models", unet_name), stored=STORED[weight_dtype])


@node("CLIPLoader", category="advanced/loaders", display_name="Load CLIP")
def clip_loader(
    *, clip_name: TextName, type: TextFamily, device: TextDevice | None = None, folders: Folders, loader: Loader
) -> Clip:
    """Load a text encoder by itself: CLIP-L for Stable Diffusion 1, CLIP-H for 2, CLIP-G for SDXL's refiner."""
    with naming("clip_name"):
        loaded = loader.text_encoders([folders.path("text_encoders", clip_name)], on_cpu=device == "cpu")
        (encoder,) = loaded.encoders
        if type in _USED_OTHERWISE.get(encoder.id, ()):
            raise CheckpointError(
                f"{clip_name}: {encoder.id} is one of several text encoders in {type}, which is not supported yet; "
                "choose the type stable_diffusion"
            )
    return loaded


_USED_OTHERWISE = {"clip_l": ("sd3", "hidream"), "clip_g": ("sd3", "hidream", "stable_cascade")}
"""Families that take these encoders' words in another way. Source: node_behaviour.md A.8."""


@node("DualCLIPLoader", category="advanced/loaders", display_name="DualCLIPLoader")
def dual_clip_loader(
    *,
    clip_name1: TextName,
    clip_name2: TextName,
    type: PairFamily,
    device: TextDevice | None = None,
    folders: Folders,
    loader: Loader,
) -> Clip:
    """Load SDXL's two text encoders, CLIP-L and CLIP-G, in any order."""
    if type != "sdxl":
        raise CheckpointError(f"text encoders for {type} are not supported yet; choose sdxl with a CLIP-L and a CLIP-G")
    with naming("clip_name1"):
        first = folders.path("text_encoders", clip_name1)
    with naming("clip_name2"):
        return loader.text_encoders([first, folders.path("text_encoders", clip_name2)], on_cpu=device == "cpu")


@node("VAELoader", category="loaders", display_name="Load VAE")
def vae_loader(*, vae_name: VaeName, folders: Folders, loader: Loader) -> Vae:
    """Load an autoencoder by itself."""
    if vae_name == "pixel_space":
        return loader.pixel_space()
    with naming("vae_name"):
        encoder, decoder = folders.small_vae(vae_name) if vae_name in SMALL_VAES else (None, None)
        if encoder is not None and decoder is not None:
            halves = (folders.path("vae_approx", each) for each in (encoder, decoder))
            return loader.small_vae(vae_name, *halves)
        return loader.vae(folders.path("vae", vae_name))
