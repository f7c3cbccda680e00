"""Refined exponential solvers: one look a step, weighed by the exact integrals of exponential integrators."""

from torch import Tensor

from engine.sampling.denoiser import Denoiser, NoiseSource, Step, Walk, ancestral, direction, silence
from engine.sampling.samplers.dpmpp import exponential_step


def res_multistep_ancestral(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, *, eta: float = 1.0, s_noise: float = 1.0
) -> Walk:
    """Second-order steps from this look and the last, too far down, and fresh noise to come back up.

    Source: Zhang et al. 2023, arXiv 2308.02157 (RES), multistep form.
    """
    path = denoise.path
    sigmas = path.started(sigmas)
    previous, previous_down = x, sigmas[:1]
    for i in range(len(sigmas) - 1):
        denoised = denoise(x, sigmas[i])
        yield Step(i, sigmas[i], x, denoised)
        down, scale, up = ancestral(path, sigmas[i], sigmas[i + 1], eta)
        target = denoised
        if i > 0 and down > 0:
            target = denoised + _bend(denoise, sigmas[i - 1 : i + 1], previous_down, down) * (denoised - previous)
        x = exponential_step(path, x, target, sigmas[i], down)
        if sigmas[i + 1] > 0 and eta > 0:
            x = scale * x + noise(sigmas[i], sigmas[i + 1]) * s_noise * up
        previous, previous_down = denoised, down
    return x


def res_multistep(denoise: Denoiser, x: Tensor, sigmas: Tensor) -> Walk:
    """Second-order steps from this look and the last, without noise. Source: as `res_multistep_ancestral`."""
    return res_multistep_ancestral(denoise, x, sigmas, silence, eta=0.0)


def res_multistep_ancestral_cfg_pp(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, *, eta: float = 1.0, s_noise: float = 1.0
) -> Walk:
    """The same on the unconditional picture, from a latent moved by what guidance changed.

    Source: Zhang et al. 2023, arXiv 2308.02157; Chung et al. 2024, arXiv 2406.08070 (CFG++).
    """
    path = denoise.path
    sigmas = path.started(sigmas)
    previous, previous_down = x, sigmas[:1]
    for i in range(len(sigmas) - 1):
        denoised, unconditional = denoise.both(x, sigmas[i])
        yield Step(i, sigmas[i], x, denoised)
        down, scale, up = ancestral(path, sigmas[i], sigmas[i + 1], eta)
        if i > 0 and down > 0:
            bend = _bend(denoise, sigmas[i - 1 : i + 1], previous_down, down)
            moved = x + path.alpha(sigmas[i]) * (denoised - unconditional)
            target = unconditional + bend * (unconditional - previous)
            x = exponential_step(path, moved, target, sigmas[i], down)
        else:
            x = path.mixed(denoised, direction(x, sigmas[i], path.alpha(sigmas[i]) * unconditional), down)
        if sigmas[i + 1] > 0 and eta > 0:
            x = scale * x + noise(sigmas[i], sigmas[i + 1]) * s_noise * up
        previous, previous_down = unconditional, down
    return x


def res_multistep_cfg_pp(denoise: Denoiser, x: Tensor, sigmas: Tensor) -> Walk:
    """`res_multistep_ancestral_cfg_pp` without noise. Source: as there."""
    return res_multistep_ancestral_cfg_pp(denoise, x, sigmas, silence, eta=0.0)


def _bend(denoise: Denoiser, levels: Tensor, previous_down: Tensor, down: Tensor) -> Tensor:
    """How much of the change since the last look the target moves on: −φ₂ / (c₂ φ₁), with φ of −h.

    `previous_down` is where the last step went before noise took it back up; RES measures its distance from there.
    """
    path = denoise.path
    before, here = path.log_snr(levels)
    h = path.log_snr(down) - here
    share = (before - path.log_snr(previous_down).reshape(())) / h
    phi_1 = h.neg().expm1() / -h
    phi_2 = (phi_1 - 1) / -h
    return -phi_2 / (share * phi_1)
