"""UniPC: a predictor and a corrector that share their looks (Zhao et al. 2023, arXiv 2302.04867)."""

import torch
from torch import Tensor

from engine.sampling.denoiser import Denoiser, Path, Step, Walk
from engine.sampling.samplers.dpmpp import exponential_step

# ComfyUI: the last level, whose λ would be infinite, is replaced by 0.001, and the result is what is found there. As
# √(1 − α²) with α = 1 / √(1 + 0.001²) in float32 that is 2⁻¹⁰: with it the goldens are met 4 to 170 times closer.
LAST_SIGMA = 2.0**-10


def uni_pc(denoise: Denoiser, x: Tensor, sigmas: Tensor, *, order: int = 3, variant: str = "bh1") -> Walk:
    """Multistep steps of up to third order, each corrected with the look that the next step needs anyway.

    `variant` is the paper's B(h): "bh1" is h, "bh2" is eʰ − 1.

    Source: Zhao et al. 2023, arXiv 2302.04867, algorithms 7 and 8 (data prediction).
    """
    path = denoise.path
    sigmas = path.started(sigmas).clone()
    if sigmas[-1] == 0:
        sigmas[-1] = LAST_SIGMA
    order = min(order, len(sigmas) - 2) or 1
    last = len(sigmas) - 1
    seen: list[Tensor] = []
    state = x
    for i in range(last):
        denoised = denoise(x, sigmas[i])
        yield Step(i, sigmas[i], x, denoised)
        if i > 0:
            state = _Unified(path, sigmas[: i + 1], seen, _order(order, i, last), variant).corrected(state, denoised)
        seen = [denoised, *seen][:order]
        x = _Unified(path, sigmas[: i + 2], seen, _order(order, i + 1, last), variant).predicted(state)
    return x


def uni_pc_bh2(denoise: Denoiser, x: Tensor, sigmas: Tensor, *, order: int = 3) -> Walk:
    """UniPC with B(h) = eʰ − 1, better for few steps. Source: as `uni_pc`."""
    return uni_pc(denoise, x, sigmas, order=order, variant="bh2")


def _order(order: int, step: int, last: int) -> int:
    # Few looks are known at the beginning, and high orders are unstable at the end.
    return min(order, step, last + 1 - step)


class _Unified:
    """The step from the last but one of `sigmas` to the last, with the looks so far, newest first."""

    def __init__(self, path: Path, sigmas: Tensor, seen: list[Tensor], order: int, variant: str) -> None:
        self.path, self.sigma, self.following = path, sigmas[-2], sigmas[-1]
        levels = path.log_snr(sigmas.double())
        h = float(levels[-1] - levels[-2])
        self.newest = seen[0]
        ratios = [float(levels[-2 - k] - levels[-2]) / h for k in range(1, order)]
        self.changes = [(seen[k] - seen[0]) / ratio for k, ratio in enumerate(ratios, start=1)]
        self.scale = -h if variant == "bh1" else float(torch.tensor(-h).double().expm1())
        self.matrix = torch.tensor([*ratios, 1.0], dtype=torch.float64) ** torch.arange(order).double().unsqueeze(1)
        self.vector = _phis(-h, order) / self.scale

    def predicted(self, x: Tensor) -> Tensor:
        """The state at the end of the step, from what was seen before it."""
        order = len(self.vector)
        if order == 2:
            # The paper's choice: exact for both variants to second order, and simpler.
            weights = [0.5]
        else:
            weights = torch.linalg.solve(self.matrix[:-1, :-1], self.vector[:-1]).tolist() if order > 1 else []
        return self._moved(x, self.changes, weights)

    def corrected(self, x: Tensor, denoised: Tensor) -> Tensor:
        """The state at the end of the step, now that the model has looked there."""
        weights = torch.linalg.solve(self.matrix, self.vector).tolist() if len(self.vector) > 1 else [0.5]
        return self._moved(x, [*self.changes, denoised - self.newest], weights)

    def _moved(self, x: Tensor, changes: list[Tensor], weights: list[float]) -> Tensor:
        x = exponential_step(self.path, x, self.newest, self.sigma, self.following)
        for change, weight in zip(changes, weights, strict=True):
            x = x - self.path.alpha(self.following) * self.scale * weight * change
        return x


def _phis(h: float, order: int) -> Tensor:
    """k!·h·φₖ₊₁(h) for k = 1 … order. Source: Zhao et al. 2023, eq. 5."""
    values = []
    phi = float(torch.tensor(h).double().expm1()) / h - 1
    factorial = 1.0
    for k in range(1, order + 1):
        values.append(phi * factorial)
        factorial *= k + 1
        phi = phi / h - 1 / factorial
    return torch.tensor(values, dtype=torch.float64)
