"""SEEDS: exponential steps in λ with several looks, and noise that agrees between them (arXiv 2305.14267).

Between two looks the SDE's noise is drawn piece by piece, so that the look half-way and the end of the step see the
same path. `eta` is how much of the SDE's noise there is; 0 is the probability flow.
"""

import torch
from torch import Tensor

from engine.sampling.denoiser import Denoiser, NoiseSource, Path, Step, Walk, silence


def seeds_2(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: NoiseSource,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
    r: float = 0.5,
) -> Walk:
    """Two looks a step.

    Source: Gonzalez et al. 2023, arXiv 2305.14267, algorithm 2 (SEEDS-2), with data prediction.
    """
    path = denoise.path
    sigmas = path.started(sigmas)
    for i in range(len(sigmas) - 1):
        denoised = denoise(x, sigmas[i])
        yield Step(i, sigmas[i], x, denoised)
        if sigmas[i + 1] == 0:
            return denoised
        way = _Way(path, sigmas[i], sigmas[i + 1], eta, (r, 1.0))
        fluctuations = way.noise(noise, s_noise)
        trial = way.exponential(0, x, denoised) + fluctuations[0]
        second = denoise(trial, way.sigmas[0])
        x = way.exponential(1, x, denoised + (second - denoised) / (2 * r)) + fluctuations[1]
    return x


def seeds_3(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: NoiseSource,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
    r_1: float = 1 / 3,
    r_2: float = 2 / 3,
) -> Walk:
    """Three looks a step.

    Source: Gonzalez et al. 2023, arXiv 2305.14267, algorithm 3 (SEEDS-3), with data prediction.
    """
    path = denoise.path
    sigmas = path.started(sigmas)
    for i in range(len(sigmas) - 1):
        denoised = denoise(x, sigmas[i])
        yield Step(i, sigmas[i], x, denoised)
        if sigmas[i + 1] == 0:
            return denoised
        way = _Way(path, sigmas[i], sigmas[i + 1], eta, (r_1, r_2, 1.0))
        fluctuations = way.noise(noise, s_noise)
        trial = way.exponential(0, x, denoised) + fluctuations[0]
        second = denoise(trial, way.sigmas[0])
        trial = way.exponential(1, x, denoised) + way.bend(1) * r_2 / r_1 * (second - denoised) + fluctuations[1]
        third = denoise(trial, way.sigmas[1])
        x = way.exponential(2, x, denoised) + way.bend(2) / r_2 * (third - denoised) + fluctuations[2]
    return x


def exp_heun_2_x0(denoise: Denoiser, x: Tensor, sigmas: Tensor) -> Walk:
    """Exponential Heun: a trial step all the way, then the exact integral of the line between both looks.

    Source: Hochbruck and Ostermann 2010, Exponential integrators, eq. 2.39 with c₂ = 1, in λ and data prediction.
    """
    return exp_heun_2_x0_sde(denoise, x, sigmas, silence, eta=0.0)


def exp_heun_2_x0_sde(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, *, eta: float = 1.0, s_noise: float = 1.0
) -> Walk:
    """Exponential Heun with the SDE's noise. Source: as `exp_heun_2_x0`; Gonzalez et al. 2023, arXiv 2305.14267."""
    path = denoise.path
    sigmas = path.started(sigmas)
    for i in range(len(sigmas) - 1):
        denoised = denoise(x, sigmas[i])
        yield Step(i, sigmas[i], x, denoised)
        if sigmas[i + 1] == 0:
            return denoised
        way = _Way(path, sigmas[i], sigmas[i + 1], eta, (1.0,))
        x = way.exponential(0, x, denoised) + way.noise(noise, s_noise)[0]
        x = x + way.bend(0) * (denoise(x, sigmas[i + 1]) - denoised)
    return x


class _Way:
    """One step in λ with places to look at on the way; `shares` say where, the last is the end."""

    def __init__(self, path: Path, sigma: Tensor, following: Tensor, eta: float, shares: tuple[float, ...]) -> None:
        self.path, self.sigma, self.eta = path, sigma, eta
        here = path.log_snr(sigma)
        self.h = path.log_snr(following) - here
        self.shares = shares
        self.sigmas = [path.sigma(here + share * self.h) for share in shares[:-1]] + [following]

    def exponential(self, place: int, x: Tensor, denoised: Tensor) -> Tensor:
        """The state there if the clean picture did not change, without noise."""
        sigma, h = self.sigmas[place], self.shares[place] * self.h
        total = h * (1 + self.eta)
        return (
            sigma / self.sigma * (-self.eta * h).exp() * x
            + self.path.alpha(sigma) * total.neg().expm1().neg() * denoised
        )

    def bend(self, place: int) -> Tensor:
        """The weight of a change of the clean picture over the way there: the integral of a straight line."""
        total = self.shares[place] * self.h * (1 + self.eta)
        return self.path.alpha(self.sigmas[place]) * (total.neg().expm1() / total + 1)

    def noise(self, source: NoiseSource, s_noise: float) -> list[Tensor]:
        """The noise at each place; later places hold what is left of the earlier draws."""
        if self.eta <= 0:
            return [torch.zeros(()) for _ in self.shares]
        result: list[Tensor] = []
        sigma, share = self.sigma, 0.0
        carried: Tensor | float = 0.0
        for place, following in zip(self.shares, self.sigmas, strict=True):
            decay = (share - place) * self.h * self.eta
            carried = carried * decay.exp() + (2 * decay).expm1().neg().sqrt() * source(sigma, following)
            result.append(carried * following * s_noise)
            sigma, share = following, place
        return result
