"""Adaptive projected guidance: strong guidance that does not oversaturate, by its part along the picture held back.

Source: Sadat et al. 2024, arXiv 2410.02416, algorithm 1, on clean latents.
"""

from dataclasses import replace

import torch
from torch import Tensor

from engine.sampling.hooks import Answers, Hooks, is_one


def projecting(eta: float, norm_threshold: float = 0.0, momentum: float = 0.0) -> Hooks:
    """Guides as usual, by a changed step from negative to positive.

    `eta` is how much counts of the step's part along the positive side. A `norm_threshold` above 0 is how long the step
    may be. `momentum` is how much counts of the steps before, in a run; below 0 they are taken away. Nothing is changed
    with eta 1 and both others 0.
    """
    if (eta, norm_threshold, momentum) == (1.0, 0.0, 0.0):
        return Hooks()
    projection = Projection(eta, norm_threshold, momentum)
    return Hooks(before=(projection.changed,), starts=(projection.start,), ends=(projection.start,))


class Projection:
    """The changed step, and those before it in this run."""

    def __init__(self, eta: float, norm_threshold: float = 0.0, momentum: float = 0.0) -> None:
        self.eta, self.norm_threshold, self.momentum = eta, norm_threshold, momentum
        self._steps: Tensor | None = None

    def start(self) -> None:
        """A run begins, or is over: there were no steps before."""
        self._steps = None

    def changed(self, answers: Answers) -> Answers:
        """The answers with a negative from which the usual formula makes the changed step.

        So that formulas in the place of the usual one know of it too.
        """
        if is_one(answers.cfg):
            return answers
        step = self._with_those_before(answers.positive - answers.negative)
        if self.norm_threshold > 0.0:
            step = shortened(step, self.norm_threshold)
        along = projected(step, answers.positive)
        return replace(answers, negative=answers.positive - (step - along + self.eta * along))

    def _with_those_before(self, step: Tensor) -> Tensor:
        if self.momentum == 0.0:
            return step
        if self._steps is not None and self._steps.shape == step.shape:
            step = step + self.momentum * self._steps
        self._steps = step
        return step


def shortened(x: Tensor, length: float) -> Tensor:
    """Each of a batch at most so long. Shapes: x [B, …]."""
    return x * (length / lengths(x)).clamp(max=1.0)


def projected(x: Tensor, onto: Tensor) -> Tensor:
    """The part of each of a batch that lies along another. Shapes: both [B, …]."""
    towards = onto / lengths(onto).clamp(min=torch.finfo(onto.dtype).tiny)
    return dot(x, towards) * towards


def lengths(x: Tensor) -> Tensor:
    """How long each of a batch is. Returns: [B, 1, …], to be multiplied with x."""
    return dot(x, x).sqrt()


def dot(x: Tensor, y: Tensor) -> Tensor:
    """The scalar product of each of a batch with its other. Returns: [B, 1, …]."""
    return (x * y).sum(dim=tuple(range(1, x.ndim)), keepdim=True)
