"""Hooks of conditions and wrappers of patchers, brought to where sampling looks for them, for one run."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import comfy

Conds = Mapping[str, list[dict[str, Any]]]


@contextmanager
def hooked(patcher: Any, conds: Conds, model_options: dict[str, Any]) -> Iterator[None]:
    """While the block lasts, the patcher knows the patches of every hook the conditions have.

    Changes `model_options`, a copy for this run: the patcher's own wrappers and callbacks join those that are there.
    """
    options = model_options.setdefault("transformer_options", {})
    for kind in ("wrappers", "callbacks"):
        merged = comfy.patcher_extension.merge_nested_dicts(options.get(kind, {}), getattr(patcher, kind, {}))
        if merged:
            options[kind] = merged
    wanted = comfy.hooks.HookGroup()
    for cond in conds.values():
        comfy.sampler_helpers.get_hooks_from_cond(cond, wanted)
    if not wanted.hooks:
        yield
        return
    wanted.reset()
    registered = comfy.hooks.HookGroup()
    target = comfy.hooks.create_target_dict(comfy.hooks.EnumWeightTarget.Model)
    try:
        patcher.register_all_hook_patches(wanted, target, model_options, registered)
        model_options["registered_hooks"] = registered
        _drop_others(conds, registered)
        yield
    finally:
        patcher.restore_hook_patches()


def _drop_others(conds: Conds, registered: Any) -> None:
    """Hooks that are not for this model leave its conditions."""
    kept: dict[int, Any] = {}
    for cond in (each for conditions in conds.values() for each in conditions):
        hooks = cond.get("hooks")
        if hooks is not None:
            # Conditions that shared a group go on sharing one.
            if id(hooks) not in kept:
                kept[id(hooks)] = hooks.new_with_common_hooks(registered)
            cond["hooks"] = kept[id(hooks)] if kept[id(hooks)].hooks else None
