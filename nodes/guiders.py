"""Nodes that choose how conditions guide a model."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from engine.errors import SamplingError
from engine.graph.define import Widget, node
from engine.sampling import guiders
from engine.sampling.hooks import Hooks
from nodes.convert import conditions
from nodes.types import Cfg, Conditioning, Guider, Model
from nodes.ways import Guidance
from nodes.ways import Guider as Guiding

NegativeScale = Annotated[
    float, Widget(min=0.0, max=100.0, step=0.01, tooltip="How much of the negative is taken away.")
]


@node("BasicGuider", category="sampling/custom_sampling/guiders")
def basic_guider(*, model: Model, conditioning: Conditioning) -> Guider:
    """Guide by what is wanted alone."""
    _check(conditioning=conditioning)
    return Guiding(model, Guidance(conditioning, [], 1.0))


@node("CFGGuider", category="sampling/custom_sampling/guiders")
def cfg_guider(*, model: Model, positive: Conditioning, negative: Conditioning, cfg: Cfg = 8.0) -> Guider:
    """Guide towards what is wanted (positive), away from what is not (negative)."""
    _check(positive=positive, negative=negative)
    return Guiding(model, Guidance(positive, negative, cfg))


@node("DualCFGGuider", category="sampling/custom_sampling/guiders")
def dual_cfg_guider(
    *,
    model: Model,
    cond1: Conditioning,
    cond2: Conditioning,
    negative: Conditioning,
    cfg_conds: Cfg = 8.0,
    cfg_cond2_negative: Cfg = 8.0,
    style: Literal["regular", "nested"],
) -> Guider:
    """Guide by two wanted sides, one pushed away from the other and that from the negative.

    style: nested pushes what both wanted sides make away from the negative, not the second alone.
    """
    _check(cond1=cond1, cond2=cond2, negative=negative)
    rule = guiders.DualCfg(cfg_conds, cfg_cond2_negative, style == "nested")
    second = [[tokens, {**options, "prompt_type": "negative"}] for tokens, options, *_ in cond2]
    return Guiding(model, Guidance(cond1, negative, cfg_conds, {"cond2": second}, rule))


@node("PerpNegGuider", category="_for_testing", is_experimental=True)
def perp_neg_guider(
    *,
    model: Model,
    positive: Conditioning,
    negative: Conditioning,
    empty_conditioning: Conditioning,
    cfg: Cfg = 8.0,
    neg_scale: NegativeScale = 1.0,
) -> Guider:
    """Guide away from as much of the negative as contradicts nothing that is wanted.

    empty_conditioning: an empty text.
    """
    _check(positive=positive, negative=negative, empty_conditioning=empty_conditioning)
    rule = guiders.PerpNeg(cfg, neg_scale)
    return Guiding(model, Guidance(positive, negative, cfg, {"empty_conditioning": empty_conditioning}, rule))


@node("PerpNeg", category="_for_testing", is_deprecated=True, is_experimental=True)
def perp_neg(*, model: Model, empty_conditioning: Conditioning, neg_scale: NegativeScale = 1.0) -> Model:
    """Have a model guided away from as much of the negative as contradicts nothing that is wanted.

    empty_conditioning: an empty text.
    """
    empty = conditions(empty_conditioning, "empty_conditioning")
    if any(condition.hooks is not None or condition.grounding is not None for condition in empty):
        raise SamplingError(
            "empty_conditioning: hooks and GLIGEN boxes have no effect in PerpNeg; take a plain text, or PerpNegGuider."
        )
    # The negative counts at a cfg of 1 too.
    return model.with_hooks(Hooks(combine=guiders.away_across(empty, neg_scale), always_both=True))


def _check(**sides: Any) -> None:
    """Raises: SamplingError, naming the input that holds no conditioning."""
    named: Mapping[str, Any] = sides
    for name, side in named.items():
        conditions(side, name)
