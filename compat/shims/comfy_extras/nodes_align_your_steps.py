"""ComfyUI's node for noise levels that were searched for. Source: Sabour et al. 2024, arXiv 2404.14507, appendix."""

from typing import Any

import numpy

from compat.core_nodes.output import Output
from compat.core_nodes.widgets import number, whole
from engine.sampling import levels

NOISE_LEVELS = {name: [*each] for name, each in levels.ALIGNED.items()}
"""The authors' levels for ten steps."""


def loglinear_interp(t_steps: Any, num_steps: int) -> Any:
    """Falling numbers at so many places, in between on a line through their logarithms."""
    return numpy.array(levels.log_linear(t_steps, num_steps))


class AlignYourStepsScheduler:
    """Noise levels for few steps."""

    RETURN_TYPES = ("SIGMAS",)
    FUNCTION = "get_sigmas"
    CATEGORY = "sampling/custom_sampling/schedulers"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        amounts = {"steps": whole(10, 1, 10000), "denoise": number(1.0)}
        return {"required": {"model_type": ([*NOISE_LEVELS],), **amounts}}

    @classmethod
    def execute(cls, model_type: str, steps: int, denoise: float) -> Output:
        """The last levels of them, where denoise is below 1; none where it is 0."""
        return Output(levels.aligned(model_type, steps, denoise))

    get_sigmas = execute
