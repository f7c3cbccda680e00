"""LoRA files and their relatives on a model: each entry finds its weight, and is put on as strongly as asked.

Source: node_behaviour.md B.
"""

import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.adapters import names
from engine.adapters.entries import Entries
from engine.checkpoints.lora_files import Lora
from engine.devices.deltas import Delta, LowRank
from engine.devices.patches import Patch, Patches
from engine.errors import CheckpointError
from engine.values import Clip, Model

log = logging.getLogger(__name__)

Deltas = Mapping[str, Delta]
"""Name of a weight -> its change."""

OF_THE_TEXT = ("lora_te", "text_encoder", "lora_prior_te")
"""How entries for text encoders begin."""

IGNORED = ("bundle_emb.", "lora_metadata", "__")
"""Entries that are not for a weight, and no mistake."""

_MISFITS = (RuntimeError, IndexError, ZeroDivisionError)
"""What matrix algebra raises where shapes do not go together; ValueError is our own, and says what is wrong."""


@dataclass(frozen=True, eq=False)
class Bound:
    """What a file changes about a model and its text encoders, whatever the strength."""

    for_model: Deltas
    for_clip: Deltas


def apply(
    model: Model, clip: Clip | None, lora: Lora, strength_model: float, strength_clip: float
) -> tuple[Model, Clip | None]:
    """The model and text encoder with a LoRA on top, each as strongly as asked; the originals stay as they are.

    Entries that fit no weight are left out with a warning.

    Raises: CheckpointError, for a file whose parts do not go together.
    """
    bound = bind(lora, model, clip)
    changed = model.with_patches(patches(bound.for_model, strength_model))
    return changed, None if clip is None else clip.with_patches(patches(bound.for_clip, strength_clip))


def bind(lora: Lora, model: Model | None, clip: Clip | None, *, is_whole: bool = True) -> Bound:
    """Whose weight each entry means; entries that fit none are left out with a warning.

    `is_whole` False: the file's other entries are for a part that is bound elsewhere.

    Raises: CheckpointError, for a file whose parts do not go together.
    """
    entries = Entries(lora.tensors)
    for_model: dict[str, Delta] = {}
    for_clip: dict[str, Delta] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    if model is not None:
        weights = model.part.weights
        for_model = _found(entries, names.of_unet(weights, getattr(model.part.module, "config", None)))
        shapes |= {name: tuple(weights[name].shape) for name in for_model if name in weights}
    if clip is not None:
        ours = {names.full_of_text(name): name for name in clip.weights}
        found = _found(entries, names.of_text(ours.keys()))
        for_clip = {ours.get(name, name): delta for name, delta in found.items()}
        shapes |= {name: tuple(clip.weights[name].shape) for name in for_clip if name in clip.weights}
    _check_whole(lora, entries.flaws)
    misfits = _misfits(lora, {**for_model, **for_clip}, shapes)
    _warn_of(lora, misfits, len(for_model) + len(for_clip))
    if is_whole or (model is not None and not for_model):
        _warn_of_the_rest(lora, entries.used, has_text=clip is not None)
    elif clip is not None and not for_clip:
        _warn_of_texts(lora, clip)
    return Bound(_without(for_model, misfits), _without(for_clip, misfits))


def patches(deltas: Deltas, strength: float) -> Patches:
    """These changes, so strongly; none at all for no strength."""
    return {name: (Patch(delta, strength),) for name, delta in deltas.items()} if strength != 0 else {}


def _found(entries: Entries, named: Iterable[names.Named]) -> dict[str, Delta]:
    found: dict[str, Delta] = {}
    for name, weight in named:
        found.update(entries.deltas(name, weight))
    return found


def _check_whole(lora: Lora, flaws: Sequence[str]) -> None:
    """Raises CheckpointError where parts of changes are missing: what is left would be another change, or none."""
    if flaws:
        more = f" (and {len(flaws) - 3} more)" if len(flaws) > 3 else ""
        raise CheckpointError(
            f"{lora.name} is incomplete: {'; '.join(flaws[:3])}{more}; fetch the file again, or train it anew"
        )


