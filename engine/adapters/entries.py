"""What a file says of one weight: its entries, told apart by how their names end, made into changes.

Source: node_behaviour.md B.2, and the keys of peft, diffusers, kohya's scripts and LyCORIS.
"""

from collections.abc import Callable, Mapping

from torch import Tensor

from engine.checkpoints.lora_files import CHANGES, FULL, GLORA, LOHA, LOKR, UP_DOWN
from engine.devices.deltas import Delta, Difference, Generalised, Hadamard, Kronecker, LowRank, Orthogonal, Replacement


class Entries:
    """The file's entries, looked up by the name of a weight; remembers which were used."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.tensors = tensors
        self.used: set[str] = set()
        self._names = {name.removesuffix(end) for name in tensors for end in CHANGES if name.endswith(end)}

    def has(self, name: str) -> bool:
        """Whether the file changes a weight of this name."""
        return name in self._names

    def deltas(self, name: str, weight: str) -> dict[str, Delta]:
        """The weight, or the bias beside it, -> its change. Where several kinds are given, the last one holds."""
        found: dict[str, Delta] = {}
        if not self.has(name):
            return found
        for kind in _KINDS:
            delta = kind(self, name)
            if delta is not None:
                found[weight] = delta
        for suffix, leaf in FULL:
            place = weight.removesuffix(".weight") + leaf if weight.endswith(".weight") else weight
            difference = self.take(name + suffix) if leaf == ".weight" or place != weight else None
            if difference is not None:
                found[place] = Difference(difference)
        replacement = self.take(name + ".set_weight")
        if replacement is not None:
            found[weight] = Replacement(replacement)
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
        w1_a, w1_b, w2_a, w2_b = (self.take(name + each) for each in LOHA)
        if w1_a is None or w1_b is None or w2_a is None or w2_b is None:
            return None
        cores = self.take(f"{name}.hada_t1"), self.take(f"{name}.hada_t2")
        return Hadamard(w1_a, w1_b, w2_a, w2_b, *cores, self.alpha(name), self.take(f"{name}.dora_scale"))

    def lokr(self, name: str) -> Delta | None:
        w1, w1_a, w1_b, w2, w2_a, w2_b = (self.take(name + each) for each in LOKR)
        if (w1 is None and w1_a is None) or (w2 is None and w2_a is None):
            return None
        core, alpha = self.take(f"{name}.lokr_t2"), self.alpha(name)
        return Kronecker(w1, w1_a, w1_b, w2, w2_a, w2_b, core, alpha, self.take(f"{name}.dora_scale"))

    def glora(self, name: str) -> Delta | None:
        a1, a2, b1, b2 = (self.take(name + each) for each in GLORA)
        if a1 is None or a2 is None or b1 is None or b2 is None:
            return None
        return Generalised(a1, a2, b1, b2, self.alpha(name), self.take(f"{name}.dora_scale"))

    def oft(self, name: str) -> Delta | None:
        blocks = self.take(f"{name}.oft_blocks")
        if blocks is None:
            return None
        return Orthogonal(blocks, self.take(f"{name}.rescale"), self.alpha(name), self.take(f"{name}.dora_scale"))


_KINDS: tuple[Callable[[Entries, str], Delta | None], ...] = (
    Entries.lora,
    Entries.loha,
    Entries.lokr,
    Entries.glora,
    Entries.oft,
)
