"""A model that says what its text says: every answer can be worked out by hand. It remembers how it was asked."""

from typing import Any

import torch
from torch import Tensor


class Parrot:
    """As much of a BaseModel as sampling touches. Its network answers the mean of the text, plus `control`."""

    current_patcher = None

    def __init__(self, flow: bool = False, room: float = 1.0) -> None:
        import comfy.conds
        import comfy.model_sampling as ms

        speech, schedule = (ms.CONST, ms.ModelSamplingDiscreteFlow) if flow else (ms.X0, ms.ModelSamplingDiscrete)
        self.model_sampling = type("Sampling", (schedule, speech), {})()
        self.conds = comfy.conds
        self.room = room
        self.asked: list[dict[str, Any]] = []

    def extra_conds(self, **kwargs: Any) -> dict[str, Any]:
        self.told = kwargs
        return {"c_crossattn": self.conds.CONDCrossAttn(kwargs["cross_attn"])}

    def memory_required(self, input_shape: list[int], cond_shapes: Any = None) -> float:
        return self.room * input_shape[0]

    def apply_model(self, x: Tensor, t: Tensor, c_crossattn: Tensor, control: Any = None, **others: Any) -> Tensor:
        self.asked.append({"x": x, "t": t, "c_crossattn": c_crossattn, "control": control, **others})
        answer = c_crossattn.mean(dim=(1, 2)).view(-1, 1, 1, 1).expand(-1, *x.shape[1:])
        return answer if control is None else answer + control


def text(value: float, tokens: int = 77, **options: Any) -> list[Any]:
    """An entry of a CONDITIONING whose text says a number."""
    return [torch.full((1, tokens, 5), value), options]
