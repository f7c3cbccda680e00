"""Nodes that put graphs in their place: ids, display, loops."""

from typing import Any

from engine.graph.events import Executed, Executing
from tests.compat.v1.conftest import Bench


def node(id: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": id, "inputs": inputs}


def test_a_graph_takes_the_place_of_its_node_with_ids_that_repeat(bench: Bench) -> None:
    prompt = {"5": node("V1Expand", a=1, b=2), "s": node("V1Show", value=["5", 0]), "p": node("V1Show", value=["5", 1])}
    outcome = bench.run(prompt).check()
    assert (outcome.ui["s"], outcome.ui["p"]) == ({"text": ["5"]}, {"text": ["5.0.0."]})
    inner = [each for each in bench.of(Executing) if each.parent == "5"]
    assert [each.node for each in inner] == ["5.0.0.1", "5.0.0.second", "5.0.0.2"]
    assert {each.display_node for each in inner} == {"5"}
    assert outcome.ui["5.0.0.2"] == {"text": ["5"]}  # an output node inside is executed too
    again = bench.run(prompt).check()
    assert again.executed == ()
    assert again.ui == outcome.ui


def test_each_call_of_a_mapped_node_has_ids_of_its_own(bench: Bench) -> None:
    prompt = {"1": node("V1List", value=0), "2": node("V1Expand", a=["1", 0], b=1)}
    outcome = bench.run(prompt, targets=["2"]).check()
    assert outcome.values["2"] == ([2, 3, 4], ["2.0.0.", "2.1.0.", "2.2.0."])


def test_a_loop_walks_back_and_repeats_its_body(bench: Bench) -> None:
    prompt = {
        "loop": node("V1Countdown", left=3, body=["show", 0]),
        "show": node("V1Add", a=1, b=1),
        "out": node("V1Show", value=["loop", 0]),
    }
    outcome = bench.run(prompt).check()
    assert outcome.ui["out"] == {"text": ["321"]}
    loops = [each.node for each in bench.of(Executed) if each.node.endswith("Recurse")]
    assert loops[-1] == "loop.0.0.Recurse"
    assert sorted(loops, key=len)[-1] == "loop.0.0.Recurse.0.0.Recurse.0.0.Recurse"


def test_a_graph_written_by_hand_gets_its_prefix(bench: Bench) -> None:
    assert bench.value("V1Prefixed", {"a": 1}) == [12]
    assert {each.node for each in bench.of(Executing)} == {"1", "1.0.0.1", "1.0.0.2"}


def test_async_nodes_keep_their_own_prefix(bench: Bench) -> None:
    import asyncio

    from comfy_execution.graph_utils import GraphBuilder

    class Slow:
        RETURN_TYPES = ("STRING",)
        FUNCTION = "run"

        @classmethod
        def INPUT_TYPES(cls) -> Any:
            return {"required": {"wait": ("FLOAT", {})}}

        async def run(self, wait: float) -> Any:
            await asyncio.sleep(wait)
            return (GraphBuilder().prefix,)

    bench.add(Slow)
    prompt = {"a": node("Slow", wait=0.04), "b": node("Slow", wait=0.01)}
    values = bench.run(prompt, targets=["a", "b"]).check().values
    assert values == {"a": (["a.0.0."],), "b": (["b.0.0."],)}
