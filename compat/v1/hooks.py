"""The author's other functions: what may be typed in, when a result is out of date, which inputs are needed."""

import inspect
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from compat.host import host
from compat.v1.calling import LET_THROUGH, RUN, Manner, tamed
from engine.graph.run import Run

__tracebackhide__ = True  # engine.graph.failure begins an author's traceback below these frames

Hook = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Check:
    """VALIDATE_INPUTS. names: the inputs it takes (None: all); takes_link_types: it compares types itself."""

    function: Hook | None = None
    names: tuple[str, ...] | None = ()
    takes_link_types: bool = False


def check(cls: Any, manner: Manner) -> Check:
    """The author's check, with the arguments that it asks for."""
    hook = getattr(cls, "VALIDATE_INPUTS", None)
    if hook is None:
        return Check()
    parameters = inspect.signature(hook).parameters.values()
    named = [each.name for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
    takes_all = any(each.kind is each.VAR_KEYWORD for each in parameters)
    # An optional input that the prompt leaves out, for a hook that does not expect it: as a link is, None.
    absent = {each.name: None for each in parameters if each.name in named and each.default is inspect.Parameter.empty}

    def validate(**inputs: Any) -> Any:
        inputs.pop(RUN, None)
        manner.fill(inputs)
        try:
            return cls.VALIDATE_INPUTS(**{**absent, **inputs})
        except LET_THROUGH:
            raise
        except BaseException as error:  # noqa: BLE001 -- an author's code, SystemExit too
            raise tamed(error) from None

    names = None if takes_all else tuple(name for name in named if name != "input_types")
    return Check(validate, names, "input_types" in named)


def fingerprint(cls: Any, manner: Manner) -> Hook | None:
    """IS_CHANGED; it gets every input."""
    # ComfyUI: one that does not take them all raises, and an exception counts as NaN: the node always runs.
    if getattr(cls, "IS_CHANGED", None) is None:
        return None

    def is_changed(**inputs: Any) -> Any:
        run = inputs.pop(RUN, None)
        manner.fill(inputs)
        with _node(run):
            try:
                value = cls.IS_CHANGED(**inputs)
            except LET_THROUGH:
                raise
            except BaseException as error:  # noqa: BLE001 -- an author's code, SystemExit too
                raise tamed(error) from None
        return _scalar_later(value) if inspect.isawaitable(value) else _scalar(value)

    return is_changed


def check_lazy(cls: Any, manner: Manner) -> Callable[..., Sequence[str]] | None:
    """check_lazy_status; a method of the node's object."""
    if getattr(cls, "check_lazy_status", None) is None:
        return None

    def needs(instance: Any, /, **inputs: Any) -> Any:
        run = inputs.pop(RUN, None)
        manner.dress(inputs)
        if manner.input_is_list:
            inputs = {name: (None,) if _is_absent(value) else value for name, value in inputs.items()}
        with _node(run):
            try:
                names = instance.check_lazy_status(**inputs)
            except LET_THROUGH:
                raise
            except BaseException as error:  # noqa: BLE001 -- an author's code, SystemExit too
                raise tamed(error) from None
        return _names_later(names, run) if inspect.isawaitable(names) else _names(names)

    return needs


def _node(run: Run | None) -> AbstractContextManager[None]:
    return nullcontext() if run is None else host().node(run)


def _is_absent(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 1 and value[0] is None


def _names(names: Any) -> list[str]:
    if names is None:
        return []
    return [names] if isinstance(names, str) else [*names]


async def _names_later(names: Any, run: Run | None) -> list[str]:
    with _node(run):
        return _names(await names)


async def _scalar_later(value: Any) -> Any:
    return _scalar(await value)


def _scalar(value: Any) -> Any:
    """A number out of an array or tensor that holds one: NaN is NaN wherever it comes from."""
    return value.item() if getattr(value, "shape", None) == () and callable(getattr(value, "item", None)) else value
