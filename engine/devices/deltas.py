"""The ways in which files describe a change of a weight: LoRA and its relatives, as matrix algebra.

Everything is float32 and shaped like the weight when it leaves here. `strength` is the user's number; the file's own
alpha / rank is applied as well. Source: node_behaviour.md B.3 and the papers named at each kind.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

EPS = torch.finfo(torch.float32).eps

LARGEST_GROWTH = 4
"""How many times its elements a weight may be padded to; inpainting's nine channels instead of four are 2.25."""


class Delta(Protocol):
    """A change of one weight."""

    def applied(self, weight: Tensor, strength: float) -> Tensor:
        """The changed weight.

        Shapes: weight [out, in, ...], float32. Returns: the same shape, unless the change is one of shape.
        Raises: ValueError or RuntimeError when the change was made for a weight of another shape.
        """
        ...


@dataclass(frozen=True, eq=False)
class LowRank:
    """LoRA: the product of a tall and a wide matrix. For convolutions also LoCon's, with a core in the middle.

    Shapes: up [out, r]; down [r, in, ...]; mid [r, r, kh, kw]; reshape: the weight's shape after zero padding.
    Source: Hu et al. 2021, arXiv 2106.09685; Yeh et al. 2023, arXiv 2309.14859 (LoCon).
    """

    up: Tensor
    down: Tensor
    mid: Tensor | None = None
    alpha: float | None = None
    dora_scale: Tensor | None = None
    reshape: tuple[int, ...] | None = None

    def applied(self, weight: Tensor, strength: float) -> Tensor:
        if self.reshape is not None:
            weight = _padded(weight, self.reshape)
        up, down = _like(self.up, weight).flatten(1), _like(self.down, weight)
        rank = down.shape[0]
        if self.mid is not None:
            mid = _like(self.mid, weight)
            _check_count(up.shape[0] * down.flatten(1).shape[1] * mid.shape[2:].numel(), weight)
            down = torch.einsum("abkl,bi->aikl", mid, down.flatten(1))
        _check_count(up.shape[0] * down.flatten(1).shape[1], weight)
        delta = up @ down.flatten(1)
        return _added(weight, delta * _scale(self.alpha, rank), strength, self.dora_scale)


@dataclass(frozen=True, eq=False)
class Hadamard:
    """LoHa: two low-rank products, multiplied element by element.

    Shapes: wN_a [out, r]; wN_b [r, in·…]; with cores tN [r, r, kh, kw]: wN_a [r, out] and wN_b [r, in].
    Source: Hyeon-Woo et al. 2022, arXiv 2108.06098; Yeh et al. 2023, arXiv 2309.14859.
    """

    w1_a: Tensor
    w1_b: Tensor
    w2_a: Tensor
    w2_b: Tensor
    t1: Tensor | None = None
    t2: Tensor | None = None
    alpha: float | None = None
    dora_scale: Tensor | None = None

    def applied(self, weight: Tensor, strength: float) -> Tensor:
        first = _product(self.w1_a, self.w1_b, self.t1, weight)
        second = _product(self.w2_a, self.w2_b, self.t2, weight)
        delta = first * second * _scale(self.alpha, self.w1_b.shape[0])
        return _added(weight, delta, strength, self.dora_scale)


@dataclass(frozen=True, eq=False)
class Kronecker:
    """LoKr: a Kronecker product of two small matrices, either of which may be a low-rank product itself.

    Shapes: w1 [a, b]; w2 [out/a, in/b, ...]; or factors [.., r] and [r, ..].
    Source: Yeh et al. 2023, arXiv 2309.14859.
    """

    w1: Tensor | None
    w1_a: Tensor | None
    w1_b: Tensor | None
    w2: Tensor | None
    w2_a: Tensor | None
    w2_b: Tensor | None
    t2: Tensor | None = None
    alpha: float | None = None
    dora_scale: Tensor | None = None

    def applied(self, weight: Tensor, strength: float) -> Tensor:
        rank = None
        w1 = self.w1
        if w1 is None:
            w1, rank = _factors(self.w1_a, self.w1_b, None, weight)
        w2 = self.w2
        if w2 is None:
            w2, rank = _factors(self.w2_a, self.w2_b, self.t2, weight)
        w1, w2 = _like(w1, weight), _like(w2, weight)
        if w2.ndim == 4:
            w1 = w1[:, :, None, None]
        scale = 1.0 if rank is None else _scale(self.alpha, rank)
        _check_count(w1.numel() * w2.numel(), weight)
        return _added(weight, torch.kron(w1, w2.contiguous()) * scale, strength, self.dora_scale)


