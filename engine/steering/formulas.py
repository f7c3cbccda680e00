"""Formulas of guidance in the place of the usual one: functions of what the model sees with the text and without."""

from torch import Tensor

from engine.sampling.hooks import Answers, Hooks


def rescaling(share: float) -> Hooks:
    """Keeps strong guidance from burning colours: brings it, by this share, to the spread of the positive side.

    In terms of velocity, whatever the model tells: v = (x / (σ² + 1) − x₀) · √(σ² + 1) / σ.
    Source: Lin et al. 2023, arXiv 2305.08891, section 3.4 (equations 14 to 16).
    """

    def combine(answers: Answers) -> Tensor:
        x = answers.x
        sigma = answers.sigma.to(x.device)
        root = (sigma**2 + 1.0).sqrt()
        positive, negative = ((x / root**2 - clean) * root / sigma for clean in (answers.positive, answers.negative))
        guided = negative + answers.cfg * (positive - negative)
        final = rescaled(guided, positive, share)
        return x / root**2 - final * sigma / root

    return Hooks(combine=combine)


def rescaled(guided: Tensor, positive: Tensor, share: float) -> Tensor:
    """A guided prediction, by this share with each picture's deviation as its positive side has it.

    Shapes: [B, …].
    """
    axes = tuple(range(1, guided.ndim))
    spread = positive.std(dim=axes, keepdim=True) / guided.std(dim=axes, keepdim=True)
    return share * (guided * spread) + (1.0 - share) * guided
