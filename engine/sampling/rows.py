"""Which side of the guidance, and which latent of the job, each row of a batch is about, as patches are told it.

Guides of the engine say both of every row, because memory may split a batch anywhere. ComfyUI's way says a sign for
each group of rows and no more; there every group holds all latents, in their order.
"""

from collections.abc import Mapping, Sequence
from typing import Any

SIGNS, LATENTS = "cond_or_uncond", "latent_indices"
"""The notes' names among all that patches are shown. The first is ComfyUI's, the second ours."""


def told(signs: Sequence[int], latents: Sequence[int]) -> dict[str, list[int]]:
    """The notes for a batch, each with a number for every row."""
    return {SIGNS: [*signs], LATENTS: [*latents]}


def signs_of(extra: Mapping[str, Any], rows: int) -> list[int]:
    """The sign of each row (0 positive); all are positive where nobody says."""
    signs = extra.get(SIGNS) or [0]
    each = max(1, -(-rows // len(signs)))
    return [signs[row // each] for row in range(rows)]


def latents_of(extra: Mapping[str, Any], rows: int) -> list[int]:
    """The number of each row's latent in the job, counted from 0."""
    latents = extra.get(LATENTS)
    if latents and rows % len(latents) == 0:
        return [latents[row // (rows // len(latents))] for row in range(rows)]
    groups = len(extra.get(SIGNS) or [0])
    return [row % max(1, rows // groups) for row in range(rows)]
