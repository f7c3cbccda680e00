"""DPM-Solver++ along the probability flow: exponential steps in the clean picture (arXiv 2211.01095)."""

from torch import Tensor

from engine.sampling.denoiser import Denoiser, NoiseSource, Path, Step, Walk, ancestral


def exponential_step(path: Path, x: Tensor, denoised: Tensor, sigma: Tensor, following: Tensor) -> Tensor:
    """The exact step if the clean picture did not change on the way.

    Source: Lu et al. 2022, arXiv 2211.01095, eq. 8. Written without λ, so that a step to σ = 0 is its limit.
    """
    share = following / sigma
    return share * x + (path.alpha(following) - share * path.alpha(sigma)) * denoised


def dpmpp_2m(denoise: Denoiser, x: Tensor, sigmas: Tensor) -> Walk:
    """One look a step; how the picture changed over the last step says how it will change over this one.

    Source: Lu et al. 2022, arXiv 2211.01095, algorithm 2 (DPM-Solver++(2M)).
    """
    path = denoise.path
    sigmas = path.started(sigmas)
    previous: Tensor | None = None
    for i in range(len(sigmas) - 1):
        denoised = denoise(x, sigmas[i])
        yield Step(i, sigmas[i], x, denoised)
        target = denoised
        if previous is not None and sigmas[i + 1] > 0:
            before, here, after = path.log_snr(sigmas[i - 1 : i + 2])
            target = denoised + (after - here) / (2 * (here - before)) * (denoised - previous)
        x = exponential_step(path, x, target, sigmas[i], sigmas[i + 1])
        previous = denoised
    return x


def dpmpp_2m_cfg_pp(denoise: Denoiser, x: Tensor, sigmas: Tensor) -> Walk:
    """CFG++ steps, bent by how the guided picture differs from the last unconditional one.

    Source: Chung et al. 2024, arXiv 2406.08070, appendix (CFG++ with DPM-Solver++(2M)).
    """
    path = denoise.path
    previous: Tensor | None = None
    for i in range(len(sigmas) - 1):
        sigma, following = sigmas[i], sigmas[i + 1]
        denoised, unconditional = denoise.both(x, sigma)
        yield Step(i, sigma, x, denoised)
        share = following / sigma
        bend = x.new_zeros(())
        if previous is not None and following > 0:
            before, here, after = path.log_snr(sigmas[i - 1 : i + 2])
            weight = path.alpha(following) - share * path.alpha(sigma)
            bend = weight * (after - here) / (2 * (here - before)) * (denoised - previous)
        kept = share * (x - path.alpha(sigma) * unconditional)
        x = path.alpha(following) * denoised + kept + bend
        previous = unconditional
    return x


def dpmpp_2s_ancestral(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, *, eta: float = 1.0, s_noise: float = 1.0
) -> Walk:
    """A look half-way in λ decides the step, which goes too far down; fresh noise comes back up.

    Source: Lu et al. 2022, arXiv 2211.01095, algorithm 1 (DPM-Solver++(2S)); k-diffusion for the ancestral step.
    """
    path = denoise.path
    sigmas = path.started(sigmas)
    for i in range(len(sigmas) - 1):
        denoised = denoise(x, sigmas[i])
        yield Step(i, sigmas[i], x, denoised)
        down, scale, up = ancestral(path, sigmas[i], sigmas[i + 1], eta)
        target = denoised
        if down > 0:
            middle = half_way(path, sigmas[i], down)
            target = denoise(exponential_step(path, x, denoised, sigmas[i], middle), middle)
        x = exponential_step(path, x, target, sigmas[i], down)
        if sigmas[i + 1] > 0 and eta > 0:
            x = scale * x + noise(sigmas[i], sigmas[i + 1]) * s_noise * up
    return x


def dpmpp_2s_ancestral_cfg_pp(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, *, eta: float = 1.0, s_noise: float = 1.0
) -> Walk:
    """The same, on a latent moved by what guidance changed, so that the unconditional noise is kept.

    Source: Chung et al. 2024, arXiv 2406.08070 (CFG++), with the step of `dpmpp_2s_ancestral`.
    """
    path = denoise.path
    sigmas = path.started(sigmas)
    for i in range(len(sigmas) - 1):
        denoised, unconditional = denoise.both(x, sigmas[i])
        yield Step(i, sigmas[i], x, denoised)
        down, scale, up = ancestral(path, sigmas[i], sigmas[i + 1], eta)
        alpha = path.alpha(sigmas[i])
        target, unguided = denoised, unconditional
        if down > 0:
            middle = half_way(path, sigmas[i], down)
            moved = x + alpha * (denoised - unconditional)
            trial = exponential_step(path, moved, denoised, sigmas[i], middle)
            # ComfyUI: the whole step is moved by the first guided answer and the second unconditional one.
            target, unguided = denoise.both(trial, middle)
        x = exponential_step(path, x + alpha * (denoised - unguided), target, sigmas[i], down)
        if sigmas[i + 1] > 0 and eta > 0:
            x = scale * x + noise(sigmas[i], sigmas[i + 1]) * s_noise * up
    return x


def half_way(path: Path, sigma: Tensor, following: Tensor, share: float = 0.5) -> Tensor:
    """The noise level that share of the way in λ."""
    here, after = path.log_snr(sigma), path.log_snr(following)
    return path.sigma(here + share * (after - here))
