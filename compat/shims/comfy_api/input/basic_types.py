"""The plain values on wires.

Shapes: ImageInput [B, H, W, C] in 0..1; MaskInput [B, H, W]; LatentInput's "samples" [B, C, h, w]; AudioInput's
"waveform" [B, C, T].
"""

from typing import TypedDict

from torch import Tensor

ImageInput = Tensor
MaskInput = Tensor


class AudioInput(TypedDict):
    """Sound. Units: sample_rate in samples per second."""

    waveform: Tensor
    sample_rate: int


class LatentInput(TypedDict):
    """A latent; "noise_mask" and "batch_index" may be there too."""

    samples: Tensor
