"""Values that are no numbers (NaN or infinite): found, and whose fault they are.

One of them spreads over a whole picture, and whoever sees the picture knows nothing of where it came from. Weights are
looked through only once an answer went wrong: that takes a while.
"""

import torch
from torch import Tensor

from engine.devices.streaming import Source

NO_NUMBERS = "values that are no numbers (NaN or infinite)"

HALF = (torch.float16, torch.bfloat16)


def is_finite(values: Tensor) -> bool:
    """Whether all of them are numbers, in any format."""
    values = values.float() if values.dtype.itemsize < 2 else values
    return bool(torch.isfinite(values).all())


def flaw(weights: Source) -> str | None:
    """Which weight holds no numbers and why, as a sentence; None where all do. To be asked while they are in use."""
    for name, weight in weights.at_rest.items():
        if not is_finite(weight):
            return f"{weights.name}: {name} holds {NO_NUMBERS}; the file is damaged, fetch it again"
    for name, weight in weights.at_rest.items():
        made = weights.read(name)
        if is_finite(made):
            continue
        if is_finite(weight.to(made.dtype)):
            return (
                f"{weights.name}: {name} holds {NO_NUMBERS} once it is changed; leave out the LoRA, merge or hook on it"
            )
        return f"{weights.name}: {name} holds values that are too large for {_called(made.dtype)}"
    return None


def suspicion(dtype: torch.dtype, flag: str) -> str:
    """What is left to suspect where a network's weights and what it was given are sound, and what to do then."""
    if dtype in HALF:
        return f"{_called(dtype)} overflowed, as weights and input are sound; start with {flag}, or take another file"
    return "what it was asked for is far too large, as weights and input are sound"


def _called(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