def _misfits(lora: Lora, deltas: Deltas, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """The changes that cannot be made, and why not."""
    found = {}
    known: dict[object, str | None] = {}  # a network has few kinds of layers, and trying one takes milliseconds
    for name, delta in deltas.items():
        if isinstance(delta, LowRank):
            _check_ranks(lora, name, delta)
        kind = (type(delta), *_form(delta), shapes.get(name))
        if kind not in known:
            known[kind] = misfit(delta, shapes[name]) if name in shapes else "there is no such weight"
        reason = known[kind]
        if reason is not None:
            found[name] = f"{name} {list(shapes.get(name, ()))}: {reason}"
    return found


def _check_ranks(lora: Lora, name: str, delta: LowRank) -> None:
    """Raises CheckpointError where the two matrices were never one product."""
    up, down, mid = delta.up, delta.down, delta.mid
    wide = up.shape[1] if up.ndim > 1 else 0
    high = (mid if mid is not None else down).shape[:1]
    if (wide,) != tuple(high):
        raise CheckpointError(
            f"{lora.name}: the change of {name} is of two ranks: up is {list(up.shape)}, down {list(down.shape)}"
            f"{'' if mid is None else f', mid {list(mid.shape)}'}; expected up [out, rank] and down [rank, in]; "
            "the file is damaged, fetch it again"
        )


def _form(delta: Delta) -> Iterator[object]:
    """What of a change decides whether it can be made: the shapes of its tensors, and its numbers."""
    for value in vars(delta).values():
        yield tuple(value.shape) if isinstance(value, Tensor) else value


def misfit(delta: Delta, shape: tuple[int, ...]) -> str | None:
    """Why a change cannot be made of a weight of a shape, or None when it can. Nothing is computed but shapes."""
    if isinstance(delta, LowRank) and _is_plain_fit(delta, shape):
        return None  # the usual case, without waking torch's machinery for shapes, which takes seconds the first time
    weight = torch.empty(shape, device="meta")
    try:
        changed = delta.applied(weight, 1.0)
    except ValueError as error:
        return f"{_parts(delta)}: {error}"
    except _MISFITS:
        return f"{_parts(delta)} make no change of this shape"
    if changed.shape != weight.shape and not getattr(delta, "reshapes", False):
        return f"it makes the shape {list(changed.shape)}, which this network cannot use"
    return None


def _parts(delta: Delta) -> str:
    """The tensors that a change is made of, with their shapes."""
    parts = {name: list(each.shape) for name, each in vars(delta).items() if isinstance(each, Tensor)}
    return " and ".join(f"{name} {shape}" for name, shape in parts.items())


def _is_plain_fit(delta: LowRank, shape: tuple[int, ...]) -> bool:
    has_more = delta.mid is not None or delta.reshape is not None or delta.dora_scale is not None
    up, down = delta.up, delta.down
    if has_more or up.ndim < 2 or down.ndim < 2 or 0 in (*up.shape, *down.shape):
        return False
    fits = up.shape[1:].numel() == down.shape[0]
    return fits and up.shape[0] * down.shape[1:].numel() == math.prod(shape)


def _without(deltas: Deltas, names: Iterable[str]) -> Deltas:
    left_out = set(names)
    return {name: delta for name, delta in deltas.items() if name not in left_out}


def _warn_of(lora: Lora, misfits: Mapping[str, str], total: int) -> None:
    if misfits:
        log.warning(
            "%s: %d of %d changes do not fit this model and are left out%s: %s%s",
            lora.name,
            len(misfits),
            total,
            f"; it was made for another family{_said(lora)}" if len(misfits) * 4 > total else "",
            "; ".join(list(misfits.values())[:3]),
            " …" if len(misfits) > 3 else "",
        )


def _warn_of_the_rest(lora: Lora, used: set[str], *, has_text: bool) -> None:
    ignored = IGNORED if has_text else (*IGNORED, *OF_THE_TEXT)
    rest = sorted(name for name in lora.tensors if name not in used and not name.startswith(ignored))
    if not rest:
        return
    if not used:
        log.warning(
            "%s fits no weight of this model; it was made for another family%s (%s …)", lora.name, _said(lora), rest[0]
        )
    else:
        log.warning("%s: %d entries fit no weight and are left out: %s …", lora.name, len(rest), ", ".join(rest[:3]))


def _warn_of_texts(lora: Lora, clip: Clip) -> None:
    """Says so where a file has entries for text encoders, none of which is for these."""
    texts = sorted(name for name in lora.tensors if name.startswith(OF_THE_TEXT))
    if texts:
        log.warning(
            "%s fits no weight of this CLIP (%s); it was made for another family%s (%s …)",
            lora.name,
            " and ".join(each.id for each in clip.encoders),
            _said(lora),
            texts[0],
        )


def _said(lora: Lora) -> str:
    """What the file itself says it was made for."""
    known = ("modelspec.architecture", "ss_base_model_version", "base_model")
    return next((f", {lora.metadata[key]:.60}" for key in known if lora.metadata.get(key)), "")