@dataclass(frozen=True, eq=False)
class Generalised:
    """GLoRA: a low-rank change that also looks at the weight itself.

    Shapes, in the current layout: a1 [in, r], a2 [r, in], b1 [out, r], b2 [r, in]; in the first one, which has the
    factors of each product in the other order: a1 [r, in], a2 [in, r], b1 [r, in], b2 [out, r].
    Source: Chavan et al. 2023, arXiv 2306.07967.
    """

    a1: Tensor
    a2: Tensor
    b1: Tensor
    b2: Tensor
    alpha: float | None = None
    dora_scale: Tensor | None = None

    def applied(self, weight: Tensor, strength: float) -> Tensor:
        a1, a2, b1, b2 = (_like(x, weight).flatten(1) for x in (self.a1, self.a2, self.b1, self.b2))
        # The rank is where each product's factors meet, and the smaller side of b1: only that tells squares apart.
        is_current = b1.shape[1] == b2.shape[0] == a1.shape[1] == a2.shape[0] and b1.shape[1] <= b1.shape[0]
        if not is_current:
            a1, a2, b1, b2 = a2, a1, b2, b1
        _check_count(b1.shape[0] * b2.shape[1], weight)
        if (a1.shape[0], a2.shape[1]) != (weight.shape[1], weight.shape[1]):
            raise ValueError(f"a change of {a1.shape[0]} inputs for a weight of {weight.shape[1]}")
        looked = torch.einsum("oi...,ij->oj...", weight, a1 @ a2)
        delta = (b1 @ b2).reshape(weight.shape) + looked
        return _added(weight, delta * _scale(self.alpha, a2.shape[0]), strength, self.dora_scale)


@dataclass(frozen=True, eq=False)
class Orthogonal:
    """OFT: blocks of the outputs are rotated; BOFT: in several rounds, over outputs shuffled like a butterfly.

    Shapes: blocks [n, b, b] (OFT) or [rounds, n, b, b] (BOFT); rescale [out, ...].
    Source: Qiu et al. 2023, arXiv 2306.07280; Liu et al. 2023, arXiv 2311.06243.
    """

    blocks: Tensor
    rescale: Tensor | None = None
    alpha: float | None = None
    dora_scale: Tensor | None = None

    def applied(self, weight: Tensor, strength: float) -> Tensor:
        change = self._rotation(weight) * strength
        if change.ndim == 3:
            rotated = weight + _rotate(change, weight)
        else:
            rotated = weight
            for index, one in enumerate(change):
                rotated = _butterfly(rotated, one, index)
        if self.rescale is not None:
            rotated = rotated * _like(self.rescale, weight).reshape(-1, *[1] * (weight.ndim - 1))
        # ComfyUI: strength counts twice, in the rotation and in the sum.
        return _added(weight, rotated - weight, strength, self.dora_scale)

    def _rotation(self, weight: Tensor) -> Tensor:
        """What the blocks change about the identity, by Cayley's map, which makes any matrix orthogonal."""
        blocks = _like(self.blocks, weight)
        q = blocks - blocks.mT
        if self.alpha is not None and self.alpha > 0:
            q = q * (self.alpha / q.norm()).clamp(max=1.0)
        identity = torch.eye(q.shape[-1], device=q.device)
        return (identity + q) @ torch.linalg.inv(identity - q) - identity


@dataclass(frozen=True, eq=False)
class Difference:
    """A full difference of a weight, a bias or a norm."""

    difference: Tensor

    def applied(self, weight: Tensor, strength: float) -> Tensor:
        if self.difference.shape != weight.shape:
            raise ValueError(f"a difference of shape {tuple(self.difference.shape)} for one of {tuple(weight.shape)}")
        return weight + strength * _like(self.difference, weight)


@dataclass(frozen=True, eq=False)
class Replacement:
    """Another weight in its place, whatever the strength."""

    weight: Tensor

    def applied(self, weight: Tensor, strength: float) -> Tensor:
        if self.weight.shape != weight.shape:
            raise ValueError(f"a replacement of shape {tuple(self.weight.shape)} for one of {tuple(weight.shape)}")
        return _like(self.weight, weight)


def _added(weight: Tensor, delta: Tensor, strength: float, dora_scale: Tensor | None) -> Tensor:
    delta = delta.reshape(weight.shape)
    if dora_scale is None:
        return weight + strength * delta
    return weight + strength * (_decomposed(weight, weight + delta, dora_scale) - weight)


