"""LoRA files and their relatives: whose weight each entry means, and what it does to it.

Source: node_behaviour.md B.1 (names) and B.2 (suffixes).
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

from engine.checkpoints.keys import unet_names
from engine.devices.deltas import Delta, Difference, Generalised, Hadamard, Kronecker, LowRank, Orthogonal, Replacement
from engine.devices.patches import Patch, Patches
from engine.values import Clip, Model

log = logging.getLogger(__name__)

UP_DOWN = (
    (".lora_up.weight", ".lora_down.weight"),
    ("_lora.up.weight", "_lora.down.weight"),
    (".lora_B.weight", ".lora_A.weight"),
    (".lora.up.weight", ".lora.down.weight"),
    (".lora_B", ".lora_A"),
    (".lora_linear_layer.up.weight", ".lora_linear_layer.down.weight"),
    (".lora_B.default.weight", ".lora_A.default.weight"),
)
"""How trainers call LoRA's two matrices."""

OF_THE_TEXT = ("lora_te", "text_encoder", "lora_prior_te")
"""How entries for text encoders begin."""

IGNORED = ("bundle_emb.", "lora_metadata", "__")
"""Entries that are not for a weight, and no mistake."""


@dataclass(frozen=True, eq=False)
class Lora:
    """The entries of a LoRA file, not yet bound to a model."""

    name: str
    tensors: Mapping[str, Tensor]


def apply(
    model: Model, clip: Clip | None, lora: Lora, strength_model: float, strength_clip: float
) -> tuple[Model, Clip | None]:
    """The model and text encoder with a LoRA on top, each as strongly as asked; the originals stay as they are.

    Entries that fit no weight are left out with a warning.
    """
    places = dict(_unet_places(model))
    texts = {} if clip is None else dict(_text_places(clip))
    for_model, used = _bound(lora.tensors, places, strength_model)
    for_clip, used_too = _bound(lora.tensors, texts, strength_clip)
    _warn_of_the_rest(lora, used | used_too, has_text=clip is not None)
    return model.with_patches(for_model), None if clip is None else clip.with_patches(for_clip)


Places = Mapping[str, str]
"""Name in the file -> the module of ours it means, or a whole weight."""


def _unet_places(model: Model) -> Iterator[tuple[str, str]]:
    theirs = {ours: name for name, ours in unet_names(model.part.module.config).items()}
    for key in model.part.weights:
        module = key.removesuffix(".weight")
        yield f"diffusion_model.{module}", module
        if not key.endswith(".weight"):
            continue
        yield "lora_unet_" + module.replace(".", "_"), module
        other = _their_name(module, theirs)
        if other is not None:
            yield from ((name, module) for name in _diffusers_spellings(other))


def _diffusers_spellings(name: str) -> Iterator[str]:
    flat = name.replace(".", "_")
    yield "lora_unet_" + flat
    yield "lycoris_" + flat
    old = name.replace(".to_", ".processor.to_")
    for spelling in (name, old, old.removesuffix(".0") if old.endswith("to_out.0") else old):
        yield spelling
        yield "unet." + spelling


def _their_name(module: str, theirs: Mapping[str, str]) -> str | None:
    head = module
    while head:
        if head in theirs:
            return theirs[head] + module[len(head) :]
        head = head.rpartition(".")[0]
    return None


def _text_places(clip: Clip) -> Iterator[tuple[str, str]]:
    """Weights of text encoders, `clip_l.…` and so on: see engine.values.Clip."""
    ids = {key.partition(".")[0] for key in clip.weights}
    for key in clip.weights:
        id, _, name = key.partition(".")
        number = 2 if id == "clip_g" and len(ids) > 1 else 1
        module = name.removesuffix(".weight")
        yield from ((spelling, f"{id}.{module}") for spelling in _text_names(id, number, module))


def _text_names(id: str, number: int, module: str) -> Iterator[str]:
    if module == "text_projection":
        yield f"lora_te{number}_text_projection"
        yield f"text_encoders.{id}.transformer.text_projection"
        return
    flat = module.replace(".", "_")
    ordinal = "" if number == 1 else f"_{number}"
    yield f"lora_te{number}_text_model_{flat}"
    if number == 1:
        yield f"lora_te_text_model_{flat}"
    yield f"text_encoder{ordinal}.text_model.{module}"
    yield f"text_encoder{ordinal}.{module}"
    yield f"text_encoders.{id}.transformer.{module}"
    yield f"text_encoders.{id}.transformer.text_model.{module}"


def _bound(tensors: Mapping[str, Tensor], places: Places, strength: float) -> tuple[Patches, set[str]]:
    """The changes that belong to some weights, and the file's entries they were made from."""
    entries = _Entries(tensors)
    deltas: dict[str, Delta] = {}
    for name, module in places.items():
        deltas.update(entries.deltas(name, module))
    patches = {key: (Patch(delta, strength),) for key, delta in deltas.items()} if strength != 0 else {}
    return patches, entries.used


