"""Samplers that take one look a step and remember the last few: Adams and Bashforth's old idea, several ways."""

import math
from collections.abc import Sequence

import numpy
from torch import Tensor

from engine.sampling.denoiser import Denoiser, Step, Walk, direction

# Adams–Bashforth for equal steps, newest slope first.
EQUAL_STEPS = (
    (1.0,),
    (3 / 2, -1 / 2),
    (23 / 12, -16 / 12, 5 / 12),
    (55 / 24, -59 / 24, 37 / 24, -9 / 24),
)


def lms(denoise: Denoiser, x: Tensor, sigmas: Tensor, *, order: int = 4) -> Walk:
    """Integrates the polynomial in σ through the last slopes.

    Source: Karras et al.'s k-diffusion (linear multistep).
    """
    levels = sigmas.double().tolist()
    slopes: list[Tensor] = []
    for i in range(len(sigmas) - 1):
        denoised = denoise(x, sigmas[i])
        yield Step(i, sigmas[i], x, denoised)
        if sigmas[i + 1] == 0:
            return denoised
        slopes = [direction(x, sigmas[i], denoised), *slopes][:order]
        known = levels[i - len(slopes) + 1 : i + 1][::-1]
        x = _along(x, slopes, [_integral(known, j, levels[i], levels[i + 1]) for j in range(len(known))])
    return x


def ipndm(denoise: Denoiser, x: Tensor, sigmas: Tensor, *, max_order: int = 4) -> Walk:
    """Adams–Bashforth with the weights of equal steps, starting with one slope and growing to four.

    Source: Zhang and Chen 2022, arXiv 2204.13902 (iPNDM), appendix.
    """
    slopes: list[Tensor] = []
    for i in range(len(sigmas) - 1):
        denoised = denoise(x, sigmas[i])
        yield Step(i, sigmas[i], x, denoised)
        if sigmas[i + 1] == 0:
            return denoised
        slopes = [direction(x, sigmas[i], denoised), *slopes][:max_order]
        weights = EQUAL_STEPS[len(slopes) - 1]
        x = _along(x, slopes, [w * float(sigmas[i + 1] - sigmas[i]) for w in weights])
    return x


def plms(denoise: Denoiser, x: Tensor, sigmas: Tensor) -> Walk:
    """Adams–Bashforth as in LDM: its first step is Heun's, which costs one look more.

    Source: Liu et al. 2022, arXiv 2202.09778 (PNDM), eq. 12; first steps as in CompVis' latent-diffusion.
    """
    slopes: list[Tensor] = []
    for i in range(len(sigmas) - 1):
        denoised = denoise(x, sigmas[i])
        yield Step(i, sigmas[i], x, denoised)
        slopes = [direction(x, sigmas[i], denoised), *slopes][:4]
        h = float(sigmas[i + 1] - sigmas[i])
        if i == 0 and sigmas[1] > 0:
            trial = x + slopes[0] * h
            x = _along(x, [*slopes, direction(trial, sigmas[1], denoise(trial, sigmas[1]))], [h / 2, h / 2])
        else:
            x = _along(x, slopes, [w * h for w in EQUAL_STEPS[len(slopes) - 1]])
    return x


def gradient_estimation(denoise: Denoiser, x: Tensor, sigmas: Tensor, *, ge_gamma: float = 2.0) -> Walk:
    """Euler's step, its slope corrected by how much it turned since the last one.

    Source: Permenter and Yuan 2023, arXiv 2306.04848, algorithm 1.
    """
    last: Tensor | None = None
    for i in range(len(sigmas) - 1):
        denoised = denoise(x, sigmas[i])
        yield Step(i, sigmas[i], x, denoised)
        if sigmas[i + 1] == 0:
            return denoised
        slope = direction(x, sigmas[i], denoised)
        turned = slope if last is None else ge_gamma * slope + (1 - ge_gamma) * last
        x = x + turned * (sigmas[i + 1] - sigmas[i])
        last = slope
    return x


def gradient_estimation_cfg_pp(denoise: Denoiser, x: Tensor, sigmas: Tensor, *, ge_gamma: float = 2.0) -> Walk:
    """The same, stepping to the guided picture with the unconditional noise.

    Source: Permenter and Yuan 2023, arXiv 2306.04848; Chung et al. 2024, arXiv 2406.08070 (CFG++).
    """
    path = denoise.path
    last: Tensor | None = None
    for i in range(len(sigmas) - 1):
        denoised, unconditional = denoise.both(x, sigmas[i])
        yield Step(i, sigmas[i], x, denoised)
        if sigmas[i + 1] == 0:
            return denoised
        slope = direction(x, sigmas[i], path.alpha(sigmas[i]) * unconditional)
        x = path.mixed(denoised, slope, sigmas[i + 1])
        if last is not None:
            x = x + (ge_gamma - 1) * (slope - last) * (sigmas[i + 1] - sigmas[i])
        last = slope
    return x


