"""ComfyUI's core nodes that take the noise out of latents, as classes. Source: node_behaviour.md 7.1."""

from typing import Any

import comfy
import latent_preview
import torch

import nodes
from compat.core_nodes.widgets import SEED, number, whole, wires

Latent = dict[str, Any]


def common_ksampler(
    model: Any,
    seed: int,
    steps: int,
    cfg: float,
    sampler_name: str,
    scheduler: str,
    positive: Any,
    negative: Any,
    latent: Latent,
    denoise: float = 1.0,
    disable_noise: bool = False,
    start_step: int | None = None,
    last_step: int | None = None,
    force_full_denoise: bool = False,
) -> tuple[Latent]:
    """Draws into a latent, telling the running node of every step. Returns: the latent with new samples."""
    start = comfy.sample.fix_empty_latent_channels(model, latent["samples"])
    if disable_noise:
        noise = torch.zeros(start.size(), dtype=start.dtype, layout=start.layout, device="cpu")
    else:
        noise = comfy.sample.prepare_noise(start, seed, latent.get("batch_index"))
    samples = comfy.sample.sample(
        model,
        noise,
        steps,
        cfg,
        sampler_name,
        scheduler,
        positive,
        negative,
        start,
        denoise=denoise,
        disable_noise=disable_noise,
        start_step=start_step,
        last_step=last_step,
        force_full_denoise=force_full_denoise,
        noise_mask=latent.get("noise_mask"),
        callback=latent_preview.prepare_callback(model, steps),
        disable_pbar=not comfy.utils.PROGRESS_BAR_ENABLED,
        seed=seed,
    )
    return ({**latent, "samples": samples},)


def _settings() -> dict[str, Any]:
    samplers = comfy.samplers.KSampler
    cfg = ("FLOAT", {"default": 8.0, "min": 0.0, "max": 100.0, "step": 0.1, "round": 0.01})
    ways = {"sampler_name": (samplers.SAMPLERS,), "scheduler": (samplers.SCHEDULERS,)}
    given = wires(positive="CONDITIONING", negative="CONDITIONING", latent_image="LATENT")
    return {"steps": whole(20, 1, 10000), "cfg": cfg, **ways, **given}


class KSampler:
    """Draws."""

    RETURN_TYPES = ("LATENT",)
    FUNCTION = "sample"
    CATEGORY = "sampling"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": {**wires(model="MODEL"), "seed": SEED, **_settings(), "denoise": number(1.0)}}

    def sample(
        self,
        model: Any,
        seed: int,
        steps: int,
        cfg: float,
        sampler_name: str,
        scheduler: str,
        positive: Any,
        negative: Any,
        latent_image: Latent,
        denoise: float = 1.0,
    ) -> tuple[Latent]:
        """The latent, drawn."""
        draw = nodes.common_ksampler  # type: ignore[attr-defined] # where a plugin may put its own
        made: tuple[Latent] = draw(
            model, seed, steps, cfg, sampler_name, scheduler, positive, negative, latent_image, denoise=denoise
        )
        return made


class KSamplerAdvanced:
    """Draws only some of the steps."""

    RETURN_TYPES = ("LATENT",)
    FUNCTION = "sample"
    CATEGORY = "sampling"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        required = {
            **wires(model="MODEL"),
            "add_noise": (["enable", "disable"],),
            "noise_seed": SEED,
            **_settings(),
            "start_at_step": whole(0, 0, 10000),
            "end_at_step": whole(10000, 0, 10000),
            "return_with_leftover_noise": (["disable", "enable"],),
        }
        return {"required": required}

    def sample(
        self,
        model: Any,
        add_noise: str,
        noise_seed: int,
        steps: int,
        cfg: float,
        sampler_name: str,
        scheduler: str,
        positive: Any,
        negative: Any,
        latent_image: Latent,
        start_at_step: int,
        end_at_step: int,
        return_with_leftover_noise: str,
        denoise: float = 1.0,
    ) -> tuple[Latent]:
        """The latent, drawn from one step to another."""
        draw = nodes.common_ksampler  # type: ignore[attr-defined]
        made: tuple[Latent] = draw(
            model,
            noise_seed,
            steps,
            cfg,
            sampler_name,
            scheduler,
            positive,
            negative,
            latent_image,
            denoise=denoise,
            disable_noise=add_noise == "disable",
            start_step=start_at_step,
            last_step=end_at_step,
            force_full_denoise=return_with_leftover_noise != "enable",
        )
        return made
