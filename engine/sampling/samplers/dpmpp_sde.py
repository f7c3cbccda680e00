"""DPM-Solver++ with noise: the diffusion SDE, walked with a Brownian path (arXiv 2211.01095, section 5).

`eta` is how much of the SDE's noise there is: 1 all of it, 0 none (the probability flow).
"""

from torch import Tensor

from engine.errors import SamplingError
from engine.sampling.denoiser import Denoiser, NoiseSource, Path, Step, Walk, ancestral
from engine.sampling.samplers.dpmpp import exponential_step, half_way


def dpmpp_sde(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: NoiseSource,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
    r: float = 0.5,
) -> Walk:
    """Two looks a step, each after noise of the same Brownian path.

    Source: Lu et al. 2022, arXiv 2211.01095, algorithm 1 with noise, in the form of Karras et al.'s k-diffusion.
    """
    if r <= 0:
        raise SamplingError(f"dpmpp_sde looks a second time at the share r of a step, which must be above 0; got {r:g}")
    path = denoise.path
    sigmas = path.started(sigmas)
    for i in range(len(sigmas) - 1):
        sigma, following = sigmas[i], sigmas[i + 1]
        denoised = denoise(x, sigma)
        yield Step(i, sigma, x, denoised)
        if following == 0:
            return denoised
        middle = half_way(path, sigma, following, r)
        down, scale, up = ancestral(path, sigma, middle, eta)
        trial = scale * exponential_step(path, x, denoised, sigma, down)
        if eta > 0:
            trial = trial + noise(sigma, middle) * s_noise * up
        second = denoise(trial, middle)
        down, scale, up = ancestral(path, sigma, following, eta)
        target = denoised + (second - denoised) / (2 * r)
        x = scale * exponential_step(path, x, target, sigma, down)
        if eta > 0:
            x = x + noise(sigma, following) * s_noise * up
    return x


def dpmpp_2m_sde(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: NoiseSource,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
    solver_type: str = "midpoint",
) -> Walk:
    """One look a step and the change over the last one, with noise.

    `solver_type` is how the change is weighed: "midpoint" by half the step, "heun" by its exact integral.

    Source: Lu et al. 2022, arXiv 2211.01095, eq. 14 and 15 (SDE-DPM-Solver++(2M)).
    """
    if solver_type not in ("midpoint", "heun"):
        raise SamplingError(f"solver_type is midpoint or heun, not {solver_type!r}")
    path = denoise.path
    sigmas = path.started(sigmas)
    previous: Tensor | None = None
    for i in range(len(sigmas) - 1):
        denoised = denoise(x, sigmas[i])
        yield Step(i, sigmas[i], x, denoised)
        if sigmas[i + 1] == 0:
            return denoised
        part = _Part(path, sigmas[i], sigmas[i + 1], eta)
        x = part.shrink * x + part.reach * denoised
        if previous is not None:
            slope = (denoised - previous) * part.h / (path.log_snr(sigmas[i]) - path.log_snr(sigmas[i - 1]))
            x = x + (part.reach / 2 if solver_type == "midpoint" else part.bend) * slope
        x = x + part.noise(noise, s_noise)
        previous = denoised
    return x


def dpmpp_2m_sde_heun(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, *, eta: float = 1.0, s_noise: float = 1.0
) -> Walk:
    """`dpmpp_2m_sde` with the change weighed exactly. Source: as there."""
    return dpmpp_2m_sde(denoise, x, sigmas, noise, eta=eta, s_noise=s_noise, solver_type="heun")


def dpmpp_3m_sde(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, *, eta: float = 1.0, s_noise: float = 1.0
) -> Walk:
    """One look a step; the last two changes give slope and curve, with noise.

    Source: Karras et al.'s k-diffusion (DPM-Solver++(3M) SDE), after Lu et al. 2022, arXiv 2211.01095, appendix.
    """
    path = denoise.path
    sigmas = path.started(sigmas)
    seen: list[Tensor] = []
    for i in range(len(sigmas) - 1):
        denoised = denoise(x, sigmas[i])
        yield Step(i, sigmas[i], x, denoised)
        if sigmas[i + 1] == 0:
            return denoised
        part = _Part(path, sigmas[i], sigmas[i + 1], eta)
        x = part.shrink * x + part.reach * denoised
        seen = [denoised, *seen[:2]]
        levels = path.log_snr(sigmas[max(i - 2, 0) : i + 1]).flip(0)
        gaps = (levels[:-1] - levels[1:]) / part.h
        if len(seen) == 2:
            x = x + part.bend * (seen[0] - seen[1]) / gaps[0]
        if len(seen) == 3:
            near, far = (seen[0] - seen[1]) / gaps[0], (seen[1] - seen[2]) / gaps[1]
            curve = (near - far) / (gaps[0] + gaps[1])
            x = x + part.bend * (near + curve * gaps[0]) - part.curl * curve
        x = x + part.noise(noise, s_noise)
    return x


class _Part:
    """The weights of one exponential step with noise, from σ to σ'."""

    def __init__(self, path: Path, sigma: Tensor, following: Tensor, eta: float) -> None:
        self.sigma, self.following = sigma, following
        self.h = path.log_snr(following) - path.log_snr(sigma)
        self.eta_h = eta * self.h
        total = self.h + self.eta_h
        alpha = path.alpha(following)
        self.shrink = following / sigma * (-self.eta_h).exp()
        self.reach = alpha * total.neg().expm1().neg()
        self.bend = alpha * (total.neg().expm1() / total + 1)
        self.curl = self.bend / total - alpha / 2

    def noise(self, source: NoiseSource, s_noise: float) -> Tensor | float:
        if float(self.eta_h) == 0:
            return 0.0
        amount = self.following * (-2 * self.eta_h).expm1().neg().sqrt() * s_noise
        return source(self.sigma, self.following) * amount
