"""Prompts written in Python."""

import pytest

from engine.errors import PromptError
from engine.graph.builder import Builder
from engine.graph.prompt import Link, Prompt


def test_nodes_are_wired_by_handle_and_by_slot() -> None:
    graph = Builder()
    checkpoint = graph.node("Load", ckpt_name="a.safetensors")
    text = graph.node("Encode", title="prompt", text="cat", clip=checkpoint.out(1))
    graph.node("Sample", model=checkpoint, positive=text)
    assert graph.prompt() == Prompt.from_json(
        {
            "1": {"class_type": "Load", "inputs": {"ckpt_name": "a.safetensors"}},
            "2": {"class_type": "Encode", "inputs": {"text": "cat", "clip": ["1", 1]}, "_meta": {"title": "prompt"}},
            "3": {"class_type": "Sample", "inputs": {"model": ["1", 0], "positive": ["2", 0]}},
        }
    )


def test_ids_are_the_same_each_time_and_begin_with_the_prefix() -> None:
    def build() -> list[str]:
        graph = Builder("7.0.0.")
        return [graph.node("A").id, graph.node("A", id="end").id, graph.node("A").id]

    assert build() == build() == ["7.0.0.1", "7.0.0.end", "7.0.0.2"]


def test_a_number_that_was_taken_by_hand_is_passed_over() -> None:
    graph = Builder()
    graph.node("A", id="1")
    assert graph.node("A").id == "2"


def test_an_id_is_taken_only_once() -> None:
    graph = Builder()
    graph.node("A", id="x")
    with pytest.raises(PromptError, match="'x' already"):
        graph.node("A", id="x")


def test_inputs_with_any_name_and_lists_as_values_are_written() -> None:
    graph = Builder()
    graph.add("A", {"class_type": "x", "my input": [1, 2]})
    assert graph.to_json() == {
        "1": {"class_type": "A", "inputs": {"class_type": "x", "my input": {"__value__": [1, 2]}}}
    }


def test_an_input_can_be_set_later_so_that_a_loop_can_be_closed() -> None:
    graph = Builder()
    first = graph.node("A", x=1)
    second = graph.node("A", x=first)
    graph.set(first, "x", second)
    assert graph.prompt()["1"].inputs == {"x": Link("2", 0)}
