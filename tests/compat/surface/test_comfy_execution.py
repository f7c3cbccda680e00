"""comfy_execution and comfy.comfy_types: the members that plugins use, by what they do."""

from typing import Any

import pytest

from compat.host import Host
from engine.graph.expansion import DynamicPrompt
from engine.graph.nodetype import Blocked, Input, NodeType
from engine.graph.prompt import Prompt


def node(id: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": id, "inputs": inputs}


@pytest.fixture
def lazy(host: Host) -> None:
    """A node type with lazy inputs."""
    inputs = (Input("yes", "INT", options={"lazy": True}), Input("no", "INT", options={"lazy": True}))
    host.registry.put(NodeType("V1Switch", inputs=inputs))


def test_a_blocker_becomes_ours_and_comes_back(host: Host) -> None:
    from comfy_execution.graph import ExecutionBlocker
    from comfy_execution.graph_utils import ExecutionBlocker as SAME

    from compat.crossing import enter, leave

    assert ExecutionBlocker is SAME
    assert leave(ExecutionBlocker("why")) == Blocked("why")
    assert leave(ExecutionBlocker(None)) == Blocked(None)
    back = enter(Blocked("why"))
    assert isinstance(back, ExecutionBlocker)
    assert back.message == "why"


def test_a_builder_counts_its_nodes_and_its_graphs(host: Host) -> None:
    from comfy_execution.graph_utils import GraphBuilder

    GraphBuilder.set_default_prefix("7", 2, 0)
    first, second = GraphBuilder(), GraphBuilder()
    assert (first.prefix, second.prefix) == ("7.2.0.", "7.2.1.")
    assert GraphBuilder.alloc_prefix() == "7.2.2."
    assert GraphBuilder.alloc_prefix("8", 1, 4) == "8.1.4."
    assert GraphBuilder().prefix == "7.2.3."
    own = GraphBuilder("mine.")
    one, two = own.node("A", x=1), own.node("B", "name", y=None, image="i")
    assert (one.id, two.id, own.id_gen) == ("mine.1", "mine.name", 2)
    assert own.node("C", "name") is two
    assert own.node("C").id == "mine.2"
    assert own.lookup_node("name") is two
    assert own.lookup_node("mine.name") is None
    assert (one.out(1), two.get_input("image"), two.get_input("none")) == (["mine.1", 1], "i", None)


def test_a_builder_rewires_and_removes(host: Host) -> None:
    from comfy_execution.graph_utils import GraphBuilder, is_link

    graph = GraphBuilder("")
    one = graph.node("A")
    two = graph.node("B", a=one.out(0), b=one.out(1), c=one.out(0))
    graph.replace_node_output("1", 0, ["9", 3])
    assert two.inputs == {"a": ["9", 3], "b": ["1", 1], "c": ["9", 3]}
    graph.replace_node_output("1", 1, None)
    assert two.inputs == {"a": ["9", 3], "c": ["9", 3]}
    two.set_input("c", None)
    two.set_input("d", 5)
    two.set_override_display_id("x")
    graph.remove_node("1")
    written = {"class_type": "B", "inputs": {"a": ["9", 3], "d": 5}, "override_display_id": "x"}
    assert graph.finalize() == {"2": written}
    assert is_link(["1", 0])
    assert is_link(["1", 0.0])
    assert not is_link(("1", 0))
    assert not is_link([1, 0])
    assert not is_link(["1", 0, 0])


def test_a_prefix_goes_before_every_id_and_every_link(host: Host) -> None:
    from comfy_execution.graph_utils import add_graph_prefix

    graph = {"1": node("A", x=1), "2": {**node("B", x=["1", 0], y=[1, 2]), "override_display_id": "7"}}
    renamed, outputs = add_graph_prefix(graph, (["2", 1], 5), "p.")
    assert renamed == {
        "p.1": node("A", x=1),
        "p.2": {**node("B", x=["p.1", 0], y=[1, 2]), "override_display_id": "7"},
    }
    assert outputs == (["p.2", 1], 5)
    assert graph["2"]["inputs"]["x"] == ["1", 0]


@pytest.mark.usefixtures("lazy")
def test_an_order_can_be_made_of_a_prompt() -> None:
    from comfy_execution.graph import DynamicPrompt as Offered
    from comfy_execution.graph import ExecutionList, NodeNotFoundError, TopologicalSort

    assert Offered is DynamicPrompt
    prompt = {"1": node("V1Add", a=1), "2": node("V1Add", a=["1", 0]), "3": node("V1Add", a=["1", 0], b=["2", 0])}
    dynamic = DynamicPrompt(Prompt.from_json(prompt))
    with pytest.raises(NodeNotFoundError):
        dynamic.get_node("9")
    order = TopologicalSort(dynamic)
    order.add_node("3")
    taken = []
    while not order.is_empty():
        (ready,) = order.get_ready_nodes()
        taken.append(ready)
        order.pop_node(ready)
    assert taken == ["1", "2", "3"]
    staged = ExecutionList(dynamic)
    staged.add_node("2")
    switch = {"x": node("V1Switch", flag=True, yes=["1", 0], no=["2", 0]), **prompt}
    lazy = TopologicalSort(DynamicPrompt(Prompt.from_json(switch)))
    lazy.add_node("x")
    assert lazy.get_ready_nodes() == ["x"]  # lazy inputs are not waited for
    lazy.make_input_strong_link("x", "no")
    assert lazy.get_ready_nodes() == ["1"]


def test_types_are_compared_as_comfyui_compares_them(host: Host) -> None:
    from comfy_execution.validation import validate_node_input

    class Anything(str):
        def __ne__(self, other: object) -> bool:
            return False

    assert validate_node_input("INT", "INT")
    assert validate_node_input("INT", Anything("*"))
    assert not validate_node_input("INT", "*")
    assert validate_node_input("INT,FLOAT", "FLOAT,STRING")
    assert not validate_node_input("INT,FLOAT", "FLOAT,STRING", strict=True)
    assert validate_node_input("FLOAT", "FLOAT,STRING", strict=True)
    assert not validate_node_input("INT", ["a"])


def test_io_names_types_and_compares_them_leniently(host: Host) -> None:
    from comfy.comfy_types import IO
    from comfy.comfy_types.node_typing import IO as SAME

    assert IO is SAME
    assert (IO.INT, IO.ANY, IO.NUMBER) == ("INT", "*", "FLOAT,INT")
    assert IO.PRIMITIVE.split(",") == ["STRING", "FLOAT", "INT", "BOOLEAN"]
    assert not (IO.ANY != "IMAGE")  # noqa: SIM202
    assert not (IO.IMAGE != "*")  # noqa: SIM202
    assert not (IO.NUMBER != "INT")  # noqa: SIM202
    assert not (IO.INT != "INT,FLOAT")  # noqa: SIM202
    assert IO.INT != "IMAGE"
    assert IO.NUMBER != "INT,STRING"
    assert f"{IO.LATENT}" == "LATENT"


def test_what_is_not_offered_is_named(host: Host) -> None:
    with pytest.raises(ImportError, match="HierarchicalCache"):
        from comfy_execution.caching import HierarchicalCache  # noqa: F401
    import comfy_execution.graph as graph

    with pytest.raises(AttributeError, match=r"comfy_execution\.graph\.Unheard"):
        _ = graph.Unheard
