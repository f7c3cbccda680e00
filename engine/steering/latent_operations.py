"""What can be done to any latent as to a picture, by hand or to the guidance of every step: sharpen it, map its tones.

An operation is a function of a latent; the wire LATENT_OPERATION carries it. How bright a cell is, is how long it is
over its channels.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from engine.sampling.hooks import Answers, Hooks

Operation = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class TonemapReinhard:
    """Brings the brightest cells down, and leaves dark ones nearly as they are.

    Cells are measured in units of `multiplier` times what a standard deviation above the mean is, in each latent by
    itself. That unit is our choice: the paper's, a share of the mean, has no deviation in it, and docs.comfy.org says
    that ComfyUI's has, but not how much.
    Source: Reinhard et al. 2002, "Photographic tone reproduction for digital images", equation 3.
    """

    multiplier: float = 1.0

    def __call__(self, latent: Tensor) -> Tensor:
        """The same latent with other tones. Shapes: latent [B, C, …, h, w]."""
        brightness = latent.norm(dim=1, keepdim=True)
        axes = tuple(range(1, latent.ndim))
        spread = brightness.std(dim=axes, keepdim=True, correction=0)
        unit = self.multiplier * (brightness.mean(dim=axes, keepdim=True) + spread)
        # Length times 1 / (1 + length / unit), written so that a unit of 0 leaves nothing and no 0 / 0.
        return latent * (unit / (unit + brightness).clamp(min=torch.finfo(latent.dtype).tiny))


@dataclass(frozen=True)
class Sharpen:
    """Makes edges stronger (unsharp masking) without making cells brighter.

    `radius` is how far the blur reaches and `sigma` its deviation, both in cells; `alpha` is how much of what it takes
    away is added; 0 changes nothing.
    """

    radius: int
    sigma: float
    alpha: float

    def __call__(self, latent: Tensor) -> Tensor:
        """The same latent, sharper. Shapes: latent [B, C, …, h, w]."""
        if self.alpha == 0.0:
            return latent
        brightness = latent.norm(dim=1, keepdim=True)
        colour = latent / brightness.clamp(min=torch.finfo(latent.dtype).tiny)
        return (colour + self.alpha * (colour - blurred(colour, self.radius, self.sigma))) * brightness


def blurred(x: Tensor, radius: int, sigma: float) -> Tensor:
    """Blurred by a Gaussian cut off at a radius; beyond the edge it is as at the edge. Shapes: x [..., h, w]."""
    places = torch.arange(-radius, radius + 1, dtype=torch.float32)
    weights = (-0.5 * (places / sigma) ** 2).exp()
    kernel = (weights / weights.sum()).to(x)
    planes = pad(x.reshape(-1, 1, *x.shape[-2:]), (radius,) * 4, mode="replicate")
    return conv2d(conv2d(planes, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1)).reshape(x.shape)


def guiding(operation: Operation) -> Hooks:
    """Does it to the step from negative to positive, at every moment; where nobody asks the negative, to the positive.

    Source: docs.comfy.org on LatentApplyOperationCFG.
    """

    def before(answers: Answers) -> Answers:
        # Where nobody asked, the negative is zero.
        return replace(answers, positive=answers.negative + operation(answers.positive - answers.negative))

    return Hooks(before=(before,))
