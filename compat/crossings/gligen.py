"""GLIGEN at the border: our network and the patcher of one that plugins hold."""

from typing import Any
from weakref import WeakValueDictionary

from comfy.gligen import Gligen, patcher_of
from comfy.model_patcher import ModelPatcher

from compat.crossing import enter
from engine import values

_known: WeakValueDictionary[int, ModelPatcher] = WeakValueDictionary()


@enter.register
def _(value: values.Gligen) -> ModelPatcher:
    known = _known.get(id(value))
    if known is None or known.model.ours is not value:
        known = _known[id(value)] = patcher_of(value)
    return known


def network_of(patcher: Any) -> values.Gligen | None:
    """Our GLIGEN behind a patcher that nobody changed; None for anything else."""
    model = patcher.model
    if type(model) is not Gligen or patcher.patches or patcher.object_patches or "_set_position" in vars(model):
        return None
    return model.ours
