"""First-order samplers: one look at each noise level, one straight step."""

from dataclasses import dataclass

from torch import Tensor

from engine.sampling.denoiser import Denoiser, NoiseSource, Step, Walk, ancestral, direction


@dataclass(frozen=True)
class Churn:
    """Noise put back before each step between two levels; none by default.

    Source: Karras et al. 2022, arXiv 2206.00364, algorithm 2.
    """

    amount: float = 0.0
    sigma_min: float = 0.0
    sigma_max: float = float("inf")
    noise: float = 1.0

    def put_back(self, x: Tensor, sigmas: Tensor, i: int, noise: NoiseSource | None) -> tuple[Tensor, Tensor]:
        """The latent and its level at the beginning of step i."""
        sigma = sigmas[i]
        gamma = min(self.amount / (len(sigmas) - 1), 2**0.5 - 1)
        if gamma <= 0 or noise is None or not self.sigma_min <= float(sigma) <= self.sigma_max:
            return x, sigma
        higher = sigma * (gamma + 1)
        return x + noise(sigma, higher) * self.noise * (higher**2 - sigma**2).sqrt(), higher


NO_CHURN = Churn()


def euler(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, churn: Churn = NO_CHURN, noise: NoiseSource | None = None
) -> Walk:
    """Straight steps along the probability flow; DDIM is the same in this form.

    Source: Karras et al. 2022, arXiv 2206.00364, algorithm 2; Song et al. 2020, arXiv 2010.02502, eq. 13.
    """
    for i in range(len(sigmas) - 1):
        x, sigma = churn.put_back(x, sigmas, i, noise)
        denoised = denoise(x, sigma)
        yield Step(i, sigma, x, denoised)
        x = x + direction(x, sigma, denoised) * (sigmas[i + 1] - sigma)
    return x


def euler_ancestral(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, *, eta: float = 1.0, s_noise: float = 1.0
) -> Walk:
    """Steps that go too far down, and fresh noise to come back up.

    Source: Karras et al.'s k-diffusion; Song et al. 2020, arXiv 2010.02502, eq. 12 (with eta).
    """
    for i in range(len(sigmas) - 1):
        denoised = denoise(x, sigmas[i])
        yield Step(i, sigmas[i], x, denoised)
        down, scale, up = ancestral(denoise.path, sigmas[i], sigmas[i + 1], eta)
        x = x + direction(x, sigmas[i], denoised) * (down - sigmas[i])
        if sigmas[i + 1] > 0 and eta > 0:
            x = scale * x + noise(sigmas[i], sigmas[i + 1]) * s_noise * up
    return x


def euler_cfg_pp(denoise: Denoiser, x: Tensor, sigmas: Tensor) -> Walk:
    """Steps to the guided picture that keep the unconditional noise.

    Source: Chung et al. 2024, arXiv 2406.08070 (CFG++), algorithm 2.
    """
    path = denoise.path
    for i in range(len(sigmas) - 1):
        denoised, unconditional = denoise.both(x, sigmas[i])
        yield Step(i, sigmas[i], x, denoised)
        eps = direction(x, sigmas[i], path.alpha(sigmas[i]) * unconditional)
        x = path.mixed(denoised, eps, sigmas[i + 1])
    return x


def euler_ancestral_cfg_pp(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, *, eta: float = 1.0, s_noise: float = 1.0
) -> Walk:
    """CFG++ steps that go too far down, and fresh noise to come back up.

    Source: Chung et al. 2024, arXiv 2406.08070 (CFG++), with the step of `euler_ancestral`.
    """
    path = denoise.path
    for i in range(len(sigmas) - 1):
        denoised, unconditional = denoise.both(x, sigmas[i])
        yield Step(i, sigmas[i], x, denoised)
        down, scale, up = ancestral(path, sigmas[i], sigmas[i + 1], eta)
        eps = direction(x, sigmas[i], path.alpha(sigmas[i]) * unconditional)
        x = path.mixed(denoised, eps, down)
        if sigmas[i + 1] > 0 and eta > 0:
            x = scale * x + noise(sigmas[i], sigmas[i + 1]) * s_noise * up
    return x
