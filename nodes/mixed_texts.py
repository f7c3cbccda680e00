"""Conditionings mixed, joined and silenced: lists of [tokens, options], of which none is ever changed.

Source: node_behaviour.md 1.2.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from engine.errors import SamplingError

Texts = Sequence[Sequence[Any]]


def silenced(conditioning: Texts) -> list[list[Any]]:
    """A copy of a conditioning with zeros for its tokens and summaries; all else stays."""
    made = []
    for tokens, options in conditioning:
        said = {name: options.get(name) for name in ("pooled_output", "conditioning_lyrics")}
        zeros = {name: torch.zeros_like(value) for name, value in said.items() if value is not None}
        made.append([torch.zeros_like(tokens), {**options, **zeros}])
    return made


def concatenated(to: Texts, other: Texts) -> list[list[Any]]:
    """A copy of a conditioning with the first tokens of another after those of every entry. Raises: SamplingError."""
    return [[torch.cat([tokens, _first(other, tokens)[0]], 1), dict(options)] for tokens, options in to]


def averaged(to: Texts, other: Texts, share: float) -> list[list[Any]]:
    """A copy of a conditioning, every entry mixed with the first of another, which is cut or filled up to its length.

    Raises: SamplingError.
    """
    if len(other) > 1:
        logging.getLogger(__name__).warning("conditioning_from has %d texts; only the first is mixed in", len(other))
    made = []
    for tokens, options in to:
        added, said = _first(other, tokens)
        fitted = pad(added, (0, 0, 0, max(0, tokens.shape[1] - added.shape[1])))[:, : tokens.shape[1]]
        changed = dict(options)
        pooled_from = said.get("pooled_output")
        pooled_to = options.get("pooled_output", pooled_from)
        if pooled_from is not None:
            is_mixed = pooled_to is not None
            changed["pooled_output"] = pooled_to * share + pooled_from * (1.0 - share) if is_mixed else pooled_from
        made.append([tokens * share + fitted * (1.0 - share), changed])
    return made


def _first(conditioning: Texts, like: Tensor) -> tuple[Tensor, Mapping[str, Any]]:
    if not conditioning:
        raise SamplingError("the conditioning is empty; encode a text, and be it an empty one.")
    tokens, options = conditioning[0]
    if tokens.shape[2] != like.shape[2]:
        raise SamplingError(
            f"one text has {like.shape[2]} features, the other {tokens.shape[2]}; "
            "encode both with the text encoder of the same model family."
        )
    return tokens, options
