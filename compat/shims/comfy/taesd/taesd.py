"""TAESD under ComfyUI's names; the network is the engine's."""

from pathlib import Path
from typing import Any

from compat.missing import missing
from engine.checkpoints.tensors import open_tensors
from engine.models.taesd import Block, Clamp, TinyAutoencoder, TinyConfig, conv
from engine.models.taesd import decoder as Decoder
from engine.models.taesd import encoder as Encoder

__all__ = ["TAESD", "Block", "Clamp", "Decoder", "Encoder", "conv"]


class TAESD(TinyAutoencoder):
    """Both halves, each from its file where one is given; `vae_scale` and `vae_shift` are the family's latents'."""

    def __init__(self, encoder_path: Any = None, decoder_path: Any = None, latent_channels: int = 4) -> None:
        super().__init__(TinyConfig(latent_channels))
        for half, path in ((self.taesd_encoder, encoder_path), (self.taesd_decoder, decoder_path)):
            if path is not None:
                half.load_state_dict(open_tensors(Path(path)).read())


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
