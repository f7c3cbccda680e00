"""The built-in nodes for hooks and their schedules. Source: node_behaviour.md 11."""

from typing import Any

from compat.core_nodes import built_in
from compat.missing import missing

METHODS = {
    "CreateHookLora": "create_hook",
    "CreateHookLoraModelOnly": "create_hook_model_only",
    "CreateHookModelAsLora": "create_hook",
    "CreateHookModelAsLoraModelOnly": "create_hook_model_only",
    "CreateHookKeyframe": "create_hook_keyframe",
    "CreateHookKeyframesInterpolated": "create_hook_keyframes",
    "CreateHookKeyframesFromFloats": "create_hook_keyframes",
    "SetHookKeyframes": "set_hook_keyframes",
    "SetClipHooks": "apply_hooks",
    "CombineHooks2": "combine_hooks",
    "CombineHooks4": "combine_hooks",
    "CombineHooks8": "combine_hooks",
    "PairConditioningSetProperties": "set_properties",
    "PairConditioningSetPropertiesAndCombine": "set_properties",
    "ConditioningSetProperties": "set_properties",
    "ConditioningSetPropertiesAndCombine": "set_properties",
    "PairConditioningSetDefaultCombine": "set_default_and_combine",
    "ConditioningSetDefaultCombine": "set_default_and_combine",
    "ConditioningTimestepsRange": "create_range",
}
"""Class -> the method that plugins call."""


def __getattr__(name: str) -> Any:
    if name in METHODS:
        return built_in.with_method(name, METHODS[name])
    raise missing(__name__, name)
