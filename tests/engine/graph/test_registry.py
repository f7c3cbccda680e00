"""Node types by id: taken once, suggested when misspelled."""

import pytest

from engine.errors import NodeTypeError, PromptError
from engine.graph.nodetype import NodeType
from engine.graph.registry import Registry

KSAMPLER = NodeType("KSampler", display_name="KSampler")
ADVANCED = NodeType("KSamplerAdvanced", display_name="KSampler (Advanced)")
SAVE = NodeType("SaveImage", display_name="Save Image")


def test_node_types_are_found_by_id_in_the_order_they_came() -> None:
    registry = Registry([KSAMPLER, SAVE])
    registry.add(ADVANCED)
    assert list(registry) == [KSAMPLER, SAVE, ADVANCED]
    assert registry["SaveImage"] is SAVE
    assert registry.get("Nothing") is None
    assert "KSampler" in registry
    assert len(registry) == 3


def test_an_id_is_taken_only_once() -> None:
    registry = Registry([KSAMPLER])
    with pytest.raises(NodeTypeError, match=r"'KSampler': one from nodes, one from custom_nodes\.mine"):
        registry.add(NodeType("KSampler", python_module="custom_nodes.mine"))
    assert registry["KSampler"] is KSAMPLER


def test_an_id_is_needed() -> None:
    with pytest.raises(NodeTypeError, match="has no id"):
        Registry([NodeType("")])


@pytest.mark.parametrize(
    ("spelled", "near"),
    [("ksampler", "KSampler"), ("Ksamper", "KSampler"), ("Save Image", "SaveImage"), ("saveimages", "SaveImage")],
)
def test_a_misspelled_id_finds_its_neighbour(spelled: str, near: str) -> None:
    assert Registry([KSAMPLER, ADVANCED, SAVE]).near(spelled)[0] == near


def test_a_strange_id_finds_nothing() -> None:
    assert Registry([KSAMPLER, SAVE]).near("x" * 1_000_000) == []


def test_asking_for_an_unknown_id_names_the_near_ones_and_is_a_key_error_too() -> None:
    registry = Registry([KSAMPLER, SAVE])
    with pytest.raises(PromptError, match=r"^there is no node type 'KSamplr'; did you mean KSampler\?$"):
        registry["KSamplr"]
    with pytest.raises(KeyError, match="is a plugin missing"):
        registry["Quux"]
