"""Samplers that draw from what the model believes, instead of following its flow."""

from torch import Tensor

from engine.sampling.denoiser import Denoiser, NoiseSource, Step, Walk, direction


def ddpm(denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource) -> Walk:
    """The chain diffusion models were first sampled with: every step draws from the posterior.

    Source: Ho et al. 2020, arXiv 2006.11239, algorithm 2, on x / √(1 + σ²) with ᾱ = 1 / (1 + σ²).
    """
    for i in range(len(sigmas) - 1):
        sigma, following = sigmas[i], sigmas[i + 1]
        denoised = denoise(x, sigma)
        yield Step(i, sigma, x, denoised)
        eps = direction(x, sigma, denoised)
        kept, kept_after = 1 / (1 + sigma**2), 1 / (1 + following**2)
        alpha = kept / kept_after
        mean = (x * kept.sqrt() - (1 - alpha) * eps / (1 - kept).sqrt()) / alpha.sqrt()
        if following > 0:
            mean = mean + ((1 - alpha) * (1 - kept_after) / (1 - kept)).sqrt() * noise(sigma, following)
        x = mean / kept_after.sqrt()
    return x


def lcm(denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource) -> Walk:
    """Jumps to the clean picture and noises it anew, for models trained to see it in one step.

    Source: Luo et al. 2023, arXiv 2310.04378, algorithm 3.
    """
    for i in range(len(sigmas) - 1):
        denoised = denoise(x, sigmas[i])
        yield Step(i, sigmas[i], x, denoised)
        x = denoised
        if sigmas[i + 1] > 0:
            x = denoise.path.mixed(denoised, noise(sigmas[i], sigmas[i + 1]), sigmas[i + 1])
    return x
