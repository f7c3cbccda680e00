"""ComfyUI's node for noise levels that were searched for. Source: Sabour et al. 2024, arXiv 2404.14507, appendix."""

from typing import Any

import numpy
import torch

from compat.core_nodes.output import Output
from compat.core_nodes.widgets import number, whole

NOISE_LEVELS = {
    "SD1": [14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029],
    "SDXL": [14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029],
    "SVD": [700.00, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.002],
}
"""The authors' levels for ten steps."""


def loglinear_interp(t_steps: Any, num_steps: int) -> Any:
    """Falling numbers at so many places, in between on a line through their logarithms."""
    known = numpy.log(numpy.array(t_steps)[::-1])
    places = numpy.interp(numpy.linspace(0, 1, num_steps), numpy.linspace(0, 1, len(t_steps)), known)
    return numpy.exp(places)[::-1].copy()


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
        if denoise <= 0.0:
            return Output(torch.FloatTensor([]))
        kept = round(steps * denoise) if denoise < 1.0 else steps
        levels = NOISE_LEVELS[model_type]
        levels = levels if steps + 1 == len(levels) else loglinear_interp(levels, steps + 1)
        made = torch.FloatTensor([*levels][-(kept + 1) :])
        made[-1] = 0
        return Output(made)

    get_sigmas = execute
