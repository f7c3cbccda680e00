"""ComfyUI's guiders with more sides than two: a CFGGuider that guides by one of our rules (engine.sampling.guiders)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import comfy
from torch import Tensor

from compat.sampling.again import Again
from compat.sampling.guider import CFGGuider
from engine.sampling.hooks import Answers, Hooks, Rule

Options = dict[str, Any]


class RuledGuider(CFGGuider):
    """Guidance by a rule. Subclasses say the names of the sides, in the order of their places, and the rule."""

    NAMES: tuple[str, ...] = ("positive", "negative")

    def rule(self) -> Rule:
        """What is made of the answers. Raises: NotImplementedError, where a subclass does not say."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it guides")

    def told_more(self, conds: Sequence[Any], answers: Answers) -> Options:
        """What functions after guidance are told besides the usual."""
        return {}

    def predict_noise(
        self, x: Tensor, timestep: Tensor, model_options: Options | None = None, seed: int | None = None
    ) -> Tensor:
        """The clean latent, as guidance has it. Shapes: x [B, C, …]; timestep [B], noise levels."""
        options = {} if model_options is None else model_options
        rule = self.rule()
        is_hooked = any(options.get(name) for name in ("sampler_cfg_function", "sampler_post_cfg_function"))
        wanted = rule.asks(bool(options.get("disable_cfg1_optimization", False)), is_hooked)
        conds = [self.conds.get(name) if place in wanted else None for place, name in enumerate(self.NAMES)]
        first, second, *others = comfy.samplers.calc_cond_batch(self.inner_model, conds, x, timestep, options)
        again = Again(self.inner_model, conds, options)
        answers = Answers(x, timestep[0], first, second, self.cfg, tuple(others), again)
        return rule.guided(answers, _Functions(guider=self, conds=conds, timestep=timestep, options=options))[0]


@dataclass(frozen=True, kw_only=True)
class _Functions(Hooks):
    """The functions in model_options, where a rule asks for hooks."""

    guider: RuledGuider
    conds: Sequence[Any]
    timestep: Tensor
    options: Options

    def pushed(self, answers: Answers) -> Tensor:
        """The inner push of a rule, by comfy.samplers.cfg_function."""
        positive, negative = (self.conds[place] for place in answers.places)
        sides = (answers.positive, answers.negative, answers.cfg)
        way = (answers.x, self.timestep, self.options)
        model = self.guider.inner_model
        pushed: Tensor = comfy.samplers.cfg_function(model, *sides, *way, cond=positive, uncond=negative)
        return pushed

    def finished(self, answers: Answers, guided: Tensor) -> Tensor:
        """What functions after guidance make of the whole."""
        told = {
            "cond": self.conds[0],
            "uncond": self.conds[1],
            "cond_scale": answers.cfg,
            "model": self.guider.inner_model,
            "cond_denoised": answers.positive,
            "uncond_denoised": answers.negative,
            "sigma": self.timestep,
            "model_options": self.options,
            "input": answers.x,
            **self.guider.told_more(self.conds, answers),
        }
        for function in self.options.get("sampler_post_cfg_function", []):
            guided = function({**told, "denoised": guided})
        return guided
