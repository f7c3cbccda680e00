"""ComfyUI's guidance that takes away only what contradicts nothing. Source: node_behaviour.md 7.5."""

from collections.abc import Sequence
from typing import Any

import node_helpers
from torch import Tensor

from compat.core_nodes import built_in
from compat.core_nodes.output import Output
from compat.core_nodes.widgets import number, wires
from compat.host import host
from compat.missing import missing
from compat.sampling.ruled import RuledGuider
from engine.sampling import guiders
from engine.sampling.hooks import Answers


def __getattr__(name: str) -> Any:
    if name == "PerpNeg":
        return built_in.class_of(host().registry[name])
    raise missing(__name__, name)


def perp_neg(x: Tensor, pos: Tensor, neg: Tensor, empty: Tensor, neg_scale: float, cond_scale: float) -> Tensor:
    """Guidance away from the part of the negative side that is at right angles to the positive one."""
    return guiders.across(pos, neg, empty, cond_scale, neg_scale)


class Guider_PerpNeg(RuledGuider):
    """Guidance by three conditions: what to show, what not, and nothing at all."""

    NAMES = ("positive", "negative", "empty_negative_prompt")

    def set_conds(  # type: ignore[override]
        self, positive: Any, negative: Any, empty_negative_prompt: Any
    ) -> None:
        """The three. An empty text counts as something not wanted, where a model asks how beautiful a picture is."""
        empty = node_helpers.conditioning_set_values(empty_negative_prompt, {"prompt_type": "negative"})
        self.inner_set_conds({"positive": positive, "empty_negative_prompt": empty, "negative": negative})

    def set_cfg(self, cfg: float, neg_scale: float) -> None:  # type: ignore[override]
        """How strongly all of it is meant, and the negative side of it."""
        self.cfg = cfg
        self.neg_scale = neg_scale

    def rule(self) -> guiders.PerpNeg:
        """What is at right angles."""
        return guiders.PerpNeg(self.cfg, self.neg_scale)

    def told_more(self, conds: Sequence[Any], answers: Answers) -> dict[str, Any]:
        """The third side."""
        return {"empty_cond": conds[2], "empty_cond_denoised": answers.others[0]}


class PerpNegGuider:
    """Guidance by three conditions."""

    RETURN_TYPES = ("GUIDER",)
    FUNCTION = "get_guider"
    CATEGORY = "_for_testing"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        sides = dict.fromkeys(("positive", "negative", "empty_conditioning"), "CONDITIONING")
        scales = {"cfg": number(8.0, 0.0, 100.0, 0.1), "neg_scale": number(1.0, 0.0, 100.0)}
        return {"required": {**wires(model="MODEL", **sides), **scales}}

    @classmethod
    def execute(
        cls, model: Any, positive: Any, negative: Any, empty_conditioning: Any, cfg: float, neg_scale: float
    ) -> Output:
        """The guider."""
        guider = Guider_PerpNeg(model)
        guider.set_conds(positive, negative, empty_conditioning)
        guider.set_cfg(cfg, neg_scale)
        return Output(guider)

    get_guider = execute
