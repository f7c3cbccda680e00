"""The side of a ModelPatcher that changes weights by schedule: for each group of hooks other patches on top."""

import uuid
from typing import Any

import comfy.hooks
import torch
from comfy.patcher_extension import CallbacksMP
from torch import nn

from compat.patcher import dotted


class HooksSide:
    """Patches by hook, put on when a condition with that hook is asked about."""

    model: Any
    hook_patches: dict[Any, dict[str, list[Any]]]
    hook_patches_backup: dict[Any, dict[str, list[Any]]] | None
    hook_backup: dict[str, Any]
    cached_hook_patches: dict[Any, dict[str, list[Any]]]
    current_hooks: Any
    forced_hooks: Any
    is_clip: bool
    hook_mode: Any
    patches_uuid: uuid.UUID

    def _set_up_hooks(self) -> None:
        self.hook_patches = {}
        self.hook_patches_backup = None
        self.hook_backup = {}
        self.cached_hook_patches = {}
        self.current_hooks = None
        self.forced_hooks = None
        self.hook_mode = comfy.hooks.EnumHookMode.MaxSpeed

    def _copy_hooks_to(self, n: Any) -> None:
        n.hook_patches = _copied(self.hook_patches)
        n.hook_patches_backup = None if self.hook_patches_backup is None else _copied(self.hook_patches_backup)
        n.hook_backup = self.hook_backup
        n.current_hooks = None if self.current_hooks is None else self.current_hooks.clone()
        n.forced_hooks = None if self.forced_hooks is None else self.forced_hooks.clone()
        n.hook_mode = self.hook_mode

    def set_hook_mode(self, hook_mode: Any) -> None:
        """Whether patched weights are kept for each group; the engine decides that by itself."""
        self.hook_mode = hook_mode

    def add_hook_patches(
        self, hook: Any, patches: dict[Any, Any], strength_patch: float = 1.0, strength_model: float = 1.0
    ) -> list[Any]:
        """Changes of weights that hold while a hook does. Returns: the keys that are weights of this model."""
        known = self.model.state_dict().keys()
        kept = self.hook_patches.setdefault(hook.hook_ref, {})
        accepted = []
        for key, patch in patches.items():
            name, offset, function = (key, None, None) if isinstance(key, str) else (*key, None)[:3]
            if name in known:
                accepted.append(key)
                kept.setdefault(name, []).append((strength_patch, patch, strength_model, offset, function))
        self.cached_hook_patches = {}
        return accepted

    def get_combined_hook_patches(self, hooks: Any) -> dict[str, list[Any]]:
        """The patches of a group's hooks, each as strong as its hook is now."""
        if hooks is None:
            return {}
        key = tuple((hook.hook_ref, hook.strength) for hook in hooks.hooks)
        if key not in self.cached_hook_patches:
            combined: dict[str, list[Any]] = {}
            for hook in hooks.hooks:
                for name, entries in self.hook_patches.get(hook.hook_ref, {}).items():
                    scaled = [(entry[0] * hook.strength, *entry[1:]) for entry in entries]
                    combined.setdefault(name, []).extend(scaled)
            self.cached_hook_patches[key] = combined
        return self.cached_hook_patches[key]

    def register_all_hook_patches(
        self, hooks: Any, target_dict: Any, model_options: Any = None, registered: Any = None
    ) -> None:
        """Before sampling: takes up the patches of every hook the conditions have."""
        self.restore_hook_patches()
        registered = comfy.hooks.HookGroup() if registered is None else registered
        self.hook_patches_backup = _copied(self.hook_patches)
        for hook in hooks.hooks:
            if hook.should_register(self, model_options, target_dict, registered):
                hook.add_hook_patches(self, model_options, target_dict, registered)
        for callback in self.get_all_callbacks(CallbacksMP.ON_REGISTER_ALL_HOOK_PATCHES):  # type: ignore[attr-defined]
            callback(self, hooks, target_dict, model_options, registered)

    def prepare_hook_patches_current_keyframe(self, t: torch.Tensor, hook_group: Any, model_options: Any) -> None:
        """At each step: moves the hooks' keyframes on."""
        current = t.max() if t.ndim else t
        groups: dict[int, Any] = {}
        for hook in hook_group.hooks:
            groups.setdefault(id(hook.hook_keyframe), hook)
        transformer_options = (model_options or {}).get("transformer_options", {})
        has_changed = [h.hook_keyframe.prepare_current_keyframe(current, transformer_options) for h in groups.values()]
        if any(has_changed) and self.current_hooks is not None:
            self.current_hooks = None if self.residence is None else _OTHER  # type: ignore[attr-defined]

    def apply_hooks(self, hooks: Any, transformer_options: Any = None, force_apply: bool = False) -> dict[str, Any]:
        """The weights wear this group's patches. Returns: what its hooks add to transformer_options."""
        if force_apply or self.current_hooks is _OTHER or self.current_hooks != hooks:
            self.patch_hooks(hooks)
            for callback in self.get_all_callbacks(CallbacksMP.ON_APPLY_HOOKS):  # type: ignore[attr-defined]
                callback(self, hooks)
        return comfy.hooks.create_transformer_options_from_hooks(self, hooks, transformer_options)

    def patch_hooks(self, hooks: Any) -> None:
        """The same, the weights alone."""
        patches = self.get_combined_hook_patches(hooks)
        if hooks is None and self.current_hooks is None:
            return
        residence = self.residence  # type: ignore[attr-defined]
        if residence is not None:
            residence.bring(self.engine_patches(patches))  # type: ignore[attr-defined]
        else:
            self.unpatch_hooks()
            for key, entries in patches.items():
                self._patch_in_place(key, entries)
        self.current_hooks = hooks

    def _patch_in_place(self, key: str, entries: list[Any]) -> None:
        weight = dotted.get(self.model, key)
        self.hook_backup[key] = weight
        changed = self.calculate_weight(entries, weight.detach().float().clone(), key)  # type: ignore[attr-defined]
        dotted.put(self.model, key, nn.Parameter(changed.to(weight.dtype), requires_grad=False))

    def unpatch_hooks(self, whitelist_keys_set: set[str] | None = None) -> None:
        """The weights wear no hook's patches any more."""
        residence = self.residence  # type: ignore[attr-defined]
        if residence is not None and self.current_hooks is not None:
            residence.bring(self.engine_patches())  # type: ignore[attr-defined]
        for key in list(self.hook_backup):
            if whitelist_keys_set is None or key in whitelist_keys_set:
                dotted.put(self.model, key, self.hook_backup.pop(key))
        self.current_hooks = None

    def restore_hook_patches(self) -> None:
        """After sampling: only those hook patches are left that were there before."""
        if self.hook_patches_backup is not None:
            self.hook_patches = self.hook_patches_backup
            self.hook_patches_backup = None
            self.cached_hook_patches = {}

    def clear_cached_hook_weights(self) -> None:
        """Forgets what was computed for groups."""
        self.cached_hook_patches = {}

    def clean_hooks(self) -> None:
        """After sampling: no hook's patches are on, and nothing is kept of them."""
        self.unpatch_hooks()
        self.clear_cached_hook_weights()


_OTHER = object()
"""In the place of the current hooks: their patches are on, but of another strength."""


def _copied(patches: dict[Any, dict[str, list[Any]]]) -> dict[Any, dict[str, list[Any]]]:
    return {ref: {name: list(entries) for name, entries in each.items()} for ref, each in patches.items()}
