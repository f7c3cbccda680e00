"""DPM-Solver in the noise's own form: a fixed budget of looks (`dpm_fast`), or steps as long as the error allows."""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from engine.errors import SamplingError
from engine.sampling.denoiser import Denoiser, NoiseSource, Step, Walk, ancestral


def dpm_fast(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, *, eta: float = 0.0, s_noise: float = 1.0
) -> Walk:
    """As many looks as there are steps, spent on third-order steps equal in log σ. Ends at the lowest level above 0.

    Source: Lu et al. 2022, arXiv 2206.00927, section 3.4 (DPM-Solver-fast).
    """
    looks = len(sigmas) - 1
    first, last = _ends(sigmas)
    orders = [3] * (looks // 3) + [looks % 3] if looks % 3 else [3] * (looks // 3 - 1) + [2, 1]
    times = torch.linspace(float(first), float(last), len(orders) + 1, dtype=sigmas.dtype)
    for i, order in enumerate(orders):
        time, following = times[i], times[i + 1]
        target, up = _down(denoise, time, following, last, eta)
        solver = _Looks(denoise, x, time)
        yield Step(i, _sigma(time), x, solver.denoised())
        x = (first_order, second_order, third_order)[order - 1](solver, target)
        if eta > 0:
            x = x + up * s_noise * noise(_sigma(time), _sigma(following))
    return x


@dataclass(frozen=True)
class StepControl:
    """How `dpm_adaptive` chooses its steps: tolerances, first step in λ, and the gains of a PID controller."""

    rtol: float = 0.05
    atol: float = 0.0078
    h_init: float = 0.05
    pcoeff: float = 0.0
    icoeff: float = 1.0
    dcoeff: float = 0.0
    accept_safety: float = 0.81


USUAL_CONTROL = StepControl()


def dpm_adaptive(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: NoiseSource,
    *,
    order: int = 3,
    control: StepControl = USUAL_CONTROL,
    eta: float = 0.0,
    s_noise: float = 1.0,
) -> Walk:
    """Steps as long as two orders agree, whatever the list of levels; only its ends count.

    Source: Lu et al. 2022, arXiv 2206.00927, appendix C (DPM-Solver-12 and -23).
    """
    if order not in (2, 3):
        raise SamplingError(f"dpm_adaptive knows orders 2 and 3, not {order}")
    if control.h_init <= 0 or max(control.rtol, control.atol) <= 0:
        raise SamplingError(
            f"dpm_adaptive would never end: it needs a first step (h_init) above 0, got {control.h_init:g}, and an "
            f"rtol or atol above 0, got {control.rtol:g} and {control.atol:g}"
        )
    time, last = _ends(sigmas)
    controller = _Controller(control, 1.5 if eta else float(order), control.h_init)
    accepted, taken = x, 0
    while time < last - 1e-5:
        following = torch.minimum(last, time + controller.h)
        target, up = _down(denoise, time, following, last, eta)
        solver = _Looks(denoise, x, time)
        yield Step(taken, _sigma(time), x, solver.denoised())
        low = first_order(solver, target) if order == 2 else second_order(solver, target, 1 / 3)
        high = second_order(solver, target) if order == 2 else third_order(solver, target)
        allowed = (control.rtol * torch.maximum(low.abs(), accepted.abs())).clamp(min=control.atol)
        if controller.accepts(float(torch.linalg.norm((low - high) / allowed)) / x.numel() ** 0.5):
            accepted, x = low, high
            if eta > 0:
                x = x + up * s_noise * noise(_sigma(time), _sigma(following))
            time, taken = following, taken + 1
    return x


class _Looks:
    """What the model said around one noise level, each place asked once. Time is t = −ln σ."""

    def __init__(self, denoise: Denoiser, x: Tensor, time: Tensor) -> None:
        self.denoise, self.x, self.time = denoise, x, time
        self.eps = self.noise_at(x, time)
        self._seen: dict[float, Tensor] = {}

    def noise_at(self, x: Tensor, time: Tensor) -> Tensor:
        sigma = _sigma(time)
        return (x - self.denoise(x, sigma)) / sigma

    def denoised(self) -> Tensor:
        return self.x - _sigma(self.time) * self.eps

    def between(self, share: float, h: Tensor) -> Tensor:
        if share not in self._seen:
            place = self.time + share * h
            trial = self.x - _sigma(place) * (share * h).expm1() * self.eps
            self._seen[share] = self.noise_at(trial, place)
        return self._seen[share]


def first_order(looks: _Looks, target: Tensor) -> Tensor:
    """DPM-Solver-1. Source: Lu et al. 2022, eq. 3.7."""
    h = target - looks.time
    return looks.x - _sigma(target) * h.expm1() * looks.eps


def second_order(looks: _Looks, target: Tensor, r1: float = 1 / 2) -> Tensor:
    """DPM-Solver-2. Source: Lu et al. 2022, algorithm 1, with any middle point."""
    h = target - looks.time
    turn = looks.between(r1, h) - looks.eps
    return first_order(looks, target) - _sigma(target) / (2 * r1) * h.expm1() * turn


def third_order(looks: _Looks, target: Tensor, r1: float = 1 / 3, r2: float = 2 / 3) -> Tensor:
    """DPM-Solver-3. Source: Lu et al. 2022, algorithm 2."""
    h = target - looks.time
    place = looks.time + r2 * h
    turn = looks.between(r1, h) - looks.eps
    trial = looks.x - _sigma(place) * (r2 * h).expm1() * looks.eps
    trial = trial - _sigma(place) * (r2 / r1) * ((r2 * h).expm1() / (r2 * h) - 1) * turn
    turn = looks.noise_at(trial, place) - looks.eps
    return first_order(looks, target) - _sigma(target) / r2 * (h.expm1() / h - 1) * turn


@dataclass
class _Controller:
    """Lengthens steps while they are good and shortens them when not, like a thermostat."""

    control: StepControl
    order: float
    h: float
    history: list[float] = field(default_factory=list)

    def accepts(self, error: float) -> bool:
        gains = self.control
        good = 1 / (error + 1e-8)
        first, second = self.history or (good, good)
        factor = (
            good ** ((gains.pcoeff + gains.icoeff + gains.dcoeff) / self.order)
            * first ** (-(gains.pcoeff + 2 * gains.dcoeff) / self.order)
            * second ** (gains.dcoeff / self.order)
        )
        factor = 1 + math.atan(factor - 1)
        self.h *= factor
        if factor < gains.accept_safety:
            self.history = [first, second]
            return False
        self.history = [good, first]
        return True


def _ends(sigmas: Tensor) -> tuple[Tensor, Tensor]:
    # The noise's own form has no step to 0, so these samplers stop at the level before. ComfyUI: one step is no step.
    positive = sigmas[sigmas > 0]
    return -positive[0].log(), -positive[-1].log()


def _sigma(time: Tensor) -> Tensor:
    return time.neg().exp()


def _down(denoise: Denoiser, time: Tensor, following: Tensor, last: Tensor, eta: float) -> tuple[Tensor, Tensor]:
    if eta <= 0:
        return following, torch.zeros_like(following)
    down, _, _ = ancestral(denoise.path, _sigma(time), _sigma(following), eta)
    target = torch.minimum(last, -down.log())
    return target, (_sigma(following) ** 2 - _sigma(target) ** 2).clamp(min=0).sqrt()
