"""Which of several views of a scene the others are seen from, and views put in that order and back.

Source: Lin et al. 2025, "Depth Anything 3", arXiv 2511.10647, and its reference code (ByteDance, Apache-2.0).
"""

from typing import Literal, get_args

import torch
from torch import Tensor

Strategy = Literal["saddle_balanced", "saddle_sim_range", "first", "middle"]
STRATEGIES = get_args(Strategy)

LEAST_VIEWS = 3
"""With fewer views the first one leads. Source: the reference's THRESH_FOR_REF_SELECTION."""


def leading(tokens: Tensor, strategy: Strategy) -> int:
    """The place of the view that the others are seen from.

    "saddle_balanced" is the view that is in the middle of all in likeness to the others, strength and spread of its
    summary; "saddle_sim_range" the one that is most like some and least like others.
    Shapes: tokens [S, D], the summary (class token) of each view.
    """
    if strategy == "first" or len(tokens) < LEAST_VIEWS:
        return 0
    if strategy == "middle":
        return len(tokens) // 2
    length = tokens.norm(dim=-1)
    unit = tokens / length.unsqueeze(-1)
    likeness = unit @ unit.T - torch.eye(len(unit), device=unit.device, dtype=unit.dtype)
    if strategy == "saddle_sim_range":
        return int((likeness.amax(dim=-1) - likeness.amin(dim=-1)).argmax())
    measures = (likeness.sum(dim=-1) / (len(tokens) - 1), length, unit.var(dim=-1))
    return int(sum((_ranged(each) - 0.5).abs() for each in measures).argmin())  # type: ignore[union-attr]


def led_by(count: int, leader: int) -> list[int]:
    """The order of views with the leader first, the others as they were."""
    return [leader, *(place for place in range(count) if place != leader)]


def undone(order: list[int]) -> list[int]:
    """The order that puts views so ordered back."""
    return sorted(range(len(order)), key=order.__getitem__)


def _ranged(measure: Tensor) -> Tensor:
    """0 for the smallest, 1 for the largest."""
    low, high = measure.min(), measure.max()
    return (measure - low) / (high - low + 1e-8)
