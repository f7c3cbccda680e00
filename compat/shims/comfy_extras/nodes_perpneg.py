"""ComfyUI's guidance that takes away only what contradicts nothing. Source: node_behaviour.md 7.5."""

from typing import Any

import comfy
from torch import Tensor

from compat.core_nodes.output import Output
from compat.core_nodes.widgets import number, wires


def perp_neg(x: Tensor, pos: Tensor, neg: Tensor, empty: Tensor, neg_scale: float, cond_scale: float) -> Tensor:
    """Guidance away from the part of the negative side that is at right angles to the positive one.

    Source: Armandpour et al. 2023, arXiv 2304.04968.
    """
    towards, away = pos - empty, neg - empty
    across: Tensor = away - ((away * towards).sum() / towards.norm() ** 2) * towards
    return empty + cond_scale * (towards - across * neg_scale)


class Guider_PerpNeg(comfy.samplers.CFGGuider):  # type: ignore[misc]
    """Guidance by three conditions: what to show, what not, and nothing at all."""

    def set_conds(self, positive: Any, negative: Any, empty_negative_prompt: Any) -> None:
        """The three."""
        self.inner_set_conds(
            {"positive": positive, "empty_negative_prompt": empty_negative_prompt, "negative": negative}
        )

    def set_cfg(self, cfg: float, neg_scale: float) -> None:
        """How strongly all of it is meant, and the negative side of it."""
        self.cfg = cfg
        self.neg_scale = neg_scale

    def predict_noise(
        self, x: Tensor, timestep: Tensor, model_options: dict[str, Any] | None = None, seed: int | None = None
    ) -> Tensor:
        """The clean latent, as guidance has it."""
        options = model_options or {}
        sides = [self.conds.get(name) for name in ("negative", "positive", "empty_negative_prompt")]
        neg, pos, empty = comfy.samplers.calc_cond_batch(self.inner_model, sides, x, timestep, options)
        made = perp_neg(x, pos, neg, empty, self.neg_scale, self.cfg)
        for function in options.get("sampler_post_cfg_function", []):
            made = function(
                {
                    "denoised": made,
                    "cond": sides[1],
                    "uncond": sides[0],
                    "cond_scale": self.cfg,
                    "model": self.inner_model,
                    "uncond_denoised": neg,
                    "cond_denoised": pos,
                    "sigma": timestep,
                    "model_options": options,
                    "input": x,
                    "empty_cond": sides[2],
                    "empty_cond_denoised": empty,
                }
            )
        return made


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
