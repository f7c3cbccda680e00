"""ComfyUI's latent formats: how the latents of a family are scaled for its network, and their colours at a glance."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from compat.missing import missing
from engine.models import latent_format as formats


class LatentFormat:
    """Latents that are only scaled."""

    scale_factor: float = 1.0
    latent_channels: int = 4
    latent_dimensions: int = 2
    latent_rgb_factors: list[list[float]] | None = None
    latent_rgb_factors_bias: list[float] | None = None
    taesd_decoder_name: str | None = None
    engine_format: formats.LatentFormat | None = None

    def process_in(self, latent: Tensor) -> Tensor:
        """The latent as the network wants it, from the autoencoder's."""
        return latent * self.scale_factor

    def process_out(self, latent: Tensor) -> Tensor:
        """The latent as the autoencoder wants it, from the network's."""
        return latent / self.scale_factor


class _Shifted(LatentFormat):
    """Latents that are moved to a mean of 0, then scaled."""

    shift_factor: float = 0.0

    def process_in(self, latent: Tensor) -> Tensor:
        return (latent - self.shift_factor) * self.scale_factor

    def process_out(self, latent: Tensor) -> Tensor:
        return latent / self.scale_factor + self.shift_factor


class _Normalised(LatentFormat):
    """Latents whose channels have a mean and a deviation each."""

    mean: Sequence[float] = ()
    deviation: Sequence[float] = ()

    def __init__(self) -> None:
        shape = (1, self.latent_channels, *[1] * self.latent_dimensions)
        self.latents_mean = torch.tensor(self.mean).view(shape)
        self.latents_std = torch.tensor(self.deviation).view(shape)

    def process_in(self, latent: Tensor) -> Tensor:
        return (latent - self.latents_mean.to(latent)) * self.scale_factor / self.latents_std.to(latent)

    def process_out(self, latent: Tensor) -> Tensor:
        return latent * self.latents_std.to(latent) / self.scale_factor + self.latents_mean.to(latent)


def _rows(known: formats.LatentFormat) -> list[list[float]]:
    return [list(row) for row in known.rgb_factors]


class SD15(LatentFormat):
    """Stable Diffusion 1 and 2."""

    scale_factor = formats.SD1.scale
    latent_rgb_factors = _rows(formats.SD1)
    taesd_decoder_name = "taesd_decoder"

    def __init__(self, scale_factor: float = formats.SD1.scale) -> None:
        self.scale_factor = scale_factor


class SDXL(LatentFormat):
    """SDXL, its refiner, AuraFlow."""

    scale_factor = formats.SDXL.scale
    latent_rgb_factors = _rows(formats.SDXL)
    latent_rgb_factors_bias = list(formats.SDXL.rgb_bias)
    taesd_decoder_name = "taesdxl_decoder"


class SDXL_Playground_2_5(_Normalised):
    """Playground 2.5."""

    scale_factor = formats.PLAYGROUND.scale
    mean, deviation = formats.PLAYGROUND.mean, formats.PLAYGROUND.deviation
    latent_rgb_factors = _rows(formats.PLAYGROUND)
    taesd_decoder_name = "taesdxl_decoder"


class SD_X4(LatentFormat):
    """Stable Diffusion's upscaler."""

    scale_factor = formats.X4_UPSCALER.scale


class SC_Prior(LatentFormat):
    """Stable Cascade, stage C."""

    latent_channels = 16


class SC_B(LatentFormat):
    """Stable Cascade, stage B."""

    scale_factor = 1.0 / 0.43


class SD3(_Shifted):
    """Stable Diffusion 3."""

    latent_channels = 16
    scale_factor, shift_factor = formats.SD3.scale, formats.SD3.shift
    taesd_decoder_name = "taesd3_decoder"


class Flux(_Shifted):
    """Flux and Lumina 2."""

    latent_channels = 16
    scale_factor, shift_factor = formats.FLUX.scale, formats.FLUX.shift
    taesd_decoder_name = "taef1_decoder"


class StableAudio1(LatentFormat):
    """Stable Audio: sound."""

    latent_channels = 64
    latent_dimensions = 1


class HunyuanVideo(LatentFormat):
    """Hunyuan Video. Source of the scale: the vae's config.json of tencent/HunyuanVideo."""

    latent_channels = 16
    latent_dimensions = 3
    scale_factor = 0.476986


class LTXV(LatentFormat):
    """LTX Video, whose autoencoder scales its latents itself."""

    latent_channels = 128
    latent_dimensions = 3


class Wan21(_Normalised):
    """Wan 2.1. Source: latents_mean and latents_std in the vae's config.json of Wan-AI/Wan2.1."""

    latent_channels = 16
    latent_dimensions = 3
    # fmt: off
    mean = (
        -0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508,
        0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921,
    )
    deviation = (
        2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743,
        3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160,
    )
    # fmt: on


def from_engine(known: formats.LatentFormat) -> LatentFormat:
    """The engine's format as one of ComfyUI's, of the family's class where there is one."""
    classes: tuple[tuple[formats.LatentFormat, type[LatentFormat]], ...] = (
        (formats.SD1, SD15),
        (formats.SDXL, SDXL),
        (formats.PLAYGROUND, SDXL_Playground_2_5),
        (formats.X4_UPSCALER, SD_X4),
        (formats.SD3, SD3),
        (formats.FLUX, Flux),
    )
    for same, kind in classes:
        if _numbers(same) == _numbers(known):
            made = kind()
            break
    else:
        made = _Engine(known)
    made.engine_format = known
    made.latent_rgb_factors = _rows(known) or None
    made.latent_rgb_factors_bias = list(known.rgb_bias) if known.rgb_factors else None
    return made


class _Engine(LatentFormat):
    """A format of the engine's that ComfyUI has no class for."""

    def __init__(self, known: formats.LatentFormat) -> None:
        self.known = known
        self.scale_factor, self.latent_channels = known.scale, known.channels

    def process_in(self, latent: Tensor) -> Tensor:
        return self.known.to_model(latent)

    def process_out(self, latent: Tensor) -> Tensor:
        return self.known.to_latent(latent)


def _numbers(known: formats.LatentFormat) -> tuple[object, ...]:
    return known.scale, known.shift, known.channels, known.mean, known.deviation


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
