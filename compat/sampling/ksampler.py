"""comfy.samplers.KSampler and the SAMPLER values: how a guided model is walked down the noise levels."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import comfy
import torch
from torch import Tensor

from engine.sampling import noise as noises
from engine.sampling.schedules import WITHOUT_PENULTIMATE

Options = dict[str, Any]


class KSamplerX0Inpaint:
    """The guider as sampler functions see it: model(x, sigma, **extra_args) → clean latent, kept where the mask is 0.

    `latent_image` and `noise` are what the kept part is made of. `inner_model` is the guider.
    """

    latent_image: Tensor | None
    noise: Tensor

    def __init__(self, model: Any, sigmas: Tensor) -> None:
        self.inner_model = model
        self.sigmas = sigmas

    def __call__(
        self,
        x: Tensor,
        sigma: Tensor,
        denoise_mask: Tensor | None,
        model_options: Options | None = None,
        seed: int | None = None,
    ) -> Tensor:
        """One look. Shapes: x [B, C, …]; sigma [B]; denoise_mask as x, 1 = redraw."""
        options = {} if model_options is None else model_options
        if denoise_mask is None:
            answer: Tensor = self.inner_model(x, sigma, model_options=options, seed=seed)
            return answer
        if "denoise_mask_function" in options:
            more = {"model": self.inner_model, "sigmas": self.sigmas}
            denoise_mask = options["denoise_mask_function"](sigma, denoise_mask, extra_options=more)
        assert denoise_mask is not None
        assert self.latent_image is not None
        keep = 1.0 - denoise_mask
        shown = x * denoise_mask + self._kept(x, sigma) * keep
        answer = self.inner_model(shown, sigma, model_options=options, seed=seed)
        return answer * denoise_mask + self.latent_image * keep

    def _kept(self, x: Tensor, sigma: Tensor) -> Tensor:
        model = self.inner_model.inner_model
        if hasattr(model, "scale_latent_inpaint"):
            kept: Tensor = model.scale_latent_inpaint(
                x=x, sigma=sigma, noise=self.noise, latent_image=self.latent_image
            )
            return kept
        levels = sigma.reshape([len(sigma)] + [1] * (x.ndim - 1))
        noised: Tensor = model.model_sampling.noise_scaling(levels, self.noise, self.latent_image)
        return noised


class Sampler:
    """What nodes hand on as SAMPLER; plugins subclass it."""

    def sample(
        self,
        model_wrap: Any,
        sigmas: Tensor,
        extra_args: Options,
        callback: Callable[..., Any] | None,
        noise: Tensor,
        latent_image: Tensor | None = None,
        denoise_mask: Tensor | None = None,
        disable_pbar: bool = False,
    ) -> Tensor:
        """Walks down the levels. Raises: NotImplementedError, where a subclass did not say how."""
        raise NotImplementedError(f"{type(self).__name__} is a sampler without a method `sample`; give it one")

    def max_denoise(self, model_wrap: Any, sigmas: Tensor) -> bool:
        """Whether the run begins with as much noise as the model knows."""
        highest, first = float(model_wrap.inner_model.model_sampling.sigma_max), float(sigmas[0])
        return math.isclose(highest, first, rel_tol=1e-05) or first > highest


class KSAMPLER(Sampler):
    """A SAMPLER made of a function (model, x, sigmas, extra_args=, callback=, disable=, **extra_options) → x.

    `inpaint_options` {"random": True}: where a mask keeps the picture, it is noised with new noise.
    """

    def __init__(
        self,
        sampler_function: Callable[..., Tensor],
        extra_options: Mapping[str, Any] | None = None,
        inpaint_options: Mapping[str, Any] | None = None,
    ) -> None:
        self.sampler_function = sampler_function
        self.extra_options = dict(extra_options or {})
        self.inpaint_options = dict(inpaint_options or {})

    def sample(
        self,
        model_wrap: Any,
        sigmas: Tensor,
        extra_args: Options,
        callback: Callable[..., Any] | None,
        noise: Tensor,
        latent_image: Tensor | None = None,
        denoise_mask: Tensor | None = None,
        disable_pbar: bool = False,
    ) -> Tensor:
        """Noises the latent to the first level and walks down from there.

        `callback(step, denoised, x, steps)` hears of every step.
        """
        extra_args["denoise_mask"] = denoise_mask
        model_k = comfy.samplers.KSamplerX0Inpaint(model_wrap, sigmas)
        model_k.latent_image = latent_image
        model_k.noise = self._kept_noise(noise, extra_args.get("seed"))
        scaling = model_wrap.inner_model.model_sampling
        latent = torch.zeros_like(noise) if latent_image is None else latent_image
        x = scaling.noise_scaling(sigmas[0], noise, latent, self.max_denoise(model_wrap, sigmas))
        steps = len(sigmas) - 1

        def tell(step: Mapping[str, Any]) -> None:
            if callback is not None:
                # A sampler that chooses its own steps may take more than were planned.
                callback(step["i"], step["denoised"], step["x"], max(steps, step["i"] + 1))

        walked = self.sampler_function(
            model_k, x, sigmas, extra_args=extra_args, callback=tell, disable=disable_pbar, **self.extra_options
        )
        result: Tensor = scaling.inverse_noise_scaling(sigmas[-1], walked)
        return result

    def _kept_noise(self, noise: Tensor, seed: int | None) -> Tensor:
        if not self.inpaint_options.get("random", False):
            return noise
        return noises.initial(noise.float(), (seed or 0) + 1).to(noise)


def ksampler(
    sampler_name: str,
    extra_options: Mapping[str, Any] | None = None,
    inpaint_options: Mapping[str, Any] | None = None,
) -> KSAMPLER:
    """The SAMPLER of a function comfy.k_diffusion.sampling.sample_<name>, a plugin's own included.

    Raises: AttributeError, when there is no such function.
    """
    if sampler_name in ("dpm_fast", "dpm_adaptive"):
        function = _between_ends(sampler_name)
    else:
        function = getattr(comfy.samplers.k_diffusion_sampling, f"sample_{sampler_name}")
    made: KSAMPLER = comfy.samplers.KSAMPLER(function, extra_options, inpaint_options)
    return made


def _between_ends(name: str) -> Callable[..., Tensor]:
    """The two samplers that are told the ends of a run in place of its levels."""

    def sample(
        model: Any,
        x: Tensor,
        sigmas: Tensor,
        extra_args: Options | None = None,
        callback: Callable[..., Any] | None = None,
        disable: bool | None = None,
        **options: Any,
    ) -> Tensor:
        if len(sigmas) < 2:
            return x
        # They have no step to 0, so they stop at the level before. ComfyUI: one step is no step.
        positive = sigmas[sigmas > 0]
        count = (len(sigmas) - 1,) if name == "dpm_fast" else ()
        function = getattr(comfy.samplers.k_diffusion_sampling, f"sample_{name}")
        ends = (positive[-1], positive[0], *count)
        walked: Tensor = function(model, x, *ends, extra_args=extra_args, callback=callback, disable=disable, **options)
        return walked

    return sample


def sampler_object(name: str) -> KSAMPLER:
    """The SAMPLER of a name in the list of samplers."""
    module = comfy.samplers
    made: KSAMPLER
    if name == "uni_pc":
        made = module.KSAMPLER(comfy.extra_samplers.uni_pc.sample_unipc)
    elif name == "uni_pc_bh2":
        made = module.KSAMPLER(comfy.extra_samplers.uni_pc.sample_unipc_bh2)
    elif name == "ddim":
        # ComfyUI: Euler by another name; only masked pictures differ.
        made = module.ksampler("euler", inpaint_options={"random": True})
    else:
        made = module.ksampler(name)
    return made


class KSampler:
    """A run of so many steps: which sampler, which levels. Names that are not known become the first of their list."""

    SAMPLERS: list[str]
    SCHEDULERS: list[str]
    DISCARD_PENULTIMATE_SIGMA_SAMPLERS: set[str] = set(WITHOUT_PENULTIMATE)

    def __init__(
        self,
        model: Any,
        steps: int,
        device: torch.device,
        sampler: str | None = None,
        scheduler: str | None = None,
        denoise: float | None = None,
        model_options: Options | None = None,
    ) -> None:
        self.model = model
        self.device = device
        self.scheduler = scheduler if scheduler in self.SCHEDULERS else self.SCHEDULERS[0]
        self.sampler = sampler if sampler in self.SAMPLERS else self.SAMPLERS[0]
        self.denoise = denoise
        self.model_options = {} if model_options is None else model_options
        self.set_steps(steps, denoise)

    def calculate_sigmas(self, steps: int) -> Tensor:
        """The levels of a whole run. Returns: [steps + 1], on the CPU."""
        leaves_one_out = self.sampler in self.DISCARD_PENULTIMATE_SIGMA_SAMPLERS
        sampling = self.model.get_model_object("model_sampling")
        levels: Tensor = comfy.samplers.calculate_sigmas(sampling, self.scheduler, steps + leaves_one_out)
        return torch.cat([levels[:-2], levels[-1:]]) if leaves_one_out else levels

    def set_steps(self, steps: int, denoise: float | None = None) -> None:
        """Another number of steps, and the share of the run that is walked, from its end."""
        self.steps = steps
        # ComfyUI: a denoise of 0.9999 and more counts as 1.
        if denoise is None or denoise > 0.9999:
            self.sigmas = self.calculate_sigmas(steps).to(self.device)
        elif denoise <= 0.0:
            self.sigmas = torch.FloatTensor([])
        else:
            self.sigmas = self.calculate_sigmas(int(steps / denoise)).to(self.device)[-(steps + 1) :]

    def sample(
        self,
        noise: Tensor,
        positive: Any,
        negative: Any,
        cfg: float,
        latent_image: Tensor | None = None,
        start_step: int | None = None,
        last_step: int | None = None,
        force_full_denoise: bool = False,
        denoise_mask: Tensor | None = None,
        sigmas: Tensor | None = None,
        callback: Callable[..., Any] | None = None,
        disable_pbar: bool = False,
        seed: int | None = None,
    ) -> Tensor:
        """Draws, perhaps only some of the steps. Returns: the latent; as it was where there is nothing to do."""
        levels = self.sigmas if sigmas is None else sigmas
        if last_step is not None and last_step < len(levels) - 1:
            levels = levels[: last_step + 1].clone()
            if force_full_denoise:
                levels[-1] = 0
        latent = torch.zeros_like(noise) if latent_image is None else latent_image
        if start_step is not None:
            if start_step >= len(levels) - 1:
                return latent
            levels = levels[start_step:]
        drawn: Tensor = comfy.samplers.sample(
            self.model,
            noise,
            positive,
            negative,
            cfg,
            self.device,
            comfy.samplers.sampler_object(self.sampler),
            levels,
            self.model_options,
            latent_image=latent,
            denoise_mask=denoise_mask,
            callback=callback,
            disable_pbar=disable_pbar,
            seed=seed,
        )
        return drawn


def sample(
    model: Any,
    noise: Tensor,
    positive: Any,
    negative: Any,
    cfg: float,
    device: torch.device,
    sampler: Sampler,
    sigmas: Tensor,
    model_options: Options | None = None,
    latent_image: Tensor | None = None,
    denoise_mask: Tensor | None = None,
    callback: Callable[..., Any] | None = None,
    disable_pbar: bool = False,
    seed: int | None = None,
) -> Tensor:
    """Draws under classifier-free guidance. `model_options`, where given, take the place of the model's own."""
    guider = comfy.samplers.CFGGuider(model)
    if model_options:
        guider.model_options = model_options
    guider.set_conds(positive, negative)
    guider.set_cfg(cfg)
    drawn: Tensor = guider.sample(noise, latent_image, sampler, sigmas, denoise_mask, callback, disable_pbar, seed)
    return drawn
