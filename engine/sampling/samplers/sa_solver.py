"""SA-Solver: stochastic Adams methods, predictor and corrector with noise (Xue et al. 2023, arXiv 2309.05019)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from engine.sampling.denoiser import Denoiser, NoiseSource, Step, Walk

# How much of the SDE's noise there is at a noise level: the paper's τ.
Tau = Callable[[float], float]


def sa_solver(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: NoiseSource,
    *,
    tau: Tau | None = None,
    s_noise: float = 1.0,
    orders: tuple[int, int] = (3, 4),
    use_pece: bool = False,
    simple_order_2: bool = False,
) -> Walk:
    """Adams–Bashforth predicts, Adams–Moulton corrects with the look the next step needs anyway, both with one noise.

    `orders` are the predictor's and the corrector's (0: none). `use_pece` looks again after correcting;
    `simple_order_2` uses the shorter second-order weights of the paper's code.

    Source: Xue et al. 2023, arXiv 2309.05019, algorithm 1 (data prediction).
    """
    path = denoise.path
    sigmas = path.started(sigmas)
    tau = tau or between(0.0, math.inf)
    levels = path.log_snr(sigmas.double()).tolist()
    weigh = _simple_weights if simple_order_2 else _weights
    ends_clean = float(sigmas[-1]) == 0
    last = len(sigmas) - 1
    seen: list[Tensor] = []
    state, taken = x, _Taken()
    for i in range(last):
        denoised = denoise(x, sigmas[i])
        yield Step(i, sigmas[i], x, denoised)
        seen = [denoised, *seen][: max(orders)]
        left = last - i if ends_clean else last
        order = min(orders[1], len(seen), left)
        if i > 0 and order > 0 and (use_pece or sigmas[i + 1] > 0):
            known = levels[i - order + 1 : i + 1][::-1]
            weights = weigh(known, levels[i - 1], levels[i], taken.tau, True)
            x = taken.moved(state, seen, [w * float(path.alpha(sigmas[i])) for w in weights])
            if use_pece:
                seen[0] = denoise(x, sigmas[i])
        if sigmas[i + 1] == 0:
            return seen[0]
        state, taken = x, _Taken.step(sigmas[i], sigmas[i + 1], levels[i + 1] - levels[i], tau)
        taken.noise = taken.amount * s_noise * noise(sigmas[i], sigmas[i + 1]) if taken.amount > 0 else 0.0
        order = min(orders[0], len(seen), left - 1 if ends_clean else left)
        known = levels[i - order + 1 : i + 1][::-1]
        weights = weigh(known, levels[i], levels[i + 1], taken.tau, False)
        x = taken.moved(state, seen, [w * float(path.alpha(sigmas[i + 1])) for w in weights])
    return x


def sa_solver_pece(denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, *, tau: Tau | None = None) -> Walk:
    """SA-Solver that looks again after each correction. Source: as `sa_solver`."""
    return sa_solver(denoise, x, sigmas, noise, tau=tau, use_pece=True)


def between(low: float, high: float, eta: float = 1.0) -> Tau:
    """Noise only between two levels, as the paper recommends."""
    return lambda sigma: eta if low <= sigma <= high else 0.0


class _Taken:
    """A step that was predicted and may still be corrected: what stays of the state, and its noise."""

    def __init__(self, kept: float = 1.0, tau: float = 0.0, amount: float = 0.0) -> None:
        self.kept, self.tau, self.amount = kept, tau, amount
        self.noise: Tensor | float = 0.0

    @classmethod
    def step(cls, sigma: Tensor, following: Tensor, h: float, tau: Tau) -> "_Taken":
        strength = tau(float(following))
        amount = float(following) * math.sqrt(-math.expm1(-2 * strength**2 * h))
        return cls(float(following / sigma) * math.exp(-(strength**2) * h), strength, amount)

    def moved(self, state: Tensor, seen: list[Tensor], weights: list[float]) -> Tensor:
        result = self.kept * state + self.noise
        for weight, denoised in zip(weights, seen[: len(weights)], strict=True):
            result = result + weight * denoised
        return result


def _weights(known: list[float], start: float, end: float, tau: float, corrector: bool) -> list[float]:
    """The exact integral of the polynomial through the looks at `known`, newest first.

    Source: Xue et al. 2023, eq. 15 and 18, with e^λ σ = alpha taken out.
    """
    rate = 1 + tau**2
    h = end - start
    # ∫₀ʰ rate · e^(−rate·u) · uᵏ du, u being the way back from the end.
    moments = [-math.expm1(-rate * h)]
    for k in range(1, len(known)):
        moments.append(k / rate * moments[-1] - h**k * math.exp(-rate * h))
    places = torch.tensor([end - level for level in known], dtype=torch.float64)
    powers = places ** torch.arange(len(known)).double().unsqueeze(1)
    result: list[float] = torch.linalg.solve(powers, torch.tensor(moments, dtype=torch.float64)).tolist()
    return result


def _simple_weights(known: list[float], start: float, end: float, tau: float, corrector: bool) -> list[float]:
    """Second order as the paper's code has it: the change weighed by half the step. Other orders are exact."""
    if len(known) != 2:
        return _weights(known, start, end, tau, corrector)
    rate, h = 1 + tau**2, end - start
    whole = -math.expm1(-rate * h)
    # The corrector knows the end itself, so its change spans the step; the predictor's spans the step before.
    change = rate * h / 2 if corrector else rate * h**2 / 2 / (known[0] - known[1])
    return [change, whole - change] if corrector else [whole + change, -change]