def _decomposed(weight: Tensor, changed: Tensor, scale: Tensor) -> Tensor:
    """DoRA: the change decides the direction only; the length of each row or column is learned apart.

    Source: Liu et al. 2024, arXiv 2402.09353, eq. 5; which norm, from node_behaviour.md B.3.
    """
    scale = _like(scale, weight)
    _check_lengths(scale, weight)
    if scale.shape[0] == weight.shape[0]:
        norm = weight.flatten(1).norm(dim=1).reshape(-1, *[1] * (weight.ndim - 1))
    else:
        norm = changed.transpose(0, 1).flatten(1).norm(dim=1).reshape(1, -1, *[1] * (weight.ndim - 2))
    return changed * (scale.reshape(*scale.shape, *[1] * (weight.ndim - scale.ndim)) / (norm + EPS))


def _check_lengths(scale: Tensor, weight: Tensor) -> None:
    """Refuses lengths that are neither of the weight's rows nor of its columns."""
    given, rows, columns = tuple(scale.shape), len(weight), weight.shape[1] if weight.ndim > 1 else 0
    is_one_side = scale.numel() == max(given, default=0) and scale.ndim <= weight.ndim and weight.ndim > 1
    if not is_one_side or (given[:1] != (rows,) and given[:2] != (1, columns)):
        raise ValueError(
            f"a DoRA scale of shape {list(given)} for a weight of {list(weight.shape)}; expected [{rows}, 1], a length "
            f"for each row, or [1, {columns}], one for each column"
        )


def _scale(alpha: float | None, rank: int) -> float:
    return 1.0 if alpha is None else alpha / rank


def _like(x: Tensor | None, weight: Tensor) -> Tensor:
    if x is None:
        raise ValueError("a factor is missing; the file is not complete")
    return x.to(device=weight.device, dtype=torch.float32)


def _padded(weight: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The weight with zeros behind it, in a larger shape. Raises: ValueError, when that is smaller or far too large."""
    is_larger = len(shape) == weight.ndim and all(n >= now for n, now in zip(shape, weight.shape, strict=True))
    if not is_larger or math.prod(shape) > LARGEST_GROWTH * weight.numel():
        raise ValueError(f"asks for the shape {shape}, expected one up to {LARGEST_GROWTH} times as large")
    larger = weight.new_zeros(shape)
    larger[tuple(slice(0, n) for n in weight.shape)] = weight
    return larger


def _check_count(count: int, weight: Tensor) -> None:
    """Refuses a product that could not be of the weight's size before there is memory to be had for it."""
    if count > weight.numel():
        raise ValueError(f"a product of {count:,} elements for a weight of {weight.numel():,}")


def _factors(a: Tensor | None, b: Tensor | None, core: Tensor | None, weight: Tensor) -> tuple[Tensor, int]:
    product = _product(a, b, core, weight)
    return product, _like(b, weight).shape[0]


def _product(a: Tensor | None, b: Tensor | None, core: Tensor | None, weight: Tensor) -> Tensor:
    """A low-rank product, or with a core the Tucker form [out, in, kh, kw]."""
    a, b = _like(a, weight), _like(b, weight)
    if core is None:
        _check_count(a.shape[0] * b.flatten(1).shape[1], weight)
        return a @ b.flatten(1)
    core = _like(core, weight)
    _check_count(a.shape[-1] * b.shape[-1] * core.shape[2:].numel(), weight)
    return torch.einsum("ijkl,jr,ip->prkl", core, b, a)


def _rotate(change: Tensor, weight: Tensor) -> Tensor:
    """Applies the transpose of each block [n, b, b] to its rows of the weight."""
    rows = weight.reshape(change.shape[0], change.shape[1], -1)
    return torch.einsum("nij,nik->njk", change, rows).reshape(weight.shape)


def _butterfly(weight: Tensor, change: Tensor, index: int) -> Tensor:
    """One round of BOFT: rows 2^index half-blocks apart meet in one block, turn, and go back to their places."""
    half = change.shape[-1] // 2
    apart = 2**index * half
    shape = weight.shape
    rows = weight.reshape(-1, 2, apart, *shape[1:]).transpose(1, 2)
    blocks = rows.reshape(change.shape[0], change.shape[-1], -1)
    turned = blocks + torch.einsum("nij,njk->nik", change, blocks)
    return turned.reshape(rows.shape).transpose(1, 2).reshape(shape)
