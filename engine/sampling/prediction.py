"""What a network's answer means: from its own way of speaking to the clean latent, the only one samplers know."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from engine.errors import SamplingError
from engine.sampling.denoiser import Path
from engine.sampling.table import SigmaTable

Kind = Literal["eps", "v", "x0", "edm", "img_to_img", "flow", "lcm", "cosmos_rflow"]


# Luo et al.'s code: the step of training counts ten times, and latents are taken to have half of their deviation.
LCM_TIME_SCALE, LCM_SIGMA_DATA = 10.0, 0.5


@dataclass(frozen=True, eq=False)
class Prediction:
    """How a denoiser was trained: what it predicts, and at which noise levels.

    `kind` is the noise ("eps"), the velocity ("v"), the clean latent ("x0", or "img_to_img" from an unscaled input),
    EDM's mix of both ("edm") or the straight path's direction ("flow"; "cosmos_rflow" where the levels are told as a
    diffusion's). A latent consistency model ("lcm") predicts noise, and near the picture hardly changes the latent.
    `sigma_data` is the deviation of its latents.

    Source: Ho et al. 2020 (eps); Salimans and Ho 2022, arXiv 2202.00512 (v); Karras et al. 2022, table 1 (edm);
    Liu et al. 2022, arXiv 2209.03003 (flow); Luo et al. 2023, arXiv 2310.04378, eq. 9 and its code (lcm).
    """

    kind: Kind
    table: SigmaTable
    sigma_data: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise SamplingError(f"prediction {self.kind!r} is unknown; expected one of {', '.join(get_args(Kind))}")
        if (self.kind == "flow") != self.table.flow:
            raise SamplingError(
                f"prediction {self.kind!r} does not go with a {'flow' if self.table.flow else 'diffusion'} table"
            )

    @property
    def path(self) -> Path:
        """How this model's latents and noise are mixed."""
        return Path(self.table.flow, self.table.at_percent(1e-4)) if self.table.flow else Path()

    def scaled_input(self, x: Tensor, sigma: Tensor) -> Tensor:
        """What the network is shown for a noisy latent.

        Shapes: x [B, C, h, w]; sigma a scalar.
        """
        if self.kind in ("flow", "img_to_img"):
            return x
        if self.kind == "cosmos_rflow":
            return x / (sigma + 1.0)
        return x / (sigma**2 + self.sigma_data**2).sqrt()

    def timestep(self, sigma: Tensor) -> Tensor:
        """When in its training the network met this noise level. Shapes: sigma a scalar."""
        return self.table.timestep(sigma)

    def denoised(self, answer: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        """The clean latent a network's answer means.

        Shapes: answer and x [B, C, h, w]; sigma a scalar.
        """
        if self.kind in ("x0", "img_to_img"):
            return answer
        if self.kind in ("eps", "flow"):
            return x - answer * sigma
        if self.kind == "lcm":
            kept, removed = consistency(self.timestep(sigma))
            return removed * (x - answer * sigma) + kept * x
        if self.kind == "cosmos_rflow":
            share = sigma / (sigma + 1.0)
            return x * (1.0 - share) - answer * share
        variance = sigma**2 + self.sigma_data**2
        sign = 1.0 if self.kind == "edm" else -1.0
        return x * (self.sigma_data**2 / variance) + sign * answer * (sigma * self.sigma_data / variance.sqrt())

    def noised(self, latent: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
        """A clean latent with noise of a level on it."""
        return self.path.mixed(latent, noise, sigma)

    def start(self, latent: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
        """Where sampling begins: the latent noised to the first level.

        At the table's top, latents of the training set were noise of deviation √(1 + σ²), picture and all.
        """
        widens = not self.table.flow and self.kind != "cosmos_rflow"
        if widens and float(sigma) >= self.table.sigma_max * (1 - 1e-5):
            return latent + noise * torch.sqrt(1.0 + sigma**2)
        return self.noised(latent, noise, sigma)

    def end(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The latent that sampling ends with; a flow stopped early has faded, and is brought back to full strength."""
        return x / (1.0 - sigma) if self.table.flow else x


def consistency(timestep: Tensor) -> tuple[Tensor, Tensor]:
    """How much of the latent itself, and of what its noise's removal leaves, is in a consistency model's answer.

    Shapes: timestep any, and so are both that come back.
    """
    time = timestep.float() * LCM_TIME_SCALE
    variance = time**2 + LCM_SIGMA_DATA**2
    return LCM_SIGMA_DATA**2 / variance, time / variance.sqrt()
