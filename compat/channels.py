"""The further channels that networks for inpainting are shown. Source: node_behaviour.md A.5."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from engine.shapes import fitted_picture, spread_over_batch


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
