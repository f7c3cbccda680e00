"""ComfyUI's wrappers and callbacks: functions that plugins put around sampling, by kind and by key.

A wrapper is fn(executor, *arguments) and goes on with executor(*arguments). Wrappers and callbacks are kept as
{kind: {key: [functions]}}, in a patcher or in `transformer_options`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from compat.missing import missing

Function = Callable[..., Any]
Kept = dict[str, dict[str | None, list[Function]]]


class CallbacksMP:
    """The moments at which a patcher calls back."""

    ON_CLONE = "on_clone"
    ON_LOAD = "on_load_after"
    ON_DETACH = "on_detach_after"
    ON_CLEANUP = "on_cleanup"
    ON_PRE_RUN = "on_pre_run"
    ON_PREPARE_STATE = "on_prepare_state"
    ON_APPLY_HOOKS = "on_apply_hooks"
    ON_REGISTER_ALL_HOOK_PATCHES = "on_register_all_hook_patches"
    ON_INJECT_MODEL = "on_inject_model"
    ON_EJECT_MODEL = "on_eject_model"

    @classmethod
    def init_callbacks(cls) -> Kept:
        """No callbacks yet, of any kind."""
        return {}


class WrappersMP:
    """What can be wrapped."""

    OUTER_SAMPLE = "outer_sample"
    PREPARE_SAMPLING = "prepare_sampling"
    SAMPLER_SAMPLE = "sampler_sample"
    PREDICT_NOISE = "predict_noise"
    CALC_COND_BATCH = "calc_cond_batch"
    APPLY_MODEL = "apply_model"
    DIFFUSION_MODEL = "diffusion_model"

    @classmethod
    def init_wrappers(cls) -> Kept:
        """No wrappers yet, of any kind."""
        return {}


def add_callback(
    call_type: str, callback: Function, transformer_options: dict[str, Any], is_model_options: bool = False
) -> None:
    """Adds a callback without a key."""
    add_callback_with_key(call_type, None, callback, transformer_options, is_model_options)


def add_callback_with_key(
    call_type: str,
    key: str | None,
    callback: Function,
    transformer_options: dict[str, Any],
    is_model_options: bool = False,
) -> None:
    """Adds a callback under a key, by which it can be found and taken away."""
    _add("callbacks", call_type, key, callback, transformer_options, is_model_options)


def get_callbacks_with_key(
    call_type: str, key: str | None, transformer_options: dict[str, Any], is_model_options: bool = False
) -> list[Function]:
    """The callbacks of a kind under a key."""
    return _kept("callbacks", transformer_options, is_model_options).get(call_type, {}).get(key, [])


def get_all_callbacks(
    call_type: str, transformer_options: dict[str, Any], is_model_options: bool = False
) -> list[Function]:
    """The callbacks of a kind, in the order of their keys."""
    return _all("callbacks", call_type, transformer_options, is_model_options)


def add_wrapper(
    wrapper_type: str, wrapper: Function, transformer_options: dict[str, Any], is_model_options: bool = False
) -> None:
    """Adds a wrapper without a key."""
    add_wrapper_with_key(wrapper_type, None, wrapper, transformer_options, is_model_options)


def add_wrapper_with_key(
    wrapper_type: str,
    key: str | None,
    wrapper: Function,
    transformer_options: dict[str, Any],
    is_model_options: bool = False,
) -> None:
    """Adds a wrapper under a key, by which it can be found and taken away."""
    _add("wrappers", wrapper_type, key, wrapper, transformer_options, is_model_options)


def get_wrappers_with_key(
    wrapper_type: str, key: str | None, transformer_options: dict[str, Any], is_model_options: bool = False
) -> list[Function]:
    """The wrappers of a kind under a key."""
    return _kept("wrappers", transformer_options, is_model_options).get(wrapper_type, {}).get(key, [])


def get_all_wrappers(
    wrapper_type: str, transformer_options: dict[str, Any], is_model_options: bool = False
) -> list[Function]:
    """The wrappers of a kind, in the order of their keys."""
    return _all("wrappers", wrapper_type, transformer_options, is_model_options)


def _options(given: dict[str, Any], is_model_options: bool) -> dict[str, Any]:
    inner: dict[str, Any] = given.setdefault("transformer_options", {}) if is_model_options else given
    return inner


def _add(kind: str, name: str, key: str | None, function: Function, options: dict[str, Any], is_model: bool) -> None:
    kept: Kept = _options(options, is_model).setdefault(kind, {})
    kept.setdefault(name, {}).setdefault(key, []).append(function)


def _kept(kind: str, options: Mapping[str, Any], is_model: bool) -> Kept:
    inner = options.get("transformer_options", {}) if is_model else options
    kept: Kept = inner.get(kind, {})
    return kept


def _all(kind: str, name: str, options: Mapping[str, Any], is_model: bool) -> list[Function]:
    return [each for functions in _kept(kind, options, is_model).get(name, {}).values() for each in functions]


class WrapperExecutor:
    """A function with wrappers around it, seen from one of them: calling it goes on inwards.

    `class_obj` is the object whose method is wrapped.
    """

    def __init__(self, original: Function, class_obj: object, wrappers: list[Function], idx: int = 0) -> None:
        self.original = original
        self.class_obj = class_obj
        self.wrappers = list(wrappers)
        self.idx = idx
        self.is_last = idx == len(self.wrappers)

    @classmethod
    def new_executor(cls, original: Function, wrappers: list[Function], idx: int = 0) -> "WrapperExecutor":
        """Around a plain function."""
        return cls(original, None, wrappers, idx)

    @classmethod
    def new_class_executor(
        cls, original: Function, class_obj: object, wrappers: list[Function], idx: int = 0
    ) -> "WrapperExecutor":
        """Around a method of an object."""
        return cls(original, class_obj, wrappers, idx)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Goes on with the next wrapper, or the function itself."""
        return type(self)(self.original, self.class_obj, self.wrappers, self.idx + 1).execute(*args, **kwargs)

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the wrapper that it is the turn of, or the function itself when all have had theirs."""
        if self.is_last:
            return self.original(*args, **kwargs)
        return self.wrappers[self.idx](self, *args, **kwargs)


class PatcherInjection:
    """Two functions (patcher) → None: what puts something into a loaded model, and what takes it out again."""

    def __init__(self, inject: Function, eject: Function) -> None:
        self.inject = inject
        self.eject = eject


def copy_nested_dicts(input_dict: Mapping[Any, Any]) -> dict[Any, Any]:
    """A copy whose dictionaries and lists are its own; what lies in them is shared."""
    return {key: _copied(value) for key, value in input_dict.items()}


def merge_nested_dicts(dict1: dict[Any, Any], dict2: Mapping[Any, Any], copy_dict1: bool = True) -> dict[Any, Any]:
    """The first with the second in it: dictionaries merge, lists are joined, anything else of the second wins."""
    merged = copy_nested_dicts(dict1) if copy_dict1 else dict1
    for key, value in dict2.items():
        there = merged.get(key)
        if isinstance(value, dict) and isinstance(there, dict):
            merged[key] = merge_nested_dicts(there, value, copy_dict1=False)
        elif isinstance(value, list) and isinstance(there, list):
            merged[key] = [*there, *value]
        else:
            merged[key] = _copied(value)
    return merged


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return copy_nested_dicts(value)
    return list(value) if isinstance(value, list) else value


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
