"""ComfyUI's sampling objects: at which noise levels a model was trained, and what its answers mean.

An object is made of two halves: a way of speaking (EPS, V_PREDICTION …) and a schedule (ModelSamplingDiscrete …).
Plugins combine them themselves and put the result into a model with `add_object_patch("model_sampling", …)`.
Source of the formulas: numerics.md; node_behaviour.md 7.2.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from compat.missing import missing

INFINITE = 999999999.9
"""The noise level of 0 percent: more than any."""


def reshape_sigma(sigma: Tensor, noise_dim: int) -> Tensor:
    """Noise levels [B] (or a scalar) as something that multiplies a latent with that many axes."""
    return sigma if sigma.nelement() == 1 else sigma.view(sigma.shape[:1] + (1,) * (noise_dim - 1))


class EPS:
    """The network tells the noise."""

    sigma_data: float
    sigma_max: Tensor

    def calculate_input(self, sigma: Tensor, noise: Tensor) -> Tensor:
        """What the network is shown for a noisy latent."""
        sigma = reshape_sigma(sigma, noise.ndim)
        return noise / (sigma**2 + self.sigma_data**2) ** 0.5

    def calculate_denoised(self, sigma: Tensor, model_output: Tensor, model_input: Tensor) -> Tensor:
        """The clean latent an answer means; model_input is the noisy latent itself."""
        return model_input - model_output * reshape_sigma(sigma, model_output.ndim)

    def noise_scaling(self, sigma: Tensor, noise: Tensor, latent_image: Tensor, max_denoise: bool = False) -> Tensor:
        """Where sampling begins."""
        sigma = reshape_sigma(sigma, noise.ndim)
        return latent_image + noise * (torch.sqrt(1.0 + sigma**2) if max_denoise else sigma)

    def inverse_noise_scaling(self, sigma: Tensor, latent: Tensor) -> Tensor:
        """What sampling ends with."""
        return latent


class V_PREDICTION(EPS):
    """The network tells the velocity."""

    def calculate_denoised(self, sigma: Tensor, model_output: Tensor, model_input: Tensor) -> Tensor:
        return _skipped(self.sigma_data, sigma, model_input) - _scaled(self.sigma_data, sigma, model_output)


class EDM(V_PREDICTION):
    """The network tells EDM's mix of noise and clean latent."""

    def calculate_denoised(self, sigma: Tensor, model_output: Tensor, model_input: Tensor) -> Tensor:
        return _skipped(self.sigma_data, sigma, model_input) + _scaled(self.sigma_data, sigma, model_output)


class CONST:
    """The network tells the direction of a straight path from picture to noise (rectified flow)."""

    def calculate_input(self, sigma: Tensor, noise: Tensor) -> Tensor:
        """The noisy latent as it is."""
        return noise

    def calculate_denoised(self, sigma: Tensor, model_output: Tensor, model_input: Tensor) -> Tensor:
        """The clean latent an answer means."""
        return model_input - model_output * reshape_sigma(sigma, model_output.ndim)

    def noise_scaling(self, sigma: Tensor, noise: Tensor, latent_image: Tensor, max_denoise: bool = False) -> Tensor:
        """Where sampling begins: a point on the path."""
        sigma = reshape_sigma(sigma, noise.ndim)
        return sigma * noise + (1.0 - sigma) * latent_image

    def inverse_noise_scaling(self, sigma: Tensor, latent: Tensor) -> Tensor:
        """The latent at full strength again, where the path was left early."""
        return latent / (1.0 - reshape_sigma(sigma, latent.ndim))


class X0(EPS):
    """The network tells the clean latent."""

    def calculate_denoised(self, sigma: Tensor, model_output: Tensor, model_input: Tensor) -> Tensor:
        return model_output


class IMG_TO_IMG(X0):
    """The network makes one picture of another; the input is not scaled."""

    def calculate_input(self, sigma: Tensor, noise: Tensor) -> Tensor:
        return noise


class COSMOS_RFLOW:
    """A straight path, its noise levels told as those of a diffusion (σ / (1 + σ) on the path)."""

    def calculate_input(self, sigma: Tensor, noise: Tensor) -> Tensor:
        """The point on the path."""
        share = sigma / (sigma + 1)
        return noise * (1.0 - reshape_sigma(share, noise.ndim))

    def calculate_denoised(self, sigma: Tensor, model_output: Tensor, model_input: Tensor) -> Tensor:
        """The clean latent an answer means."""
        share = reshape_sigma(sigma / (sigma + 1), model_output.ndim)
        return model_input * (1.0 - share) - model_output * share

    def noise_scaling(self, sigma: Tensor, noise: Tensor, latent_image: Tensor, max_denoise: bool = False) -> Tensor:
        """Where sampling begins."""
        return latent_image + noise * reshape_sigma(sigma, noise.ndim)

    def inverse_noise_scaling(self, sigma: Tensor, latent: Tensor) -> Tensor:
        """What sampling ends with."""
        return latent


