"""ComfyUI's autoencoder: the engine's own."""

from engine.models import vae


class AutoencoderKL(vae.AutoencoderKL):
    """Pixels in −1 … 1 to latents and back."""


AutoencodingEngine = AutoencoderKL
