"""The side of a ModelPatcher that replaces objects inside the model while it is loaded."""

from typing import Any

from compat.patcher import dotted


class ObjectsSide:
    """Patches of attributes, by their dotted path in `model`."""

    model: Any
    object_patches: dict[str, Any]
    object_patches_backup: dict[str, Any]
    former: dict[str, Any]

    def add_object_patch(self, name: str, obj: Any) -> None:
        """Replaces an attribute while the model is loaded."""
        self.object_patches[name] = obj

    def get_model_object(self, name: str) -> Any:
        """The attribute as this patcher wants it: patched; or else as it was before another's patch; or as it is."""
        if name in self.object_patches:
            return self.object_patches[name]
        if name in self.object_patches_backup:
            return self.object_patches_backup[name]
        return dotted.get(self.model, name)

    def _put_objects_in(self) -> None:
        for name, value in self.object_patches.items():
            if name not in self.object_patches_backup:
                self.object_patches_backup[name] = dotted.get(self.model, name) if self._has(name) else None
                self.former[name] = dotted.own(self.model, name)
            dotted.put(self.model, name, value)

    def _take_objects_out(self) -> None:
        for name in reversed(list(self.object_patches_backup)):
            dotted.put(self.model, name, self.former.pop(name, self.object_patches_backup[name]))
        self.object_patches_backup.clear()

    def _has(self, name: str) -> bool:
        try:
            dotted.get(self.model, name)
        except AttributeError:
            return False
        return True
