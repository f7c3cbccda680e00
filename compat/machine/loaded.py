"""A patcher that is on its device, as ComfyUI's list of loaded models holds it: it keeps nobody alive."""

import weakref
from collections.abc import Callable
from typing import Any


class LoadedModel:
    """A patcher on its device. Where nobody holds it any more, the one that it was cloned from takes its place."""

    def __init__(self, model: Any) -> None:
        self._patchers = [_reference(each) for each in _with_parents(model)]
        self._network = _reference(getattr(model, "model", None))
        self.device = model.load_device
        self.currently_used = True

    @property
    def model(self) -> Any:
        """The patcher; None where it is gone, and all that it was cloned from."""
        return next((each for each in (known() for known in self._patchers) if each is not None), None)

    @property
    def real_model(self) -> Any:
        """The network, as ComfyUI calls it; None where it is gone."""
        return self._network()

    def model_memory(self) -> int:
        """Bytes of its weights."""
        return 0 if self.is_dead() else int(self.model.model_size())

    def model_loaded_memory(self) -> int:
        """Bytes of those that are on the device."""
        return 0 if self.is_dead() else int(self.model.loaded_size())

    def model_offloaded_memory(self) -> int:
        """Bytes of those that are not."""
        return max(0, self.model_memory() - self.model_loaded_memory())

    def model_memory_required(self, device: Any) -> int:
        """Bytes that coming to a device takes."""
        return self.model_offloaded_memory() if device == self.model.current_loaded_device() else self.model_memory()

    def model_load(self, lowvram_model_memory: int = 0, force_patch_weights: bool = False) -> Any:
        """Brings it, its patches on; lowvram_model_memory: bytes to bring at most, 0 for all."""
        self.model_use_more_vram(lowvram_model_memory or self.model_memory(), force_patch_weights)
        return self.real_model

    def model_use_more_vram(self, use_more_vram: float, force_patch_weights: bool = False) -> Any:
        """Brings so many bytes more."""
        return self.model.partially_load(self.device, use_more_vram, force_patch_weights=force_patch_weights)

    def model_unload(self, memory_to_free: float | None = None, unpatch_weights: bool = True) -> bool:
        """Lets it leave: so many bytes of it, where that is enough. Returns: whether all of it left."""
        model = self.model
        if model is None:
            return True
        if memory_to_free is not None and memory_to_free < self.model_loaded_memory():
            freed = model.partially_unload(model.offload_device, memory_to_free)
            if freed >= memory_to_free:
                return False
        model.detach(unpatch_weights)
        return True

    def is_dead(self) -> bool:
        """Whether nobody holds a patcher of it any more, so that nobody can use it or let it leave."""
        return self.model is None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LoadedModel) and (self is other or (self.model is other.model and not self.is_dead()))

    __hash__ = object.__hash__


def _with_parents(model: Any) -> list[Any]:
    """The patcher and those of the same network that it was cloned from, the last first."""
    found: list[Any] = []
    network = getattr(model, "model", None)
    while model is not None and not any(model is each for each in found):
        if getattr(model, "model", None) is network:
            found.append(model)
        model = getattr(model, "parent", None)
    return found


def _reference(value: Any) -> Callable[[], Any]:
    try:
        return weakref.ref(value)
    except TypeError:  # None, or an object of an author's that nothing can refer to weakly
        return lambda: value
