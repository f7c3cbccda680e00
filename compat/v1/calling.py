"""Calling an author's function: arguments in ComfyUI's clothes, the node that runs made known, the answer in ours."""

import inspect
from asyncio import CancelledError
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from comfy_execution.graph_utils import GraphBuilder

from compat.crossing import enter
from compat.host import host
from compat.v1.results import PLAIN, result_of
from engine.errors import Cancelled, NodeTypeError
from engine.graph.nodetype import Output
from engine.graph.run import Run

__tracebackhide__ = True  # engine.graph.failure begins an author's traceback below these frames

RUN = "latentwire_run"
"""The hidden input under which the engine hands over the Run; no author sees it."""
SENT_ALONG: Mapping[str, str] = {
    "AUTH_TOKEN_COMFY_ORG": "auth_token_comfy_org",
    "API_KEY_COMFY_ORG": "api_key_comfy_org",
    "COMFY_USAGE_SOURCE": "comfy_usage_source",
}
"""Kinds of hidden inputs that come along with the prompt, and their names there."""


LET_THROUGH = (Exception, Cancelled, CancelledError, KeyboardInterrupt)
"""What the engine knows how to take; whatever else is raised would end the program."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How the functions of a class are called. sent_along: hidden inputs by name, and what they are called there."""

    node_id: str
    outputs: Sequence[Output]
    input_is_list: bool
    sent_along: tuple[tuple[str, str], ...]

    def fill(self, inputs: dict[str, Any]) -> None:
        """Puts in what came along with the prompt, for the functions that are given it."""
        for name, key in self.sent_along:
            if name in inputs:
                value = host().work.extra_data.get(key)
                inputs[name] = [value] if self.input_is_list else value

    def dress(self, inputs: dict[str, Any]) -> None:
        """Puts arguments into the clothes that authors know, item by item where they are lists."""
        self.fill(inputs)
        for name, value in inputs.items():
            if type(value) in PLAIN:
                continue
            if self.input_is_list:
                inputs[name] = [each if type(each) in PLAIN else enter(each) for each in value]
            else:
                inputs[name] = enter(value)


def function(cls: type, name: str, manner: Manner) -> Callable[..., Any]:
    """What the executor calls, with an object of the class and the inputs."""
    if not name:
        return _nameless(manner)
    if inspect.iscoroutinefunction(getattr(cls, name, None)):

        async def call_async(instance: Any, /, **inputs: Any) -> Any:
            run = inputs.pop(RUN)
            with host().node(run):
                _begin(run, manner, inputs)
                method = _method(instance, name, manner)
                return result_of(await _async(method(**inputs)), manner.node_id, manner.outputs)

        return call_async

    def call(instance: Any, /, **inputs: Any) -> Any:
        run = inputs.pop(RUN)
        with host().node(run):
            _begin(run, manner, inputs)
            method = _method(instance, name, manner)
            try:
                returned = method(**inputs)
            except LET_THROUGH:
                raise
            except BaseException as error:  # noqa: BLE001 -- an author's code, SystemExit too
                raise tamed(error) from None
            if type(returned) is not tuple:
                if inspect.isgenerator(returned):
                    returned = _last(returned, run)
                elif inspect.isawaitable(returned) or inspect.isasyncgen(returned):
                    return _later(returned, run, manner)
            return result_of(returned, manner.node_id, manner.outputs)

    return call


def tamed(error: BaseException) -> RuntimeError:
    """An error that takes nobody along but the node, for one that would take the whole program.

    It comes from the same place; to be raised `from None`, so that a traceback shows the author's code and no more.
    """
    if isinstance(error, SystemExit):
        made = RuntimeError("the node's code tried to end the program")
    else:
        made = RuntimeError(f"the node raised {type(error).__name__}, which is no Exception: {error}")
    return made.with_traceback(error.__traceback__)


def _method(instance: Any, name: str, manner: Manner) -> Any:
    """The function that FUNCTION names. Raises: NodeTypeError, where there is none."""
    try:
        return getattr(instance, name)
    except AttributeError as error:
        if hasattr(type(instance), name):
            raise  # a property of the author's that fails
        raise NodeTypeError(
            f"{manner.node_id}: FUNCTION is {name!r}, but class {type(instance).__name__} has no such function; "
            "its author must name one of its own"
        ) from error


def _begin(run: Run, manner: Manner, inputs: dict[str, Any]) -> None:
    GraphBuilder.set_default_prefix(run.node_id, run.call, 0)
    manner.dress(inputs)


async def _later(returned: Any, run: Run, manner: Manner) -> Any:
    """The result of a plain function that returned something to be awaited."""
    with host().node(run):
        GraphBuilder.set_default_prefix(run.node_id, run.call, 0)
        return result_of(await _async(returned), manner.node_id, manner.outputs)


async def _async(returned: Any) -> Any:
    try:
        if not inspect.isasyncgen(returned):
            return await returned
        last = None
        async for each in returned:
            last = each
        return last
    except LET_THROUGH:
        raise
    except BaseException as error:  # noqa: BLE001 -- an author's code, SystemExit too
        raise tamed(error) from None


def _last(steps: Any, run: Run) -> Any:
    """What a generator returns, or else the last it yielded; between two steps the node can be stopped."""
    last = None
    while True:
        try:
            last = next(steps)
        except StopIteration as end:
            return last if end.value is None else end.value
        except LET_THROUGH:
            raise
        except BaseException as error:  # noqa: BLE001 -- an author's code, SystemExit too
            raise tamed(error) from None
        run.stop_if_cancelled()


def _nameless(manner: Manner) -> Callable[..., Any]:
    def call(instance: Any, /, **inputs: Any) -> Any:
        raise NodeTypeError(f"{manner.node_id} names no FUNCTION, so there is nothing to run; its author must name one")

    return call
