"""GUIDER at the border: our model under guidance, and the CFGGuider objects that plugins know, ask and inherit from.

A guider that a plugin made or changed goes on as itself; only ComfyUI's way can draw with it.
"""

import weakref
from typing import Any
from weakref import WeakKeyDictionary

import comfy
from comfy.samplers import CFGGuider

from compat.crossing import enter, leave
from engine.errors import SamplingError
from engine.sampling.guiders import DualCfg, PerpNeg
from nodes.ways import Guider

_entered: "WeakKeyDictionary[Guider, CFGGuider]" = WeakKeyDictionary()
_left: "WeakKeyDictionary[CFGGuider, tuple[weakref.ref[Guider], dict[str, Any]]]" = WeakKeyDictionary()
"""What each was made of, and how it was then."""


@enter.register
def _(value: Guider) -> Any:
    if value not in _entered:
        made = _made(value)
        _left[made] = (weakref.ref(value), _state(made))
        _entered[value] = made
    return _entered[value]


@leave.register
def _(value: CFGGuider) -> Any:
    made_of, before = _left.get(value, (lambda: None, None))
    ours = made_of()
    return value if ours is None or before != _state(value) else ours


def _made(value: Guider) -> Any:
    from comfy_extras.nodes_custom_sampler import Guider_Basic, Guider_DualCFG
    from comfy_extras.nodes_perpneg import Guider_PerpNeg

    model, guidance = enter(value.model), value.guidance
    positive, negative, *others = (enter(side) for side in guidance.sides.values())
    guider: Any
    match guidance.rule:
        case None if not negative:
            guider = Guider_Basic(model)
            guider.set_conds(positive)
            guider.set_cfg(guidance.cfg)
        case None:
            guider = comfy.samplers.CFGGuider(model)
            guider.set_conds(positive, negative)
            guider.set_cfg(guidance.cfg)
        case DualCfg() as rule:
            guider = Guider_DualCFG(model)
            guider.set_conds(positive, others[0], negative)
            guider.set_cfg(rule.cfg, rule.cfg_negative, rule.is_nested)
        case PerpNeg() as rule:
            guider = Guider_PerpNeg(model)
            guider.set_conds(positive, negative, others[0])
            guider.set_cfg(rule.cfg, rule.negative_scale)
        case rule:
            raise SamplingError(f"guider: {type(rule).__name__} guides in a way that plugins cannot be shown")
    return guider


def _state(guider: Any) -> dict[str, Any]:
    """Everything that a plugin may change about a guider, by identity."""
    inside = {
        name: [{key: id(each) for key, each in cond.items()} for cond in conds]
        for name, conds in guider.original_conds.items()
    }
    own = {name: id(value) for name, value in vars(guider).items() if name not in ("original_conds", "conds")}
    options = guider.model_options
    parts = (options, options.get("transformer_options", {}))
    told = [{key: id(each) for key, each in part.items()} for part in parts]
    return {**own, "type": type(guider), "original_conds": inside, "options": told}
