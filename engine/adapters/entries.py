"""What a file says of one weight: its entries, told apart by how their names end, made into changes.

Source: node_behaviour.md B.2, and the keys of peft, diffusers, kohya's scripts and LyCORIS.
"""

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from engine.checkpoints.lora_files import CHANGES, FULL, GLORA, LOHA, LOKR, UP_DOWN
from engine.devices.deltas import Delta, Difference, Generalised, Hadamard, Kronecker, LowRank, Orthogonal, Replacement


class Entries:
    """The file's entries, looked up by the name of a weight; remembers which were used, and which are none (`flaws`).

    A flaw is a sentence: a change of which a part is missing, or that holds nothing.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.tensors = tensors
        self.used: set[str] = set()
        self.flaws: list[str] = []
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
        """An entry; None where there is no such."""
        tensor = self.tensors.get(key)
        if tensor is None:
            return None
        if tensor.numel() == 0 and key not in self.used:
            self.flaws.append(f"{key} is {list(tensor.shape)}, expected a rank of at least 1")
        self.used.add(key)
        return tensor

    def taken(self, name: str, wanted: Sequence[str]) -> list[Tensor]:
        """The entries of a name that end so, none at all where only some of them are there."""
        found = {each: self.take(name + each) for each in wanted}
        have = {each: tensor for each, tensor in found.items() if tensor is not None}
        if have and len(have) < len(wanted):
            self.flaws.append(f"{name}: expected {' and '.join(wanted)}, found only {' and '.join(have)}")
        return [*have.values()] if len(have) == len(wanted) else []

    def alpha(self, name: str) -> float | None:
        alpha = self.take(f"{name}.alpha")
        if alpha is not None and alpha.numel() > 1:
            self.flaws.append(f"{name}.alpha is {list(alpha.shape)}, expected one number")
        return None if alpha is None or alpha.numel() != 1 else float(alpha)

    def reshape(self, name: str) -> tuple[int, ...] | None:
        shape = self.take(f"{name}.reshape_weight")
        # Whatever is no shape becomes one that no weight can be padded to, so that the change is left out with a word.
        if shape is None or shape.is_floating_point() or shape.ndim != 1:
            return None if shape is None else ()
        return tuple(int(n) for n in shape.tolist())

    def lora(self, name: str) -> Delta | None:
        for suffixes in UP_DOWN:
            both = self.taken(name, suffixes)
            if both:
                up, down = both
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
        factors = self.taken(name, LOHA)
        if not factors:
            return None
        w1_a, w1_b, w2_a, w2_b = factors
        cores = self.take(f"{name}.hada_t1"), self.take(f"{name}.hada_t2")
        return Hadamard(w1_a, w1_b, w2_a, w2_b, *cores, self.alpha(name), self.take(f"{name}.dora_scale"))

    def lokr(self, name: str) -> Delta | None:
        given = {each: self.take(name + each) for each in LOKR}
        have = [each for each, tensor in given.items() if tensor is not None]
        if not have:
            return None
        w1, w1_a, w1_b, w2, w2_a, w2_b = given.values()
        lacking = [
            f".lokr_w{place} or .lokr_w{place}_a and _b"
            for place, (whole, a, b) in enumerate(((w1, w1_a, w1_b), (w2, w2_a, w2_b)), 1)
            if whole is None and (a is None or b is None)
        ]
        if lacking:
            self.flaws.append(f"{name}: expected {', and '.join(lacking)}, found only {' and '.join(have)}")
            return None
        core, alpha = self.take(f"{name}.lokr_t2"), self.alpha(name)
        return Kronecker(w1, w1_a, w1_b, w2, w2_a, w2_b, core, alpha, self.take(f"{name}.dora_scale"))

    def glora(self, name: str) -> Delta | None:
        factors = self.taken(name, GLORA)
        if not factors:
            return None
        a1, a2, b1, b2 = factors
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
