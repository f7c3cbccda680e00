"""NOISE at the border: ours by a seed, and the objects of plugins that make their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from compat.crossing import enter
from engine.errors import SamplingError
from nodes.ways import Noise


@dataclass(frozen=True, eq=False)
class AuthorsNoise:
    """A noise of a plugin's own making, with the members that our nodes ask for."""

    guest: Any

    @property
    def seed(self) -> int:
        """What samplers that add noise on their way begin with."""
        return int(self.guest.seed)

    def of(self, latent: Mapping[str, Any]) -> Tensor:
        """The noise for a latent. Raises: SamplingError, where the plugin makes something else."""
        made = self.guest.generate_noise(dict(latent))
        if not isinstance(made, Tensor):
            kind = type(self.guest).__name__
            raise SamplingError(f"noise: {kind} should make a tensor of the latent's shape, made {type(made).__name__}")
        return made.detach().to(device="cpu", dtype=torch.float32)


def is_noise(value: object) -> bool:
    """Whether it can do what a noise is asked for."""
    known = callable(getattr(value, "generate_noise", None)) and hasattr(value, "seed")
    return known and not isinstance(value, type)


@enter.register
def _(value: Noise) -> Any:
    from comfy_extras.nodes_custom_sampler import Noise_EmptyNoise, Noise_RandomNoise

    return Noise_EmptyNoise() if value.is_silent else Noise_RandomNoise(value.seed)


@enter.register
def _(value: AuthorsNoise) -> Any:
    return value.guest


def left(value: Any) -> Any:
    """A plugin's noise, or one of ComfyUI's own kinds, for our nodes."""
    from comfy_extras.nodes_custom_sampler import Noise_EmptyNoise, Noise_RandomNoise

    if type(value) is Noise_RandomNoise and [*vars(value)] == ["seed"]:
        return Noise(value.seed)
    if type(value) is Noise_EmptyNoise and vars(value) == {"seed": 0}:
        return Noise(is_silent=True)
    return AuthorsNoise(value)
