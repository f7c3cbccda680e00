"""A LoRA made of a difference: for each weight the two narrow matrices whose product comes nearest to what changed.

No product of so low a rank is nearer (Eckart and Young 1936, "The approximation of one matrix by another of lower
rank"); that it makes a LoRA is from kohya-ss/sd-scripts, networks/extract_lora_from_models.py. Entries have the names
that its trainers write, which everybody reads; alpha is the rank, so that the product counts as it is.
"""

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from engine.adapters import names
from engine.adapters.merging import Mixed
from engine.devices.deltas import Generalised, Orthogonal, Replacement
from engine.devices.patches import Patch, Patches, changed
from engine.errors import CheckpointError
from engine.values import Clip, Model

log = logging.getLogger(__name__)

Kind = Literal["standard", "full_diff"]
Entries = dict[str, Tensor]
Tell = Callable[[int], None]

OF_WHOLE_WEIGHTS = (Generalised, Orthogonal, Replacement)
"""Changes that look at the weight itself, or take its place: on a difference they mean nothing. So does any DoRA."""

NAMED_LIKE_DIFFUSERS = ("sd1", "sd2", "sd2_unclip", "x4_upscaler")
"""Families whose layers kohya's trainers call as diffusers does; those of later ones as the checkpoints do."""

BASES = {"sd1": "sd_v1", "sd2": "sd_v2", "sd2_unclip": "sd_v2", "sdxl": "sdxl_base_v1-0"}
"""What kohya's trainers call the model that a LoRA is for (`ss_base_model_version`)."""

LARGEST = torch.finfo(torch.float16).max


@dataclass(frozen=True)
class Wish:
    """How a LoRA is to be made.

    `rank` is the width of the matrices, at most; "full_diff" keeps whole differences. `with_biases`: what has one axis
    only (biases, norms) is kept too, as a whole difference.
    """

    rank: int
    kind: Kind = "standard"
    with_biases: bool = True


@dataclass(frozen=True, eq=False)
class Part:
    """A network's weights, the patches that make a difference of them, and what entries for them begin with."""

    what: str
    weights: Mapping[str, Tensor]
    patches: Patches
    entries: Mapping[str, str]
    device: torch.device


def of_model(model: Model) -> Part:
    """The denoiser's part of a LoRA."""
    config = getattr(model.part.module, "config", None)
    like_diffusers = model.family in NAMED_LIKE_DIFFUSERS
    found: dict[str, str] = {}
    for entry, weight in names.of_unet(model.part.weights, config):
        if entry.startswith("lora_unet_") and (weight not in found or like_diffusers):
            found[weight] = entry  # the checkpoint's own spelling comes first, diffusers' after it
    return Part("model_diff", model.part.weights, model.patches, found, model.part.place.device)


def of_text(clip: Clip) -> Part:
    """The text encoders' part of a LoRA."""
    weights = clip.weights
    full = {names.full_of_text(name): name for name in weights}
    # Trainers count the encoders where there are two.
    start = ("lora_te1_", "lora_te2_") if len({name.partition(".")[0] for name in weights}) > 1 else ("lora_te_",)
    found: dict[str, str] = {}
    for entry, name in names.of_text(full.keys()):
        if full[name] not in found or entry.startswith(start):
            found[full[name]] = entry
    device = clip.encoders[0].part.place.device if hasattr(clip, "encoders") else torch.device("cpu")
    return Part("text_encoder_diff", weights, clip.patches, found, device)


def metadata(model: Model | None, rank: int) -> dict[str, str]:
    """What trainers write about a LoRA for this model, which other programs read."""
    said = {"ss_network_module": "networks.lora", "ss_network_dim": str(rank), "ss_network_alpha": str(rank)}
    base = BASES.get(model.family) if model is not None else None
    return said if base is None else {**said, "ss_base_model_version": base}


def extracted(part: Part, wish: Wish, tell: Tell = lambda done: None) -> Entries:
    """The entries of a LoRA file for a part; weights that did not change have none.

    `tell` is called with how many weights are done, and may raise to stop.

    Raises: CheckpointError, for a model that is no difference, or one with values that are no numbers.
    """
    found = {
        name: _share(part.weights[name], patches) for name, patches in part.patches.items() if name in part.weights
    }
    mixed = [name for name in found if _is_mixed(part.weights[name], part.patches[name])]
    if not mixed or any(found[name] != 0 for name in mixed):
        raise CheckpointError(
            f"{part.what}: expected the difference of two models, but this is a model as it is; subtract the one it "
            "was trained from with ModelMergeSubtract (CLIPMergeSubtract for text encoders) and connect that"
        )
    made: Entries = {}
    left_out = []
    for done, (name, weight) in enumerate(part.weights.items()):
        patches = part.patches.get(name, ())
        entry = _entry(part.entries, name)
        if found.get(name) != 0 or entry is None:
            left_out.append(name)
        elif weight.ndim > 1 or wish.with_biases:
            made.update(_entries(entry, name, _difference(part, name, weight, patches), weight.dtype, wish))
        tell(done + 1)
    if left_out:
        log.warning(
            "%s: %d of %d weights are in one of the two models only and are left out: %s%s",
            part.what,
            len(left_out),
            len(part.weights),
            ", ".join(left_out[:3]),
            " …" if len(left_out) > 3 else "",
        )
    return made


