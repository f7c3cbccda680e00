"""Noise sources with the faces that plugins know: fresh noise from a seed, and noise along a Brownian path."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from engine.sampling import noise


def fresh(x: Tensor, seed: int) -> Callable[[Any, Any], Tensor]:
    """New noise of x's shape for every step, drawn on the CPU from the seed after this one."""
    return noise.fresh(x, seed)


class PathNoise:
    """Noise of one Brownian path between two levels: finer steps see the same path in more detail.

    `seed` may be one per latent of the batch; none takes one of torch's. `transform` maps levels to the path's time.
    `cpu` grows the path there, where it is the same on every machine.
    """

    def __init__(
        self,
        x: Tensor,
        sigma_min: Any,
        sigma_max: Any,
        seed: int | Sequence[int] | None = None,
        transform: Callable[[Any], Any] = lambda level: level,
        cpu: bool = False,
    ) -> None:
        self.transform = transform
        ends = torch.stack([_number(transform(_number(each))) for each in (sigma_max, sigma_min)])
        if seed is None:
            seed = int(torch.randint(0, 2**63 - 1, []))
        self._batched = not isinstance(seed, int)
        if isinstance(seed, int):
            self._paths = [noise.brownian(x, ends, seed, on_device=not cpu)]
        else:
            if len(seed) != len(x):
                raise ValueError(f"a batch of {len(x)} latents needs one seed, or as many as it has; got {len(seed)}")
            self._paths = [
                noise.brownian(each, ends, int(own), on_device=not cpu) for each, own in zip(x, seed, strict=True)
            ]

    def __call__(self, sigma: Any, sigma_next: Any) -> Tensor:
        """The noise from one level to the next, of deviation 1. Returns: x's shape."""
        start, end = (_number(self.transform(_number(each))) for each in (sigma, sigma_next))
        drawn = [path(start, end) for path in self._paths]
        return torch.stack(drawn) if self._batched else drawn[0]


def _number(level: Any) -> Tensor:
    return torch.as_tensor(level).detach().cpu()
