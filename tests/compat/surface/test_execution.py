"""`execution`: the names that plugins import, keep and replace."""

import asyncio
from typing import Any

import pytest

from compat.host import Host, Work
from engine.errors import Cancelled


class Doubles:
    FUNCTION = "go"
    RETURN_TYPES = ("INT", "INT")
    OUTPUT_IS_LIST = (False, True)

    async def go(self, a: int, b: int) -> Any:
        return {"ui": {"told": [a]}, "result": (a * b, [a, b])}


class Takes:
    FUNCTION = "go"
    RETURN_TYPES = ("INT",)
    INPUT_IS_LIST = (True,)

    def go(self, a: list[int]) -> tuple[int]:
        return (sum(a),)


def test_get_output_data_maps_over_lists_and_joins_what_is_shown(host: Host) -> None:
    import execution

    calls: list[int] = []
    found = asyncio.run(
        execution.get_output_data("p", "1", Doubles(), {"a": [1, 2, 3], "b": [10, 20]}, pre_execute_cb=calls.append)
    )
    assert found == ([[10, 40, 60], [1, 10, 2, 20, 3, 20]], {"told": [1, 2, 3]}, False, False)
    assert calls == [0, 1, 2]
    assert asyncio.run(execution.get_output_data("p", "1", Takes(), {"a": [1, 2, 3]}))[0] == [[6]]


def test_get_output_data_does_not_call_with_a_blocker(host: Host) -> None:
    import execution

    blocker = execution.ExecutionBlocker(None)
    values = asyncio.run(execution.get_output_data("p", "1", Doubles(), {"a": [blocker, 2], "b": [3]}))[0]
    assert values == [[blocker, 6], [blocker, 2, 3]]


def test_an_executor_tells_the_client_of_an_error(host: Host, post: Any) -> None:
    import execution

    from server import PromptServer

    PromptServer.instance.client_id = "me"
    prompt = {"1": {"class_type": "Doubles", "inputs": {}}}
    error = {"node_id": "1", "exception_message": "no", "exception_type": "ValueError", "traceback": []}
    with host.working(Work("p", "me")):
        executor = execution.PromptExecutor(PromptServer.instance)
        executor.handle_execution_error("p", prompt, ["2"], {"2"}, error, ValueError("no"))
        executor.handle_execution_error("p", prompt, [], [], {"node_id": "1"}, Cancelled())
    (first, told, sid), (second, _, everybody) = post.sent
    assert (first, sid, told["node_type"], told["exception_message"]) == ("execution_error", "me", "Doubles", "no")
    assert (second, everybody) == ("execution_interrupted", None)
    assert not executor.success


def test_a_prompt_can_be_validated(host: Host) -> None:
    import execution

    prompt = {"1": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}}}
    is_valid, error, outputs, _ = asyncio.run(execution.validate_prompt("p", prompt))
    assert (is_valid, outputs) == (False, [])
    assert error["type"] == "prompt_no_outputs"


def test_a_name_that_is_not_there_is_named() -> None:
    import execution

    with pytest.raises(AttributeError, match=r"execution\.something_deeper"):
        execution.something_deeper  # noqa: B018 -- that is the point
