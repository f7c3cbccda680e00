"""IP-Adapters on a model: pictures guide it beside the text, by an attention of their own in every layer.

Keys and values of the pictures are computed once, when the adapter is applied; while the model draws, each
cross-attention adds what it finds in them ("attn2_mixed_patch" of engine.models.patches). As they are only added,
several adapters work together, and with everything else that steps into attention.

Source: Ye et al. 2023, arXiv 2308.06721, eq. 5.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import lcm
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from engine.adapters.layer_weights import spread
from engine.devices.attention import attention
from engine.devices.residency import Keeper, Part
from engine.errors import CheckpointError, SamplingError
from engine.models.ip_adapter import IpAdapter, IpAdapterConfig
from engine.models.transformer import SpatialTransformer
from engine.models.unet import UNet
from engine.sampling.fitting import Span
from engine.sampling.hooks import POSITIVE, Hooks
from engine.sampling.rows import latents_of, signs_of
from engine.values import ClipVision, Model

Pairs = Sequence[tuple[Tensor, Tensor]]
"""Keys and values [1, n, C] for each attention, in the order of an adapter's file."""

V, KV, KV_PENALTY, K_MEAN_V = "V only", "K+V", "K+V w/ C penalty", "K+mean(V) w/ C penalty"
SCALINGS = (V, KV, KV_PENALTY, K_MEAN_V)
"""What the weight multiplies: the answer of the attention, or its keys and values, or its keys and the values' mean.

A penalty makes the weight smaller where an attention is narrower. Source: deepwiki.com/cubiq/ComfyUI_IPAdapter_plus,
"Embedding Scaling" (read 2026-11-22). That the mean is what is weighed, and how values differ from it stays, we take
from the last one's name; the page can be read either way.
"""

WIDEST = 1280  # Source: the same page; the widest attention of Stable Diffusion's UNets.

_STANDARD_EYES = {768: "ViT-L", 1024: "ViT-H", 1280: "ViT-bigG"}
_CELL_EYES = {1024: "ViT-L", 1280: "ViT-H", 1664: "ViT-bigG"}
_READERS = {768: "Stable Diffusion 1", 1024: "Stable Diffusion 2", 2048: "SDXL"}


@dataclass(frozen=True, eq=False)
class Adapter:
    """An IP-Adapter, and the eyes that go with it where they were loaded together."""

    part: Part[IpAdapter]
    keeper: Keeper
    vision: ClipVision | None = None

    @property
    def config(self) -> IpAdapterConfig:
        """Its shape."""
        return self.part.module.config

    def look(self, vision: ClipVision, image: Tensor, mask: Tensor | None = None) -> Tensor:
        """What this adapter reads of pictures: [B, P], or [B, T, D] for all kinds but the standard one.

        Outside of `mask` everything is grey, the mean of the pictures that CLIP was trained on.
        Shapes: image [B, H, W, C] of 0 … 1; mask [M, 1, H, W]. Raises: CheckpointError, for other eyes than its own.
        """
        if mask is not None:
            image = _masked(image, mask)
        seen = vision.look(image)
        return self._checked(seen.image_embeds if self.config.kind == "standard" else seen.penultimate_hidden_states)

    def blank(self, vision: ClipVision) -> Tensor:
        """What it reads where there is no picture: zeros, or what the eyes make of zeros."""
        if self.config.kind == "standard":
            return torch.zeros(1, self.config.clip_width)
        return self._checked(vision.see(torch.zeros(1, 3, vision.size, vision.size)).penultimate_hidden_states)

    def pairs(self, seen: Tensor) -> Pairs:
        """Keys and values of what was seen, those of several pictures one after the other.

        Raises: CheckpointError, for what other eyes saw.
        """
        self._checked(seen)
        place = self.part.place
        with self.keeper.using(self.part) as network, torch.no_grad():
            found = network(seen.to(place.device, place.dtype))
        return [(k.flatten(0, 1)[None].cpu(), v.flatten(0, 1)[None].cpu()) for k, v in found]

    def _checked(self, seen: Tensor) -> Tensor:
        config = self.config
        dimensions = 2 if config.kind == "standard" else 3
        if seen.ndim != dimensions:
            wants = "summaries [B, P]" if dimensions == 2 else "the states of all cells [B, T, D]"
            raise CheckpointError(
                f"{self.part.name} reads {wants} of pictures, got {list(seen.shape)}; encode with this adapter"
            )
        if seen.shape[-1] != config.clip_width:
            eyes = _STANDARD_EYES if config.kind == "standard" else _CELL_EYES
            raise CheckpointError(
                f"{self.part.name} reads pictures as {config.clip_width} features{_named(eyes, config.clip_width)}, "
                f"this CLIP vision model makes {seen.shape[-1]}{_named(eyes, seen.shape[-1])}; load the CLIP vision "
                "model that the adapter was trained with"
            )
        if not bool(torch.isfinite(seen).all()):
            raise SamplingError(f"{self.part.name}: what the picture shows holds values that are no numbers")
        return seen


