"""A patcher that is on its device, as ComfyUI's list of loaded models holds it."""

from typing import Any


class LoadedModel:
    """A patcher on its device."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.device = model.load_device
        self.currently_used = True

    @property
    def real_model(self) -> Any:
        """The network, as ComfyUI calls it."""
        return getattr(self.model, "model", None)

    def model_memory(self) -> int:
        """Bytes of its weights."""
        return int(self.model.model_size())

    def model_loaded_memory(self) -> int:
        """Bytes of those that are on the device."""
        return int(self.model.loaded_size())

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
        if memory_to_free is not None and memory_to_free < self.model_loaded_memory():
            freed = self.model.partially_unload(self.model.offload_device, memory_to_free)
            if freed >= memory_to_free:
                return False
        self.model.detach(unpatch_weights)
        return True

    def is_dead(self) -> bool:
        """Whether nobody can use it any more; a list that holds it keeps it alive here."""
        return False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LoadedModel) and self.model is other.model

    __hash__ = object.__hash__
