"""How an IP-Adapter's weight is spread over the layers of a UNet.

The names are the options of ComfyUI_IPAdapter_plus. Source: deepwiki.com/cubiq/ComfyUI_IPAdapter_plus, "Weight
Scheduling" (read 2026-11-22), for easing and for weak and strong blocks; Wang et al. 2024, arXiv 2404.02733
(InstantStyle), for what the layers are about. Which blocks "strong style transfer" takes (all but those of the
composition) is our choice, after its name.
"""

import logging
from collections.abc import Sequence

from engine.errors import SamplingError

log = logging.getLogger(__name__)

PRECISE = {"style transfer precise": "style transfer", "composition precise": "composition"}
"""Kinds whose rule is documented nowhere, and what they are used as, which is our choice.

The pack's README says only that "style transfer precise" (2024/06/22) lets less of a picture leak between the layers of
style and composition, mostly in SDXL.
"""

WEIGHT_TYPES = (
    "linear",
    "ease in",
    "ease out",
    "ease in-out",
    "reverse in-out",
    "weak input",
    "weak output",
    "weak middle",
    "strong middle",
    "style transfer",
    "composition",
    "strong style transfer",
    "style and composition",
    *PRECISE,
)
"""How the weight is spread over the layers."""

EASED = 0.05  # What is left of the weight where it is eased away. Source: the page above.
WEAK = 0.2  # What is left of it in blocks that are to be weak, or beside a strong one. Source: the page above.


def spread(weight: float, kind: str, blocks: Sequence[tuple[str, int]]) -> list[float]:
    """The weight in each of the blocks, which come in the order in which they run.

    Raises: SamplingError, for a kind that is not known.
    """
    if kind in PRECISE:
        log.warning("weight_type %r is used as %r: its finer rule is not known here", kind, PRECISE[kind])
        kind = PRECISE[kind]
    if kind not in WEIGHT_TYPES:
        raise SamplingError(f"unknown weight_type {kind!r:.80}; known are {', '.join(WEIGHT_TYPES)}")
    middle = len(blocks) / 2
    shares: list[float] = []
    for number, (block, _) in enumerate(blocks):
        rise, tent = number / len(blocks), abs(number - middle) / middle
        eased = {"ease in": 1 - rise, "ease out": rise, "ease in-out": 1 - tent, "reverse in-out": tent}
        if kind in eased:
            shares.append(EASED + (1 - EASED) * eased[kind])
        elif kind.startswith("weak "):
            shares.append(WEAK if kind == f"weak {block}" else 1.0)
        elif kind == "strong middle":
            shares.append(1.0 if block == "middle" else WEAK)
        else:
            shares.append(1.0 if _does(kind, blocks, number) else 0.0)
    return [weight * share for share in shares]


def _does(kind: str, blocks: Sequence[tuple[str, int]], number: int) -> bool:
    """Whether a block is about the style or the composition that this kind wants."""
    style, composition = _jobs(blocks)
    if kind == "linear":
        return True
    if kind == "strong style transfer":
        return number not in composition
    return (number in style and "style" in kind) or (number in composition and "composition" in kind)


def _jobs(blocks: Sequence[tuple[str, int]]) -> tuple[set[int], set[int]]:
    """Which blocks make the style, and which the composition.

    Source: InstantStyle, section 3.2 for SDXL; its infer_style_sd15.py for Stable Diffusion 1.
    """
    if len(blocks) == 11:  # SDXL: the second transformers of up_blocks.0 and of down_blocks.2
        style, composition = {("output", 1)}, {("input", 8)}
    else:  # up_blocks.1; down_blocks.2 and the middle
        style, composition = {("output", each) for each in (3, 4, 5)}, {("input", 7), ("input", 8), ("middle", 0)}
    return (
        {number for number, each in enumerate(blocks) if each in style},
        {number for number, each in enumerate(blocks) if each in composition},
    )