@dataclass(frozen=True, eq=False)
class Use:
    """How strongly, where and when an adapter guides. Shapes: mask [M, 1, H, W], 1 where it does."""

    weight: float = 1.0
    weight_type: str = "linear"
    scaling: str = V
    start: float = 0.0
    end: float = 1.0
    mask: Tensor | None = None


@dataclass(frozen=True)
class Place:
    """A cross-attention of a UNet: its block, the layer inside its transformer, and how wide it is."""

    block: str
    index: int
    layer: int
    width: int


def apply(model: Model, adapter: Adapter, positive: Tensor, negative: Tensor, use: Use) -> Model:
    """The model guided by what was seen in pictures, the negative side by what `negative` shows.

    Shapes: positive and negative as `Adapter.look` gives them. Raises: CheckpointError, when they do not fit.
    """
    places = _fitting(model, adapter)
    order = {name: number for number, name in enumerate(transformers(places))}
    weights = spread(use.weight, use.weight_type, list(order))
    table = model.prediction.table
    span = None if (use.start, use.end) == (0.0, 1.0) else Span.of(table, use.start, use.end)
    patch = _Patch(
        {(place.block, place.index, place.layer): number for number, place in enumerate(places)},
        [weights[order[place.block, place.index]] for place in places],
        (adapter.pairs(positive), adapter.pairs(negative)),
        use.scaling,
        span,
        use.mask,
    )
    return model.with_hooks(Hooks(patches={"patches": {"attn2_mixed_patch": [patch]}}))


def cross_attentions(network: UNet) -> list[Place]:
    """A UNet's attentions to the text in the order in which adapters number them: inputs, outputs, middle."""
    parts: list[tuple[str, int, Any]] = [("input", number, block) for number, block in enumerate(network.input_blocks)]
    parts += [("output", number, block) for number, block in enumerate(network.output_blocks)]
    if network.middle_block is not None:
        parts.append(("middle", 0, network.middle_block))
    return [
        Place(name, number, depth, transformer.get_submodule("attn2.to_q").get_parameter("weight").shape[0])
        for name, number, block in parts
        for layer in block
        if isinstance(layer, SpatialTransformer)
        for depth, transformer in enumerate(layer.transformer_blocks)
    ]


def transformers(places: Sequence[Place]) -> list[tuple[str, int]]:
    """The blocks that have attentions, in the order in which they run."""
    rank = {"input": 0, "middle": 1, "output": 2}
    return sorted({(place.block, place.index) for place in places}, key=lambda each: (rank[each[0]], each[1]))


def combined(seen: Tensor, method: str) -> Tensor:
    """What was seen in several pictures, as one, or one after the other ("concat"). Shapes: [B, …].

    Raises: SamplingError, for a method that is not known.
    """
    if method == "concat" or len(seen) == 1:
        return seen
    if method == "add":
        return seen.sum(dim=0, keepdim=True)
    if method == "subtract":
        return seen[:1] - seen[1:].mean(dim=0, keepdim=True)
    if method == "average":
        return seen.mean(dim=0, keepdim=True)
    if method == "norm average":
        norm = torch.linalg.vector_norm(seen, dim=0, keepdim=True)
        unit: Tensor = seen / norm.clamp(min=torch.finfo(seen.dtype).tiny)
        return unit.mean(dim=0, keepdim=True)
    if method == "max":
        return seen.amax(dim=0, keepdim=True)
    if method == "min":
        return seen.amin(dim=0, keepdim=True)
    raise SamplingError(f"unknown way to combine pictures: {method!r:.80}")