def ipndm_v(denoise: Denoiser, x: Tensor, sigmas: Tensor, *, max_order: int = 4) -> Walk:
    """iPNDM with weights for the steps as they are.

    Source: Zhang and Chen 2022, arXiv 2204.13902; Chen et al. 2023, arXiv 2310.11594 (diff-sampler), for uneven steps.
    """
    levels = sigmas.double().tolist()
    slopes: list[Tensor] = []
    for i in range(len(sigmas) - 1):
        denoised = denoise(x, sigmas[i])
        yield Step(i, sigmas[i], x, denoised)
        if sigmas[i + 1] == 0:
            return denoised
        slopes = [direction(x, sigmas[i], denoised), *slopes][:max_order]
        steps = [levels[i + 1 - j] - levels[i - j] for j in range(len(slopes))]
        x = _along(x, slopes, [w * steps[0] for w in uneven_weights(steps)])
    return x


def uneven_weights(steps: Sequence[float]) -> list[float]:
    """Adams–Bashforth weights for uneven steps, newest first, one for each step.

    Source: Chen et al. 2023, arXiv 2310.11594 (diff-sampler). Two of its terms are not the textbook's (marked);
    pictures depend on them, so they are kept.
    """
    h, h1, h2, h3 = (*steps, 0.0, 0.0, 0.0)[:4]
    weights = [1.0, 0.0, 0.0, 0.0]
    if len(steps) > 1:
        weights = _plus(weights, h / h1 / 2, [1.0, -1.0])
    if len(steps) > 2:
        # The textbook has (1 − h / …) / 2 times the rest; here the rest is subtracted within the brackets.
        second = (1 - h / (3 * (h + h1)) * (h * (h + h1)) / (h1 * (h1 + h2))) / 2
        weights = _plus(weights, second, [1.0, -1 - h1 / h2, h1 / h2])
    if len(steps) > 3:
        third = (1 - h / (3 * (h + h1))) / 2 + (1 - h / (2 * (h + h1))) * h / (6 * (h + h1 + h2))
        third *= h * (h + h1) * (h + h1 + h2) / (h1 * (h1 + h2) * (h1 + h2 + h3))
        ratio = h1 * (h1 + h2) / (h2 * (h2 + h3))
        # The textbook's last weight has h₂ / h₃ in place of h₁ / h₂.
        weights = _plus(weights, third, [1.0, -1 - h1 / h2 - ratio, h1 / h2 + ratio * (1 + h2 / h3), -ratio * h1 / h2])
    return weights[: len(steps)]


def _plus(weights: list[float], factor: float, difference: list[float]) -> list[float]:
    return [w + factor * d for w, d in zip(weights, [*difference, 0.0, 0.0], strict=False)]


def deis(denoise: Denoiser, x: Tensor, sigmas: Tensor, *, max_order: int = 3) -> Walk:
    """Integrates the polynomial through the last slopes in the time of a variance-preserving diffusion.

    Source: Zhang and Chen 2022, arXiv 2204.13902 (tAB-DEIS).
    """
    times = [_preserving_time(sigma) for sigma in sigmas.double().tolist()]
    slopes: list[Tensor] = []
    for i in range(len(sigmas) - 1):
        denoised = denoise(x, sigmas[i])
        yield Step(i, sigmas[i], x, denoised)
        if sigmas[i + 1] == 0:
            return denoised
        slopes = [direction(x, sigmas[i], denoised), *slopes][:max_order]
        known = times[i - len(slopes) + 1 : i + 1][::-1]
        x = _along(x, slopes, [_preserving_integral(known, j, times[i], times[i + 1]) for j in range(len(known))])
    return x


# The variance-preserving diffusion whose noise goes from 0.002 at time 0.001 to 80 at time 1 (Song et al. 2021).
_BETA_SLOPE = 2 * (math.log(0.002**2 + 1) / 1e-3 - math.log(80.0**2 + 1)) / (1e-3 - 1)
_BETA_START = math.log(80.0**2 + 1) - _BETA_SLOPE / 2


def _preserving_time(sigma: float) -> float:
    return (math.sqrt(_BETA_START**2 + 2 * _BETA_SLOPE * math.log(sigma**2 + 1)) - _BETA_START) / _BETA_SLOPE


def _preserving_integral(known: Sequence[float], j: int, start: float, end: float) -> float:
    def integrand(time: float) -> float:
        grown = math.exp(_BETA_SLOPE * time**2 / 2 + _BETA_START * time)
        rate = (_BETA_SLOPE * time + _BETA_START) * grown / (2 * math.sqrt(grown - 1))
        return rate * _lagrange(known, j, time)

    from scipy import integrate  # slow to import, and one sampler's affair

    return float(integrate.quad(integrand, start, end, epsrel=1e-8)[0])


def _integral(known: Sequence[float], j: int, start: float, end: float) -> float:
    """∫ of the polynomial that is 1 at known[j] and 0 at the others."""
    others = [value for k, value in enumerate(known) if k != j]
    polynomial = numpy.polynomial.Polynomial.fromroots(others) if others else numpy.polynomial.Polynomial([1.0])
    whole = (polynomial / math.prod(known[j] - value for value in others)).integ()
    return float(whole(end) - whole(start))


def _lagrange(known: Sequence[float], j: int, place: float) -> float:
    return math.prod((place - value) / (known[j] - value) for k, value in enumerate(known) if k != j)


def _along(x: Tensor, slopes: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    for slope, weight in zip(slopes, weights, strict=True):
        x = x + weight * slope
    return x