def _share(weight: Tensor, patches: tuple[Patch, ...]) -> float:
    """How many times a model's own weight is in a changed one: 1 in one with a LoRA, 0 in the difference of two."""
    share = 1.0
    for patch in patches:
        delta = patch.delta
        if isinstance(delta, Mixed):
            own = share * (1.0 + (delta.first - 1.0) * patch.strength)
            others = _share(delta.other, delta.others_patches) if delta.other.shape == weight.shape else 0.0
            others *= delta.second * patch.strength
            share = 0.0 if math.isclose(own, -others, rel_tol=1e-6) else own + others
        elif share == 0 and (isinstance(delta, OF_WHOLE_WEIGHTS) or getattr(delta, "dora_scale", None) is not None):
            share = 1.0
    return share


def _is_mixed(weight: Tensor, patches: tuple[Patch, ...]) -> bool:
    return any(isinstance(each.delta, Mixed) and each.delta.other.shape == weight.shape for each in patches)


def _entry(entries: Mapping[str, str], name: str) -> str | None:
    """What entries for a weight begin with; those for a bias begin as those for the weight beside it."""
    return entries.get(f"{name.removesuffix('.bias')}.weight" if name.endswith(".bias") else name)


def _difference(part: Part, name: str, weight: Tensor, patches: tuple[Patch, ...]) -> Tensor:
    # Only CUDA's devices and CPUs know double precision.
    device = part.device if part.device.type == "cuda" else torch.device("cpu")
    difference = changed(name, weight, patches, device)
    if not bool(torch.isfinite(difference).all()):
        raise CheckpointError(
            f"{part.what}: {name} holds values that are no numbers (NaN or infinite); one of the two models is "
            "damaged, fetch it again"
        )
    return difference


def _entries(
    entry: str, name: str, difference: Tensor, stored: torch.dtype, wish: Wish
) -> Iterator[tuple[str, Tensor]]:
    """The entries for one weight, in half precision where its model is."""
    if not bool(difference.any()):
        return
    if difference.ndim < 2 or wish.kind == "full_diff":
        yield f"{entry}.{'diff_b' if name.endswith('.bias') else 'diff'}", _kept(difference, stored)
        return
    up, down = factors(difference, wish.rank)
    yield f"{entry}.lora_up.weight", _kept(up, stored)
    yield f"{entry}.lora_down.weight", _kept(down, stored)
    yield f"{entry}.alpha", torch.tensor(float(len(down)))


def factors(difference: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """The two matrices of a rank whose product is nearest to a difference, each with half of its size.

    Shapes: difference [out, in, …]. Returns: [out, r, 1, …] and [r, in, …], float32, with r no more than is of use.
    """
    matrix = difference.flatten(1).double()
    is_tall = matrix.shape[0] > matrix.shape[1]
    wide = matrix.T if is_tall else matrix
    # Singular vectors by the eigenvectors of the shorter side: of a wide matrix much quicker than all of them, and in
    # double precision as exact as its numbers are.
    squares, vectors = torch.linalg.eigh(wide @ wide.T)
    values = squares.flip(0).clamp(min=0).sqrt()
    few = max(1, min(rank, int((values > values[0] * _noise(difference)).sum())))
    root, left = values[:few].sqrt(), vectors.flip(1)[:, :few]
    first, second = left * root, (left / root).T @ wide
    up, down = (second.T, first.T) if is_tall else (first, second)
    ones = (1,) * (difference.ndim - 2)
    return up.float().reshape(-1, few, *ones), down.float().reshape(few, *difference.shape[1:])


def _noise(difference: Tensor) -> float:
    """The share of the largest singular value below which there is nothing but rounding."""
    return torch.finfo(difference.dtype).eps * math.sqrt(max(difference.flatten(1).shape))


def _kept(tensor: Tensor, stored: torch.dtype) -> Tensor:
    fits = stored not in (torch.float32, torch.float64) and float(tensor.abs().max()) <= LARGEST
    return tensor.to("cpu", torch.float16 if fits else torch.float32).contiguous()