class _Patch:
    """What a UNet calls after each cross-attention; it adds what that attention finds in the pictures."""

    def __init__(
        self,
        numbers: Mapping[tuple[str, int, int], int],
        weights: Sequence[float],
        sides: tuple[Pairs, Pairs],
        scaling: str,
        span: Span | None,
        mask: Tensor | None,
    ) -> None:
        self.numbers, self.weights, self.scaling, self.span, self.mask = numbers, weights, scaling, span, mask
        self.pairs = [_beside(*each) for each in zip(*sides, strict=True)]
        self._moved: dict[tuple[int, torch.device, torch.dtype], tuple[Tensor, Tensor]] = {}
        self._masks: dict[tuple[int, int, torch.device, torch.dtype], Tensor] = {}

    def __call__(self, mixed: Tensor, q: Tensor, extra: Mapping[str, Any]) -> Tensor:
        number = self.numbers.get((*extra.get("block", ()), extra.get("block_index")))
        if number is None or self.weights[number] == 0 or not self._is_now(extra):
            return mixed
        keys, values = self._here(number, q)
        rows = torch.tensor([int(sign != POSITIVE) for sign in signs_of(extra, len(q))], device=q.device)
        found = self._found(q, keys[rows], values[rows], self.weights[number], extra["n_heads"])
        if self.mask is not None:
            found = found * self._mask_for(q, extra)
        return mixed + found.to(mixed.dtype)

    def _is_now(self, extra: Mapping[str, Any]) -> bool:
        sigmas = extra.get("sigmas")
        return self.span is None or sigmas is None or self.span.holds(float(sigmas.flatten()[0]))

    def _here(self, number: int, like: Tensor) -> tuple[Tensor, Tensor]:
        key = (number, like.device, like.dtype)
        if key not in self._moved:
            keys, values = self.pairs[number]
            self._moved[key] = (keys.to(like.device, like.dtype), values.to(like.device, like.dtype))
        return self._moved[key]

    def _found(self, q: Tensor, keys: Tensor, values: Tensor, weight: float, heads: int) -> Tensor:
        if self.scaling == V:
            return attention(q, keys, values, heads) * weight
        if self.scaling != KV:
            weight *= q.shape[-1] / WIDEST
        if self.scaling != K_MEAN_V:
            return attention(q, keys * weight, values * weight, heads)
        mean = values.mean(dim=1, keepdim=True)
        return attention(q, keys * weight, values - mean + mean * weight, heads)

    def _mask_for(self, q: Tensor, extra: Mapping[str, Any]) -> Tensor:
        """The mask of each row's latent at an attention's cells, [B, T, 1]; masks go to the latents in turn."""
        assert self.mask is not None
        height, width = _grid(q.shape[1], extra)
        key = (height, width, q.device, q.dtype)
        if key not in self._masks:
            small = interpolate(self.mask.float(), size=(height, width), mode="bilinear")
            self._masks[key] = small.flatten(1)[..., None].to(q.device, q.dtype)
        mask = self._masks[key]
        return mask[[place % len(mask) for place in latents_of(extra, len(q))]]


def _fitting(model: Model, adapter: Adapter) -> list[Place]:
    """The attentions of a model that an adapter is for. Raises: CheckpointError."""
    network, name = model.part.module, adapter.part.name
    if not isinstance(network, UNet):
        raise CheckpointError(f"{name} is for UNets (Stable Diffusion 1 and SDXL), this model is of another kind")
    places, layers, config = cross_attentions(network), adapter.config.layers, adapter.config
    reads = network.config.context_width
    if config.context_width != reads:
        raise CheckpointError(
            f"{name} is for models that read texts of {config.context_width} features"
            f"{_named(_READERS, config.context_width)}, this one reads {reads}{_named(_READERS, reads)}; use an "
            "IP-Adapter for this family"
        )
    if [width for _, width in layers] != [place.width for place in places]:
        raise CheckpointError(
            f"{name} is for a UNet with {len(layers)} attentions to the text, this one has {len(places)}, or others; "
            "use an IP-Adapter for this model"
        )
    return places


def _masked(image: Tensor, mask: Tensor) -> Tensor:
    from engine.models.vision import MEAN  # slow: it imports transformers

    fitted = interpolate(mask.float(), size=image.shape[1:3], mode="bilinear").movedim(1, -1)
    fitted = fitted.repeat(-(-len(image) // len(fitted)), 1, 1, 1)[: len(image)]
    return image[..., :3] * fitted + torch.tensor(MEAN) * (1 - fitted)


def _beside(positive: tuple[Tensor, Tensor], negative: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Keys and values of both sides, [2, n, C] each; the shorter is repeated, which attention does not notice."""
    tokens = lcm(positive[0].shape[1], negative[0].shape[1])
    sides = [
        torch.cat([each.repeat(1, tokens // each.shape[1], 1) for each in pair])
        for pair in zip(positive, negative, strict=True)
    ]
    return sides[0], sides[1]


def _grid(tokens: int, extra: Mapping[str, Any]) -> tuple[int, int]:
    """How many cells are above and beside each other in an attention over so many."""
    height, width = extra["activations_shape"][-2:]
    if height * width == tokens:
        return height, width
    height, width = extra["original_shape"][-2:]
    rows = max(1, round((tokens * height / width) ** 0.5))
    while tokens % rows:
        rows -= 1
    return rows, tokens // rows


def _named(names: Mapping[int, str], number: int) -> str:
    return f" ({names[number]})" if number in names else ""
