"""ComfyUI's autoencoder: the engine's own."""

from typing import Any

from compat.missing import missing
from engine.models import vae


class AutoencoderKL(vae.AutoencoderKL):
    """Pixels in −1 … 1 to latents and back."""


AutoencodingEngine = AutoencoderKL


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
