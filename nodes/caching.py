"""Nodes that save time by not asking a model in every step."""

import math
from typing import Annotated

import torch

from engine.graph.define import Widget, node
from engine.sampling.table import SigmaTable
from engine.steering import easy_cache
from nodes.types import Model

Threshold = Annotated[
    float,
    Widget(
        min=0.0,
        max=3.0,
        step=0.01,
        tooltip="How much answers may change before the model is asked again; 0 asks it always.",
    ),
]
ShareDone = Annotated[float, Widget(min=0.0, max=1.0, step=0.01, tooltip="0 is the first step, 1 the last.")]


@node("EasyCache", category="advanced/debug/model", is_experimental=True)
def easy_cached(
    *,
    model: Model,
    reuse_threshold: Threshold = 0.2,
    start_percent: ShareDone = 0.15,
    end_percent: ShareDone = 0.95,
    verbose: bool = False,
) -> Model:
    """Draw faster: where a model's answers hardly change from step to step, guess them and do not ask.

    verbose: write into the log which steps are guessed.
    """
    table = model.prediction.table
    reuse = easy_cache.Reuse(reuse_threshold, _time(table, start_percent), _time(table, end_percent), verbose)
    return model.with_hooks(easy_cache.reusing(reuse))


def _time(table: SigmaTable, percent: float) -> float:
    """The network's time when that share of a run is done; beyond all times at either end."""
    if not 0.0 < percent < 1.0:
        return math.inf if percent <= 0.0 else -math.inf
    return float(table.timestep(torch.tensor(table.at_percent(percent))))