def _skipped(data: float, sigma: Tensor, model_input: Tensor) -> Tensor:
    sigma = reshape_sigma(sigma, model_input.ndim)
    return model_input * (data**2 / (sigma**2 + data**2))


def _scaled(data: float, sigma: Tensor, model_output: Tensor) -> Tensor:
    sigma = reshape_sigma(sigma, model_output.ndim)
    return model_output * (sigma * data / (sigma**2 + data**2) ** 0.5)


def _settings(model_config: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {} if model_config is None else dict(model_config.sampling_settings or {})
    return settings


def rescale_zero_terminal_snr_sigmas(sigmas: Tensor) -> Tensor:
    """A table whose last entry is nearly nothing but noise. Source: Lin et al. 2023, arXiv 2305.08891, algorithm 1."""
    roots = (1 / (sigmas.double() ** 2 + 1)).sqrt()
    first, last = roots[0].clone(), roots[-1].clone()
    bars = ((roots - last) * (first / (first - last))) ** 2
    bars[-1] = 4.8973451890853435e-08
    return ((1 - bars) / bars).sqrt().to(sigmas.dtype)


class ModelSamplingDiscrete(nn.Module):
    """Noise levels by training step; time is the index."""

    sigmas: Tensor
    log_sigmas: Tensor

    def __init__(self, model_config: Any = None, zsnr: bool | None = None) -> None:
        super().__init__()
        settings = _settings(model_config)
        self.sigma_data = 1.0
        self.zsnr = bool(settings.get("zsnr", False) if zsnr is None else zsnr)
        self._register_schedule(
            beta_schedule=settings.get("beta_schedule", "linear"),
            timesteps=settings.get("timesteps", 1000),
            linear_start=settings.get("linear_start", 0.00085),
            linear_end=settings.get("linear_end", 0.012),
            zsnr=self.zsnr,
        )

    def _register_schedule(
        self,
        given_betas: Any = None,
        beta_schedule: str = "linear",
        timesteps: int = 1000,
        linear_start: float = 1e-4,
        linear_end: float = 2e-2,
        cosine_s: float = 8e-3,
        zsnr: bool = False,
    ) -> None:
        if given_betas is None:
            betas = _betas(beta_schedule, timesteps, linear_start, linear_end, cosine_s)
        else:
            betas = torch.as_tensor(given_betas, dtype=torch.float64)
        self.num_timesteps = len(betas)
        self.linear_start = linear_start
        self.linear_end = linear_end
        self.zsnr = zsnr
        bars = (1.0 - betas).cumprod(0)
        sigmas = ((1 - bars) / bars) ** 0.5
        self.set_sigmas(rescale_zero_terminal_snr_sigmas(sigmas) if zsnr else sigmas)

    def set_sigmas(self, sigmas: Tensor) -> None:
        """Another table of noise levels, rising."""
        self.register_buffer("sigmas", sigmas.float())
        self.register_buffer("log_sigmas", sigmas.log().float())

    @property
    def sigma_min(self) -> Tensor:
        """The lowest noise level above none."""
        return self.sigmas[0]

    @property
    def sigma_max(self) -> Tensor:
        """The highest noise level."""
        return self.sigmas[-1]

    def timestep(self, sigma: Tensor) -> Tensor:
        """The index of the nearest noise level."""
        distances = (sigma.log().to(self.log_sigmas.device).reshape(-1, 1) - self.log_sigmas).abs()
        return distances.argmin(dim=1).view(sigma.shape).to(sigma.device)

    def sigma(self, timestep: Tensor) -> Tensor:
        """The noise level at a time, between two entries on a straight line in log σ."""
        place = torch.clamp(timestep.float().to(self.log_sigmas.device), min=0, max=len(self.sigmas) - 1)
        low, high, share = place.floor().long(), place.ceil().long(), place.frac()
        return ((1 - share) * self.log_sigmas[low] + share * self.log_sigmas[high]).exp().to(timestep.device)

    def percent_to_sigma(self, percent: float) -> float:
        """The noise level when that share of sampling is done."""
        if percent <= 0.0:
            return INFINITE
        if percent >= 1.0:
            return 0.0
        return float(self.sigma(torch.tensor((1.0 - percent) * (self.num_timesteps - 1))))


def _betas(schedule: str, count: int, start: float, end: float, cosine_s: float) -> Tensor:
    if schedule == "linear":
        # What latent diffusion calls linear is linear in the roots; diffusers' "scaled linear".
        return torch.linspace(start**0.5, end**0.5, count, dtype=torch.float64) ** 2
    if schedule == "sqrt_linear":
        return torch.linspace(start, end, count, dtype=torch.float64)
    if schedule == "sqrt":
        return torch.linspace(start, end, count, dtype=torch.float64) ** 0.5
    if schedule in ("cosine", "squaredcos_cap_v2"):
        angles = (torch.arange(count + 1, dtype=torch.float64) / count + cosine_s) / (1 + cosine_s) * math.pi / 2
        bars = angles.cos() ** 2
        return (1 - bars[1:] / bars[:-1]).clamp(0, 0.999)
    raise NotImplementedError(f"beta schedule {schedule!r}: expected linear, cosine, sqrt_linear or sqrt")


class ModelSamplingDiscreteEDM(ModelSamplingDiscrete):
    """Discrete levels whose time is told as EDM tells it."""

    def timestep(self, sigma: Tensor) -> Tensor:
        return 0.25 * sigma.log()

    def sigma(self, timestep: Tensor) -> Tensor:
        return (timestep / 0.25).exp()


class ModelSamplingContinuousEDM(nn.Module):
    """Noise levels of any size in a range; time is a quarter of log σ (Karras et al. 2022, table 1)."""

    sigmas: Tensor
    log_sigmas: Tensor

    def __init__(self, model_config: Any = None) -> None:
        super().__init__()
        settings = _settings(model_config)
        self.set_parameters(
            settings.get("sigma_min", 0.002), settings.get("sigma_max", 120.0), settings.get("sigma_data", 1.0)
        )

    def set_parameters(self, sigma_min: float, sigma_max: float, sigma_data: float) -> None:
        """Another range; a thousand levels of it, evenly in log σ, stand for it in schedules."""
        self.sigma_data = sigma_data
        sigmas = torch.linspace(math.log(sigma_min), math.log(sigma_max), 1000).exp()
        self.register_buffer("sigmas", sigmas)
        self.register_buffer("log_sigmas", sigmas.log())

    @property
    def sigma_min(self) -> Tensor:
        """The lowest noise level."""
        return self.sigmas[0]

    @property
    def sigma_max(self) -> Tensor:
        """The highest noise level."""
        return self.sigmas[-1]

    def timestep(self, sigma: Tensor) -> Tensor:
        """The time of a noise level."""
        return 0.25 * sigma.log()

    def sigma(self, timestep: Tensor) -> Tensor:
        """The noise level of a time."""
        return (timestep / 0.25).exp()

    def percent_to_sigma(self, percent: float) -> float:
        """The noise level when that share of sampling is done, evenly in log σ."""
        if percent <= 0.0:
            return INFINITE
        if percent >= 1.0:
            return 0.0
        low, high = math.log(float(self.sigma_min)), math.log(float(self.sigma_max))
        return math.exp((high - low) * (1.0 - percent) + low)


class ModelSamplingContinuousV(ModelSamplingContinuousEDM):
    """The same with time as an angle, 0 … 1."""

    def timestep(self, sigma: Tensor) -> Tensor:
        return sigma.atan() / math.pi * 2

    def sigma(self, timestep: Tensor) -> Tensor:
        return (timestep * math.pi / 2).tan()


def time_snr_shift(alpha: float, t: Any) -> Any:
    """Times of a flow moved towards noise. Source: Esser et al. 2024, arXiv 2403.03206, section 5.3.2."""
    return t if alpha == 1.0 else alpha * t / (1 + (alpha - 1) * t)


class ModelSamplingDiscreteFlow(nn.Module):
    """A straight path's noise levels 0 … 1, their time shifted towards noise."""

    sigmas: Tensor

    def __init__(self, model_config: Any = None) -> None:
        super().__init__()
        settings = _settings(model_config)
        self.set_parameters(shift=settings.get("shift", 1.0), multiplier=settings.get("multiplier", 1000))

    def set_parameters(self, shift: float = 1.0, timesteps: int = 1000, multiplier: float = 1000) -> None:
        """Another shift."""
        self.shift = shift
        self.multiplier = multiplier
        times = torch.arange(1, timesteps + 1, 1) / timesteps
        self.register_buffer("sigmas", self.sigma(times * multiplier))

    @property
    def sigma_min(self) -> Tensor:
        """The lowest noise level above none."""
        return self.sigmas[0]

    @property
    def sigma_max(self) -> Tensor:
        """The highest noise level."""
        return self.sigmas[-1]

    def timestep(self, sigma: Tensor) -> Tensor:
        """The time at which the network is asked about a noise level."""
        return sigma * self.multiplier

    def sigma(self, timestep: Tensor) -> Tensor:
        """The noise level at a time."""
        shifted: Tensor = time_snr_shift(self.shift, timestep / self.multiplier)
        return shifted

    def percent_to_sigma(self, percent: float) -> float:
        """The noise level when that share of sampling is done."""
        if percent <= 0.0:
            return 1.0
        if percent >= 1.0:
            return 0.0
        return float(time_snr_shift(self.shift, 1.0 - percent))


class StableCascadeSampling(ModelSamplingDiscrete):
    """The cosine levels of Stable Cascade, between no noise and nearly only noise; time is 0 … 1."""

    def __init__(self, model_config: Any = None) -> None:
        nn.Module.__init__(self)
        self.sigma_data = 1.0
        self.set_parameters(_settings(model_config).get("shift", 1.0))

    def set_parameters(self, shift: float = 1.0, cosine_s: float = 8e-3) -> None:
        """Another shift of the noise levels."""
        self.shift = shift
        self.cosine_s = torch.tensor(cosine_s)
        self._init_alpha_cumprod = torch.cos(self.cosine_s / (1 + self.cosine_s) * math.pi * 0.5) ** 2
        self.num_timesteps = 10000
        self.set_sigmas(self.sigma((torch.arange(self.num_timesteps) + 1) / self.num_timesteps))

    def sigma(self, timestep: Tensor) -> Tensor:
        angle = (timestep + self.cosine_s) / (1 + self.cosine_s) * math.pi * 0.5
        kept = (angle.cos() ** 2 / self._init_alpha_cumprod).clamp(0.0001, 0.9999)
        if self.shift != 1.0:
            kept = ((kept / (1 - kept)).log() + 2 * math.log(1.0 / self.shift)).sigmoid()
        return ((1 - kept) / kept) ** 0.5

    def timestep(self, sigma: Tensor) -> Tensor:
        kept = 1 / (sigma * sigma + 1)
        if self.shift != 1.0:
            kept = ((kept / (1 - kept)).log() - 2 * math.log(1.0 / self.shift)).sigmoid()
        angle = (kept * self._init_alpha_cumprod).sqrt().clamp(0, 1).acos()
        return angle / (math.pi * 0.5) * (1 + self.cosine_s) - self.cosine_s

    def percent_to_sigma(self, percent: float) -> float:
        if percent <= 0.0:
            return INFINITE
        if percent >= 1.0:
            return 0.0
        return float(self.sigma(torch.tensor(1.0 - percent)))


def flux_time_shift(mu: float, sigma: float, t: Any) -> Any:
    """Flux's way of writing the shift, by its logarithm."""
    return math.exp(mu) / (math.exp(mu) + (1 / t - 1) ** sigma)


class ModelSamplingFlux(nn.Module):
    """A straight path with Flux's shift; time is the noise level."""

    sigmas: Tensor

    def __init__(self, model_config: Any = None) -> None:
        super().__init__()
        self.set_parameters(shift=_settings(model_config).get("shift", 1.15))

    def set_parameters(self, shift: float = 1.15, timesteps: int = 10000) -> None:
        """Another shift, told by its logarithm."""
        self.shift = shift
        self.register_buffer("sigmas", self.sigma(torch.arange(1, timesteps + 1, 1) / timesteps))

    @property
    def sigma_min(self) -> Tensor:
        """The lowest noise level above none."""
        return self.sigmas[0]

    @property
    def sigma_max(self) -> Tensor:
        """The highest noise level."""
        return self.sigmas[-1]

    def timestep(self, sigma: Tensor) -> Tensor:
        """The noise level itself."""
        return sigma

    def sigma(self, timestep: Tensor) -> Tensor:
        """The noise level at a time."""
        shifted: Tensor = flux_time_shift(self.shift, 1.0, timestep)
        return shifted

    def percent_to_sigma(self, percent: float) -> float:
        """The noise level when that share of sampling is done."""
        if percent <= 0.0:
            return 1.0
        if percent >= 1.0:
            return 0.0
        return float(flux_time_shift(self.shift, 1.0, 1.0 - percent))


class ModelSamplingCosmosRFlow(ModelSamplingContinuousEDM):
    """A diffusion's levels for a network that was trained on a straight path; time is the share of noise."""

    def timestep(self, sigma: Tensor) -> Tensor:
        return sigma / (sigma + 1)

    def sigma(self, timestep: Tensor) -> Tensor:
        highest = self.sigma_max
        return torch.where(timestep < highest / (highest + 1), timestep / (1 - timestep), highest)


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
