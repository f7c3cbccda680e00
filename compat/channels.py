"""The further channels that networks are shown beside the noisy latent. Source: node_behaviour.md A.5."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from engine.conditioning import Condition
from engine.models.latent_format import SD1
from engine.models.unet_config import UNetConfig
from engine.sampling.fitting import Fitted, Span
from engine.sampling.inpainting import COLOURS, FurtherChannels
from engine.shapes import fitted_picture, spread_over_batch

USUAL = ("mask", "masked_image")
"""The keys of a network for inpainting, which ComfyUI takes every network with further channels for."""

DEPTH = 1

_NO_TEXT = torch.zeros(1, 1, 1)


def of_engine(model: Any, kwargs: Mapping[str, Any]) -> Tensor | None:
    """What the engine shows networks that ComfyUI has no class for: depth, and the small picture of the x4 upscaler.

    None for all others. Raises: SamplingError, where a condition lacks it.
    """
    noise: Tensor = kwargs["noise"]
    config = getattr(getattr(model, "diffusion_model", None), "config", None)
    if not isinstance(config, UNetConfig) or tuple(model.concat_keys) != USUAL:
        return None
    further = config.in_channels - noise.shape[1]
    if further not in (DEPTH, COLOURS, noise.shape[1]):
        return None
    told = Condition(
        _NO_TEXT,
        concat_latent=kwargs.get("concat_latent_image"),
        concat_mask=kwargs.get("concat_mask"),
        concat_image=kwargs.get("concat_image"),
        image_noise=float(kwargs.get("noise_augmentation", 0.0)),
    )
    shown = FurtherChannels(further, SD1, noise, seed=int(kwargs.get("seed") or 0))
    return shown(Fitted(told, Span(math.inf, 0.0)))


def inpainting(model: Any, kwargs: Mapping[str, Any]) -> Tensor:
    """The channels that `model.concat_keys` name, for a condition; grey and all to be drawn where nothing is given.

    Returns: [B, channels, h, w], of the size of kwargs["noise"].
    """
    noise: Tensor = kwargs["noise"]
    mask = kwargs.get("concat_mask", kwargs.get("denoise_mask"))
    given = kwargs.get("concat_latent_image")
    picture: Any = kwargs.get("latent_image") if given is None else model.process_latent_in(given)
    channels = []
    for key in model.concat_keys:
        if mask is None or (picture is None and key != "mask"):
            channels.append(torch.ones_like(noise[:, :1]) if key == "mask" else model.blank_inpaint_image_like(noise))
        elif key == "mask":
            shaped = mask[:, :1] if mask.ndim == 4 else mask.float().reshape(-1, 1, *mask.shape[-2:])
            channels.append(fitted(shaped, noise).round())
        else:
            channels.append(fitted(picture, noise))
    return torch.cat(channels, dim=1).to(kwargs.get("device") or noise.device)


def fitted(picture: Tensor, like: Tensor) -> Tensor:
    """A picture or mask at the latent's size, with as many rows."""
    size = (int(like.shape[-2]), int(like.shape[-1]))
    picture = picture.to(like)
    if tuple(picture.shape[-2:]) != size:
        picture = fitted_picture(picture, size, "bilinear")
    return spread_over_batch(picture, len(like))
