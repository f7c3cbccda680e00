"""Choices that bring inputs: what a prompt spells with dots becomes the object that a node's function asks for."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any


def gathered(function: Callable[..., Any], variants: Mapping[str, Mapping[str, type]]) -> Callable[..., Any]:
    """The function called with names as a prompt spells them: `mode` and `mode.strength` become one object."""

    def gather(inputs: dict[str, Any]) -> dict[str, Any]:
        for name, kinds in variants.items():
            inside = {each: inputs.pop(each) for each in [*inputs] if each.startswith(f"{name}.")}
            if inputs.get(name) is not None:
                made = kinds[inputs[name]]
                inputs[name] = made(**{each.removeprefix(f"{name}."): value for each, value in inside.items()})
        return inputs

    if inspect.iscoroutinefunction(function):

        async def wait(**inputs: Any) -> Any:
            return await function(**gather(inputs))

        return wait
    return lambda **inputs: function(**gather(inputs))
