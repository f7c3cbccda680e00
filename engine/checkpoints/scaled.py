"""Weights stored in 8 bits, some with a scale beside them.

A file whose 8-bit weights are scaled says so by a tensor called `scaled_fp8`; beside a layer's `weight` lies its
`scale_weight`, which it is to be multiplied by, and maybe `scale_input`, for hardware that multiplies in 8 bits.
Source: node_behaviour.md A.7.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from engine.checkpoints.tensors import Shapes
from engine.devices.resting import Resting
from engine.devices.rounding import MANTISSA
from engine.errors import CheckpointError

MARK = "scaled_fp8"
SCALE = "scale_weight"


def is_marked(names: Shapes | Mapping[str, Tensor]) -> bool:
    """Whether the 8-bit weights among these are scaled."""
    return any(name.rpartition(".")[2] == MARK for name in names)


def stored_as(tensors: Mapping[str, Tensor], dtype: torch.dtype | None) -> dict[str, Tensor]:
    """The tensors in another number format, None for their own; those that are 8-bit and scaled stay as they are."""
    if dtype is None or is_marked(tensors):
        return dict(tensors)
    return {name: each.to(dtype) if each.is_floating_point() else each for name, each in tensors.items()}


def resting(where: str, weights: Mapping[str, Tensor], tensors: Mapping[str, Tensor], marked: bool) -> Resting:
    """The weights of a network, with their scales out of the tensors of its file.

    `where` names them for people; `marked`: their file says that they are scaled.

    Raises: CheckpointError, for a scale of another shape than its weight could have, or one that is missing.
    """
    scales = {}
    for name, weight in weights.items():
        if not name.endswith("weight"):
            continue
        scale = tensors.get(name.removesuffix("weight") + SCALE)
        if scale is not None:
            _check(where, name, weight, scale)
            scales[name] = scale
    lacking = [name for name, each in weights.items() if each.dtype in MANTISSA and name not in scales]
    lacking = [name for name in lacking if name.endswith("weight") and weights[name].ndim > 1]
    if marked and lacking:
        raise CheckpointError(
            f"{where}: its 8-bit weights are scaled, but there is no {SCALE} for {lacking[0]} and {len(lacking) - 1} "
            "others; get the file in 16 bits, or one whose scales are complete"
        )
    return Resting(weights, scales)


def _check(where: str, name: str, weight: Tensor, scale: Tensor) -> None:
    out = weight.shape[0]
    fits = scale.numel() == 1 or (scale.shape[0] == out and scale.numel() == out)
    if not fits or not bool(torch.isfinite(scale.float()).all()):
        raise CheckpointError(
            f"{where}: the scale of {name} {list(weight.shape)} is {list(scale.shape)} or no number; expected one "
            f"number or {out}; fetch the file again"
        )
