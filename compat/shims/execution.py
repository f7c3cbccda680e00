"""ComfyUI's `execution`: the names plugins import from it, over our own executor and queue.

Prompts are executed by engine.graph.executor, which looks nothing up here: replacing a function of this module changes
what other plugins find under the name, not how prompts run.
"""

import inspect
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from comfy_execution.graph_utils import ExecutionBlocker

from compat.host import host
from compat.prompt_queue import PromptQueue
from compat.prompt_server import PromptServer
from engine.errors import Cancelled

__all__ = [
    "MAXIMUM_HISTORY_SIZE",
    "ExecutionBlocker",
    "ExecutionResult",
    "PromptExecutor",
    "PromptQueue",
    "full_type_name",
    "get_output_data",
    "merge_result_data",
    "validate_prompt",
]

MAXIMUM_HISTORY_SIZE = 10000
"""Source: protocol.md, section 3, GET /history."""


class ExecutionResult(Enum):
    """How a node went."""

    SUCCESS = 0
    FAILURE = 1
    PENDING = 2


class PromptExecutor:
    """What plugins keep references to; the work is done elsewhere."""

    def __init__(self, server: Any = None, *args: Any, **kwargs: Any) -> None:
        self.server = server or PromptServer.instance
        self.success = True
        self.status_messages: list[tuple[str, Any]] = []

    def add_message(self, event: str, data: Mapping[str, Any], broadcast: bool) -> None:
        """Sends a message to the client of the prompt, or to all."""
        self.status_messages.append((event, dict(data)))
        if self.server.client_id is not None or broadcast:
            self.server.send_sync(event, dict(data), None if broadcast else self.server.client_id)

    def handle_execution_error(
        self,
        prompt_id: str,
        prompt: Mapping[str, Any],
        current_outputs: Any,
        executed: Any,
        error: Mapping[str, Any],
        ex: BaseException,
    ) -> None:
        """Tells the client that a node failed, or that the prompt was stopped."""
        node = str(error.get("node_id", ""))
        told = {
            "prompt_id": prompt_id,
            "node_id": node,
            "node_type": prompt.get(node, {}).get("class_type", ""),
            "executed": list(executed),
        }
        self.success = False
        if isinstance(ex, Cancelled):
            self.add_message("execution_interrupted", told, broadcast=True)
            return
        more = {name: error.get(name) for name in ("exception_message", "exception_type", "traceback")}
        inputs = error.get("current_inputs", {})
        self.add_message(
            "execution_error",
            {**told, **more, "current_inputs": inputs, "current_outputs": list(current_outputs)},
            broadcast=False,
        )


def full_type_name(klass: type) -> str:
    """A class's name with its module, without `builtins.`."""
    module = klass.__module__
    return klass.__qualname__ if module == "builtins" else f"{module}.{klass.__qualname__}"


async def get_output_data(
    prompt_id: str,
    unique_id: str,
    obj: Any,
    input_data_all: Mapping[str, list[Any]],
    execution_block_cb: Callable[[Any], Any] | None = None,
    pre_execute_cb: Callable[[int], None] | None = None,
    hidden_inputs: Mapping[str, Any] | None = None,
) -> tuple[list[list[Any]], dict[str, list[Any]], bool, bool]:
    """Calls a node's function over lists of inputs, as the executor would.

    Returns: a list of values per output, what is shown, whether a call expanded into a graph, and False: every call has
    been waited for.
    """
    results: list[Any] = []
    for index, arguments in enumerate(_calls(obj, input_data_all)):
        blocked = next((each for each in arguments.values() if isinstance(each, ExecutionBlocker)), None)
        if blocked is not None:
            results.append(execution_block_cb(blocked) if execution_block_cb is not None else blocked)
            continue
        if pre_execute_cb is not None:
            pre_execute_cb(index)
        result = getattr(obj, obj.FUNCTION)(**arguments)
        results.append(await result if inspect.isawaitable(result) else result)
    return merge_result_data(results, obj)


def merge_result_data(results: list[Any], obj: Any) -> tuple[list[list[Any]], dict[str, list[Any]], bool, bool]:
    """What several calls of a node returned, as a list of values per output; see `get_output_data`."""
    width = len(obj.RETURN_TYPES)
    is_list = tuple(getattr(obj, "OUTPUT_IS_LIST", ())) or (False,) * width
    outputs: list[list[Any]] = [[] for _ in range(width)]
    shown: dict[str, list[Any]] = {}
    has_graph = False
    for each in results:
        result = each
        if isinstance(each, dict):
            for key, values in (each.get("ui") or {}).items():
                shown.setdefault(key, []).extend(values)
            has_graph = has_graph or "expand" in each
            result = each.get("result", ())
        if isinstance(result, ExecutionBlocker):
            result = (result,) * width
        for slot, value in enumerate(result or ()):
            listed = is_list[slot] and not isinstance(value, ExecutionBlocker)
            outputs[slot].extend(value if listed else [value])
    return outputs, shown, has_graph, False


async def validate_prompt(
    prompt_id: str, prompt: Mapping[str, Any], partial_execution_list: list[str] | None = None
) -> tuple[bool, Any, list[str], Mapping[str, Any]]:
    """Whether a prompt can run. Returns: that, the error or None, its output nodes, and errors by node."""
    found = host().engine.check(prompt, partial_execution_list)
    return bool(found["accepted"]), found["error"], list(found["outputs"]), found["node_errors"]


def _calls(obj: Any, inputs: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    """The arguments of each call: as many as the longest list, shorter ones repeat their last."""
    if getattr(obj, "INPUT_IS_LIST", False):
        return [dict(inputs)]
    longest = max((len(each) for each in inputs.values()), default=1)
    return [{name: each[min(index, len(each) - 1)] for name, each in inputs.items()} for index in range(longest)]


def __getattr__(name: str) -> Any:
    from compat.missing import missing

    raise missing(__name__, name)
