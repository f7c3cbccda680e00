"""CONTROL_NET at the border, and the hints made with them: a tuple of hints on our wires is a chain for plugins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from comfy.controlnet import ControlBase, ControlLora, ControlNet, T2IAdapter, around
from torch import Tensor

from compat.crossing import enter, leave
from engine import values
from engine.conditioning import ControlHint
from engine.errors import SamplingError

_known: WeakValueDictionary[int, Any] = WeakValueDictionary()
_chains: WeakValueDictionary[tuple[int, ...], Any] = WeakValueDictionary()


@dataclass(frozen=True, eq=False)
class AuthorsControl:
    """A control object of a plugin's, not yet given a picture, or with one (`is_hinted`) and its place in a chain."""

    guest: Any
    is_hinted: bool = False

    def __call__(self, *args: Any) -> Any:
        """Raises: SamplingError; only ComfyUI's way of drawing can ask it."""
        raise SamplingError(
            f"{type(self.guest).__name__} is a plugin's own control; it needs a sampler that draws with plugins"
        )


def is_control(value: object) -> bool:
    """Whether it can do what a control object is asked for."""
    return isinstance(value, ControlBase) or (
        not isinstance(value, type)
        and all(callable(getattr(value, name, None)) for name in ("set_cond_hint", "set_previous_controlnet", "copy"))
    )


@enter.register
def _(value: values.ControlNet | values.ControlLora | values.Adapter) -> ControlBase:
    known = _known.get(id(value))
    if known is None or known.made_of is not value:
        known = around(value)
        known.made_of = value  # type: ignore[attr-defined]
        _known[id(value)] = known
    return known


@enter.register
def _(value: AuthorsControl) -> Any:
    return value.guest


@leave.register
def _(value: ControlBase) -> Any:
    ours = _ours(value)
    if ours is not None and value.cond_hint_original is None and value.previous_controlnet is None:
        return ours
    return AuthorsControl(value)


def chain_of(hints: Sequence[ControlHint]) -> Any:
    """The last control object of a chain that stands for these hints. The same hints give the same object."""
    hints = tuple(hints)
    key = tuple(id(hint) for hint in hints)
    known = _chains.get(key)
    if known is not None and _same(getattr(known, "hints", ()), hints):
        return known
    before = chain_of(hints[:-1]) if len(hints) > 1 else None
    made = _hinted(hints[-1], before)
    made.hints = hints  # which also keeps the ids in the key theirs
    _chains[key] = made
    return made


def hints_of(control: Any) -> tuple[ControlHint, ...]:
    """The hints that a chain of control objects stands for. The same chain gives the same hints."""
    links: list[Any] = []
    while control is not None and not any(control is link for link in links):
        links.append(control)
        control = getattr(control, "previous_controlnet", None)
    hints: tuple[ControlHint, ...] = ()
    for link in reversed(links):
        hints = (*hints, _hint_of(link))
        link.hints = hints
        _chains[tuple(id(hint) for hint in hints)] = link
    return hints


def _hinted(hint: ControlHint, before: Any) -> Any:
    guest: Any = hint.net.guest if isinstance(hint.net, AuthorsControl) else None
    if isinstance(hint.net, AuthorsControl) and hint.net.is_hinted:
        if guest.previous_controlnet is before:
            return guest
        made = guest.copy()
    else:
        made = (enter(hint.net) if guest is None else guest).copy()
        span = hint.start, hint.end
        vae = None if hint.vae is None else enter(hint.vae)
        further = {} if hint.mask is None else {"extra_concat": [hint.mask]}
        made = made.set_cond_hint(hint.image, hint.strength, span, vae=vae, **further) or made
    made.set_previous_controlnet(before)
    return made


def _hint_of(link: Any) -> ControlHint:
    """The hint of one link. What the engine can ask itself becomes a hint it knows."""
    known = (getattr(link, "hints", None) or (None,))[-1]
    start, end = getattr(link, "timestep_percent_range", (0.0, 1.0))
    strength, image = float(getattr(link, "strength", 1.0)), getattr(link, "cond_hint_original", None)
    ours = _ours(link)
    if ours is not None and isinstance(image, Tensor):
        made = ControlHint(ours, image, strength, start, end)
        return known if known is not None and _alike(known, made) else made
    if known is not None and isinstance(known.net, AuthorsControl) and known.net.is_hinted and known.net.guest is link:
        return known
    return ControlHint(AuthorsControl(link, is_hinted=True), image, strength, start, end)  # type: ignore[arg-type]


def _alike(a: ControlHint, b: ControlHint) -> bool:
    return (a.net is b.net and a.image is b.image) and (a.strength, a.start, a.end) == (b.strength, b.start, b.end)


def _ours(control: Any) -> Any:
    """Our net behind a control object, if it is one, and nothing about it but the hint is changed; None otherwise."""
    kind = type(control)
    if kind is ControlLora:
        ours, is_same = control.seed, control.seed is not None and not control.control_weights
    elif kind in (ControlNet, T2IAdapter):
        ours, is_same = control.ours, control.is_ours()
    else:
        return None
    if not is_same or not _is_usual(control, ours):
        return None
    if kind is not ControlNet:
        return None if control.extra_args else ours
    told = {"control_type": list(ours.kinds)} if ours.kinds else {}
    if control.extra_args == told:
        return ours
    kinds = control.extra_args.get("control_type")
    if control.extra_args.keys() != {"control_type"} or not isinstance(kinds, list | tuple):
        return None
    # SetUnionControlNetType of a plugin: the same object gives the same net.
    known = getattr(control, "told", None)
    if known is None or known.part is not ours.part or known.kinds != tuple(kinds):
        known = control.told = ours.of_kind(*kinds)
    return known


def _is_usual(control: Any, ours: Any) -> bool:
    fresh = vars(ControlBase()).keys() | _STATE
    return (
        vars(control).keys() <= fresh
        and control.extra_hooks is None
        and control.extra_conds == (["y"] if isinstance(control, ControlNet) else [])
        and control.global_average_pooling == getattr(ours, "is_pooled", False)
        and (control.compression_ratio, control.upscale_algorithm) == (8, "nearest-exact")
        and control.strength_type.name == "CONSTANT"
        and control.preprocess_image is ControlBase().preprocess_image
    )


_STATE = {
    "control_model",
    "ours",
    "load_device",
    "control_model_wrapped",
    "model_sampling_current",
    "manual_cast_dtype",
    "ckpt_name",
    "hints",
    "_fitted_for",
    "made_of",
    "told",
    "control_weights",
    "seed",
    "t2i_model",
    "channels_in",
    "control_input",
    "device",
}


def _same(a: tuple[ControlHint, ...], b: tuple[ControlHint, ...]) -> bool:
    return len(a) == len(b) and all(x is y for x, y in zip(a, b, strict=True))
