"""Whether two sets of weights are of networks of one family, so that some of one may go into the other."""

import logging
from collections.abc import Mapping

from torch import Tensor

from engine.errors import CheckpointError

log = logging.getLogger(__name__)

FEW = 4
"""Weights that may differ in shape between models of one family: the first convolution (more channels in) and the last
(more out)."""


def common(ours: Mapping[str, Tensor], others: Mapping[str, Tensor], first: str, second: str, advice: str) -> list[str]:
    """The names that both have, those of other shapes among them, which are told with a warning.

    `first` and `second` are what messages call the two, `advice` what to do when they are not of one family.

    Raises: CheckpointError, for weights of two families.
    """
    both = [name for name in ours if name in others]
    wrong = [name for name in both if ours[name].shape != others[name].shape]
    examples = [f"{name} {list(ours[name].shape)} and {list(others[name].shape)}" for name in wrong[:3]]
    if len(wrong) > FEW or not both:
        raise CheckpointError(
            f"{second} is of another family than {first}: {len(both)} of {len(ours)} weights have the same names, "
            f"{len(wrong)} of these other shapes ({'; '.join(examples) or 'none in common'}); {advice}"
        )
    if wrong:
        log.warning(
            "%d weights of %s have other shapes than those of %s and are left out: %s",
            len(wrong),
            second,
            first,
            "; ".join(examples),
        )
    alone = sorted(set(ours) ^ set(others))
    if alone:
        log.info(
            "%d weights are in %s or %s only and stay as they are: %s", len(alone), first, second, ", ".join(alone[:3])
        )
    return both
