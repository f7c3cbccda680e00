"""ComfyUI's adapters: LoRA and its relatives as objects that change a weight."""

from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from compat.missing import missing
from engine.devices.deltas import Delta, Generalised, Hadamard, Kronecker, LowRank, Orthogonal
from engine.devices.patches import Patch


class WeightAdapterBase:
    """A change of one weight. Plugins make their own; `calculate_weight` is what counts."""

    name: ClassVar[str] = ""
    loaded_keys: set[str]
    weights: Any

    def __init__(self, loaded_keys: set[str], weights: Any) -> None:
        self.loaded_keys = loaded_keys
        self.weights = weights

    def calculate_weight(
        self,
        weight: Tensor,
        key: str,
        strength: float,
        strength_model: float,
        offset: Any,
        function: Any,
        intermediate_dtype: torch.dtype = torch.float32,
        original_weight: Tensor | None = None,
    ) -> Tensor:
        """The changed weight."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it changes a weight")


class EngineAdapter(WeightAdapterBase):
    """A change that the engine knows how to compute."""

    def __init__(self, delta: Delta, loaded_keys: set[str] | None = None, patch: Patch | None = None) -> None:
        weights = _fields(delta) if is_dataclass(delta) else (delta,)
        super().__init__(loaded_keys or set(), weights)
        self.delta = delta
        self._patches: dict[float, Patch] = {} if patch is None else {patch.strength: patch}

    def as_patch(self, strength: float) -> Patch:
        """The engine's patch of this change; the same object for the same strength."""
        if strength not in self._patches:
            self._patches[strength] = Patch(self.delta, strength)
        return self._patches[strength]

    def calculate_weight(
        self,
        weight: Tensor,
        key: str,
        strength: float,
        strength_model: float,
        offset: Any,
        function: Any,
        intermediate_dtype: torch.dtype = torch.float32,
        original_weight: Tensor | None = None,
    ) -> Tensor:
        full = weight.float()
        changed = self.delta.applied(full, strength)
        if function is not None and changed.shape == full.shape:
            changed = full + function(changed - full)
        return changed.to(weight.dtype)


def _fields(delta: Any) -> tuple[Any, ...]:
    return tuple(getattr(delta, name) for name in delta.__dataclass_fields__)


class LoRAAdapter(EngineAdapter):
    """The product of a tall and a wide matrix."""

    name = "lora"

    def __init__(self, delta: LowRank, loaded_keys: set[str] | None = None, patch: Patch | None = None) -> None:
        super().__init__(delta, loaded_keys, patch)
        self.weights = (delta.up, delta.down, delta.alpha, delta.mid, delta.dora_scale, delta.reshape)


class LoHaAdapter(EngineAdapter):
    """Two such products, multiplied."""

    name = "loha"


class LoKrAdapter(EngineAdapter):
    """A Kronecker product."""

    name = "lokr"


class GLoRAAdapter(EngineAdapter):
    """A change that looks at the weight."""

    name = "glora"


class OFTAdapter(EngineAdapter):
    """Rotations of blocks."""

    name = "oft"


class BOFTAdapter(EngineAdapter):
    """Rotations in rounds."""

    name = "boft"


adapters: list[type[WeightAdapterBase]] = [
    LoRAAdapter,
    LoHaAdapter,
    LoKrAdapter,
    GLoRAAdapter,
    OFTAdapter,
    BOFTAdapter,
]

_KINDS: Mapping[type, type[EngineAdapter]] = {
    LowRank: LoRAAdapter,
    Hadamard: LoHaAdapter,
    Kronecker: LoKrAdapter,
    Generalised: GLoRAAdapter,
}


def adapter_of(delta: Delta, loaded_keys: set[str] | None = None, patch: Patch | None = None) -> EngineAdapter:
    """The engine's change as one of ComfyUI's adapters."""
    if isinstance(delta, Orthogonal):
        kind: type[EngineAdapter] = OFTAdapter if delta.blocks.ndim == 3 else BOFTAdapter
        return kind(delta, loaded_keys, patch)
    return _KINDS.get(type(delta), EngineAdapter)(delta, loaded_keys, patch)


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
