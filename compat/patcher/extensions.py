"""The side of a ModelPatcher that plugins hang things on: callbacks, wrappers, injections, attachments, models."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from comfy.patcher_extension import CallbacksMP, PatcherInjection

Function = Callable[..., Any]
Kept = dict[str, dict[str | None, list[Function]]]


class ExtensionsSide:
    """What is kept by key, so that its plugin finds it again."""

    callbacks: Kept
    wrappers: Kept
    injections: dict[str, list[PatcherInjection]]
    attachments: dict[str, Any]
    additional_models: dict[str, list[Any]]
    is_injected: bool
    skip_injection: bool
    model: Any

    def add_callback(self, call_type: str, callback: Function) -> None:
        """A callback without a key."""
        self.add_callback_with_key(call_type, None, callback)

    def add_callback_with_key(self, call_type: str, key: str | None, callback: Function) -> None:
        """A callback under a key."""
        self.callbacks.setdefault(call_type, {}).setdefault(key, []).append(callback)

    def remove_callbacks_with_key(self, call_type: str, key: str) -> None:
        """Takes the callbacks of a kind under a key away."""
        self.callbacks.get(call_type, {}).pop(key, None)

    def get_callbacks(self, call_type: str, key: str | None) -> list[Function]:
        """The callbacks of a kind under a key."""
        return self.callbacks.get(call_type, {}).get(key, [])

    def get_all_callbacks(self, call_type: str) -> list[Function]:
        """The callbacks of a kind."""
        return [each for functions in self.callbacks.get(call_type, {}).values() for each in functions]

    def add_wrapper(self, wrapper_type: str, wrapper: Function) -> None:
        """A wrapper without a key."""
        self.add_wrapper_with_key(wrapper_type, None, wrapper)

    def add_wrapper_with_key(self, wrapper_type: str, key: str | None, wrapper: Function) -> None:
        """A wrapper under a key."""
        self.wrappers.setdefault(wrapper_type, {}).setdefault(key, []).append(wrapper)

    def remove_wrappers_with_key(self, wrapper_type: str, key: str) -> None:
        """Takes the wrappers of a kind under a key away."""
        self.wrappers.get(wrapper_type, {}).pop(key, None)

    def get_wrappers(self, wrapper_type: str, key: str | None) -> list[Function]:
        """The wrappers of a kind under a key."""
        return self.wrappers.get(wrapper_type, {}).get(key, [])

    def get_all_wrappers(self, wrapper_type: str) -> list[Function]:
        """The wrappers of a kind."""
        return [each for functions in self.wrappers.get(wrapper_type, {}).values() for each in functions]

    def set_attachments(self, key: str, attachment: Any) -> None:
        """Keeps an object with the model; one with `on_model_patcher_clone()` is cloned by that."""
        self.attachments[key] = attachment

    def remove_attachments(self, key: str) -> None:
        """Lets go of an object."""
        self.attachments.pop(key, None)

    def get_attachment(self, key: str) -> Any:
        """The object under a key, or None."""
        return self.attachments.get(key)

    def set_additional_models(self, key: str, models: list[Any]) -> None:
        """Patchers to load together with this one."""
        self.additional_models[key] = models

    def remove_additional_models(self, key: str) -> None:
        """Lets go of them."""
        self.additional_models.pop(key, None)

    def get_additional_models_with_key(self, key: str) -> list[Any]:
        """Those under a key."""
        return self.additional_models.get(key, [])

    def get_additional_models(self) -> list[Any]:
        """All of them."""
        return [each for models in self.additional_models.values() for each in models]

    def get_nested_additional_models(self) -> list[Any]:
        """All of them, theirs, and so on, each once."""
        found: list[Any] = []
        waiting = self.get_additional_models()
        while waiting:
            one = waiting.pop(0)
            if not any(one is each for each in found):
                found.append(one)
                waiting += one.get_additional_models()
        return found

    def set_injections(self, key: str, injections: list[PatcherInjection]) -> None:
        """Functions that put something into the model while it is loaded."""
        self.injections[key] = injections

    def remove_injections(self, key: str) -> None:
        """Lets go of them."""
        self.injections.pop(key, None)

    def get_injections(self, key: str) -> list[PatcherInjection] | None:
        """Those under a key."""
        return self.injections.get(key)

    def inject_model(self) -> None:
        """Puts in what plugins want in a loaded model."""
        if self.is_injected or self.skip_injection:
            return
        for injections in self.injections.values():
            for injection in injections:
                injection.inject(self)
                self.is_injected = True
        if self.is_injected:
            for callback in self.get_all_callbacks(CallbacksMP.ON_INJECT_MODEL):
                callback(self)

    def eject_model(self) -> None:
        """Takes it out again."""
        if not self.is_injected:
            return
        for injections in self.injections.values():
            for injection in injections:
                injection.eject(self)
        self.is_injected = False
        for callback in self.get_all_callbacks(CallbacksMP.ON_EJECT_MODEL):
            callback(self)

    @contextmanager
    def use_ejected(self, skip_and_inject_on_exit_only: bool = False) -> Iterator[None]:
        """While the block lasts the model is as it was made; then what was in it is put in again.

        With skip_and_inject_on_exit_only nothing is put in inside the block either, and all of it at the end.
        """
        was_injected, before = self.is_injected, self.skip_injection
        self.eject_model()
        if skip_and_inject_on_exit_only:
            self.skip_injection = True
        try:
            yield
        finally:
            self.skip_injection = before
            if skip_and_inject_on_exit_only or was_injected:
                self.inject_model()
