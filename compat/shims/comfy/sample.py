"""ComfyUI's `comfy.sample`: what its KSampler nodes call, and plugins with them or in their place."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

import comfy
from compat.missing import missing

__all__ = ["fix_empty_latent_channels", "np", "prepare_noise", "sample", "sample_custom"]


def __getattr__(name: str) -> Any:
    # Names of older versions, which moved.
    if name in ("prepare_mask", "cleanup_additional_models", "get_additional_models", "get_models_from_cond"):
        return getattr(comfy.sampler_helpers, name)
    raise missing(__name__, name)


def prepare_noise(latent_image: Tensor, seed: int, noise_inds: Sequence[int] | None = None) -> Tensor:
    """The noise a picture begins as, drawn on the CPU. `noise_inds` are the places in the original batch.

    ComfyUI: this seeds torch's own generator, which samplers of plugins draw from later.

    Returns: the latent's shape.
    """
    generator = torch.manual_seed(seed % 2**64)
    if noise_inds is None:
        return _normal(latent_image.size(), latent_image, generator)
    one = (1, *latent_image.shape[1:])
    drawn = [_normal(one, latent_image, generator) for _ in range(int(max(noise_inds)) + 1)]
    return torch.cat([drawn[int(index)] for index in noise_inds])


def _normal(shape: Sequence[int], like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(tuple(shape), dtype=like.dtype, layout=like.layout, generator=generator, device="cpu")


def fix_empty_latent_channels(model: Any, latent_image: Tensor) -> Tensor:
    """An all-zero latent with the channels (and the time axis) of the model; any other as it is."""
    wanted = model.get_model_object("latent_format")
    if latent_image.count_nonzero() == 0 and latent_image.shape[1] != wanted.latent_channels:
        latent_image = comfy.utils.repeat_to_batch_size(latent_image, wanted.latent_channels, dim=1)
    if wanted.latent_dimensions == 3 and latent_image.ndim == 4:
        latent_image = latent_image.unsqueeze(2)
    return latent_image


def sample(
    model: Any,
    noise: Tensor,
    steps: int,
    cfg: float,
    sampler_name: str,
    scheduler: str,
    positive: Any,
    negative: Any,
    latent_image: Tensor,
    denoise: float = 1.0,
    disable_noise: bool = False,
    start_step: int | None = None,
    last_step: int | None = None,
    force_full_denoise: bool = False,
    noise_mask: Tensor | None = None,
    sigmas: Tensor | None = None,
    callback: Callable[..., Any] | None = None,
    disable_pbar: bool = False,
    seed: int | None = None,
) -> Tensor:
    """Draws as the KSampler nodes do. Returns: the latent, where values are kept between nodes."""
    made = comfy.samplers.KSampler(
        model,
        steps=steps,
        device=model.load_device,
        sampler=sampler_name,
        scheduler=scheduler,
        denoise=denoise,
        model_options=model.model_options,
    )
    drawn: Tensor = made.sample(
        noise,
        positive,
        negative,
        cfg=cfg,
        latent_image=latent_image,
        start_step=start_step,
        last_step=last_step,
        force_full_denoise=force_full_denoise,
        denoise_mask=noise_mask,
        sigmas=sigmas,
        callback=callback,
        disable_pbar=disable_pbar,
        seed=seed,
    )
    return drawn.to(comfy.model_management.intermediate_device())


def sample_custom(
    model: Any,
    noise: Tensor,
    cfg: float,
    sampler: Any,
    sigmas: Tensor,
    positive: Any,
    negative: Any,
    latent_image: Tensor,
    noise_mask: Tensor | None = None,
    callback: Callable[..., Any] | None = None,
    disable_pbar: bool = False,
    seed: int | None = None,
) -> Tensor:
    """Draws with any SAMPLER along any levels. Returns: the latent, where values are kept between nodes."""
    drawn: Tensor = comfy.samplers.sample(
        model,
        noise,
        positive,
        negative,
        cfg,
        model.load_device,
        sampler,
        sigmas,
        model_options=model.model_options,
        latent_image=latent_image,
        denoise_mask=noise_mask,
        callback=callback,
        disable_pbar=disable_pbar,
        seed=seed,
    )
    return drawn.to(comfy.model_management.intermediate_device())
