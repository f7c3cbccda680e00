"""Models in diffusers' folders: one sub-folder per part."""

from pathlib import Path
from typing import Any

import comfy.sd
from compat import files
from compat.missing import missing
from engine.errors import CheckpointError

_NETWORK = tuple(
    f"diffusion_pytorch_model{kind}{suffix}"
    for kind, suffix in ((".fp16", ".safetensors"), ("", ".safetensors"), (".fp16", ".bin"), ("", ".bin"))
)
_TEXT = ("model.fp16.safetensors", "model.safetensors", "pytorch_model.fp16.bin", "pytorch_model.bin")


def first_file(path: str, filenames: Any) -> str | None:
    """The first of these files that is in a folder."""
    return next((str(Path(path, name)) for name in filenames if Path(path, name).exists()), None)


def load_diffusers(
    model_path: str, output_vae: bool = True, output_clip: bool = True, embedding_directory: Any = None
) -> tuple[Any, Any, Any]:
    """The model, CLIP and VAE of a folder with model_index.json. Raises: CheckpointError."""
    folder = Path(model_path)
    network = first_file(str(folder / "unet"), _NETWORK)
    if network is None:
        raise CheckpointError(f"{folder.name}: no {_NETWORK[1]} in its folder unet; choose a diffusers model's folder")
    texts = [first_file(str(folder / name), _TEXT) for name in ("text_encoder", "text_encoder_2")]
    clip = vae = None
    if output_clip:
        clip = comfy.sd.load_clip([each for each in texts if each is not None], embedding_directory)
    half = first_file(str(folder / "vae"), _NETWORK)
    if output_vae and half is not None:
        vae = comfy.sd.VAE(sd=files.read(half).read())
    return comfy.sd.load_diffusion_model(network), clip, vae


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