class _Entries:
    """The file's entries, looked up by the name of a weight; remembers which were used."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.tensors = tensors
        self.used: set[str] = set()

    def deltas(self, name: str, module: str) -> dict[str, Delta]:
        """Weight or bias of a module -> its change. Where several kinds are given, the last one holds."""
        found: dict[str, Delta] = {}
        for kind in _KINDS:
            delta = kind(self, name)
            if delta is not None:
                found[f"{module}.weight"] = delta
        for suffix, key in ((".diff", ".weight"), (".w_norm", ".weight"), (".diff_b", ".bias"), (".b_norm", ".bias")):
            difference = self.take(name + suffix)
            if difference is not None:
                found[module + key] = Difference(difference)
        replacement = self.take(name + ".set_weight")
        if replacement is not None:
            found[f"{module}.weight"] = Replacement(replacement)
        return found

    def take(self, key: str) -> Tensor | None:
        tensor = self.tensors.get(key)
        if tensor is not None:
            self.used.add(key)
        return tensor

    def alpha(self, name: str) -> float | None:
        alpha = self.take(f"{name}.alpha")
        return None if alpha is None or alpha.numel() != 1 else float(alpha)

    def reshape(self, name: str) -> tuple[int, ...] | None:
        shape = self.take(f"{name}.reshape_weight")
        # Whatever is no shape becomes one that no weight can be padded to, so that the change is left out with a word.
        if shape is None or shape.is_floating_point() or shape.ndim != 1:
            return None if shape is None else ()
        return tuple(int(n) for n in shape.tolist())

    def lora(self, name: str) -> Delta | None:
        for up_suffix, down_suffix in UP_DOWN:
            up, down = self.take(name + up_suffix), self.take(name + down_suffix)
            if up is not None and down is not None:
                return LowRank(
                    up,
                    down,
                    self.take(f"{name}.lora_mid.weight"),
                    self.alpha(name),
                    self.take(f"{name}.dora_scale"),
                    self.reshape(name),
                )
        return None

    def loha(self, name: str) -> Delta | None:
        factors = [self.take(f"{name}.hada_{each}") for each in ("w1_a", "w1_b", "w2_a", "w2_b")]
        w1_a, w1_b, w2_a, w2_b = factors
        if w1_a is None or w1_b is None or w2_a is None or w2_b is None:
            return None
        cores = self.take(f"{name}.hada_t1"), self.take(f"{name}.hada_t2")
        return Hadamard(w1_a, w1_b, w2_a, w2_b, *cores, self.alpha(name), self.take(f"{name}.dora_scale"))

    def lokr(self, name: str) -> Delta | None:
        w1, w1_a, w1_b = (self.take(f"{name}.lokr_{each}") for each in ("w1", "w1_a", "w1_b"))
        w2, w2_a, w2_b = (self.take(f"{name}.lokr_{each}") for each in ("w2", "w2_a", "w2_b"))
        if (w1 is None and w1_a is None) or (w2 is None and w2_a is None):
            return None
        core, alpha = self.take(f"{name}.lokr_t2"), self.alpha(name)
        return Kronecker(w1, w1_a, w1_b, w2, w2_a, w2_b, core, alpha, self.take(f"{name}.dora_scale"))

    def glora(self, name: str) -> Delta | None:
        a1, a2, b1, b2 = (self.take(f"{name}.{each}.weight") for each in ("a1", "a2", "b1", "b2"))
        if a1 is None or a2 is None or b1 is None or b2 is None:
            return None
        return Generalised(a1, a2, b1, b2, self.alpha(name), self.take(f"{name}.dora_scale"))

    def oft(self, name: str) -> Delta | None:
        blocks = self.take(f"{name}.oft_blocks")
        if blocks is None:
            return None
        return Orthogonal(blocks, self.take(f"{name}.rescale"), self.alpha(name), self.take(f"{name}.dora_scale"))


_KINDS: tuple[Callable[[_Entries, str], Delta | None], ...] = (
    _Entries.lora,
    _Entries.loha,
    _Entries.lokr,
    _Entries.glora,
    _Entries.oft,
)


def _warn_of_the_rest(lora: Lora, used: set[str], *, has_text: bool) -> None:
    ignored = IGNORED if has_text else (*IGNORED, *OF_THE_TEXT)
    rest = sorted(name for name in lora.tensors if name not in used and not name.startswith(ignored))
    if not rest:
        return
    if not used:
        log.warning("%s fits no weight of this model; it was made for another family (%s …)", lora.name, rest[0])
    else:
        log.warning("%s: %d entries fit no weight and are left out: %s …", lora.name, len(rest), ", ".join(rest[:3]))
