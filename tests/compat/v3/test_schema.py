from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.graph.describe import describe, read, snapshot

IDS = st.lists(st.text("abcdefgh_", min_size=1, max_size=6), max_size=8, unique=True)
KINDS = st.sampled_from(["Int", "Float", "String", "Boolean", "Image", "Model", "AnyType", "Combo"])


@pytest.mark.usefixtures("names")
@given(ids=IDS, data=st.data())
def test_every_schema_becomes_the_same_inputs_in_the_same_order(ids: list[str], data: st.DataObject) -> None:
    kinds = [data.draw(KINDS) for _ in ids]
    optional = [data.draw(st.booleans()) for _ in ids]
    check(ids, kinds, optional)


def check(ids: list[str], kinds: list[str], optional: list[bool]) -> None:
    from comfy_api.latest import io

    from compat.v3.adapter import node_type

    class Node(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> Any:
            each = zip(ids, kinds, optional, strict=True)
            return io.Schema("Node", inputs=[getattr(io, kind).Input(id, optional=free) for id, kind, free in each])

    types = Node.INPUT_TYPES()
    for section, is_free in (("required", False), ("optional", True)):
        wanted = [id for id, free in zip(ids, optional, strict=True) if free is is_free]
        assert [*types.get(section, {})] == wanted
    made = node_type(Node, "custom_nodes.x")
    assert [each.name for each in made.inputs] == [*types["required"], *types.get("optional", {})]
    assert [each.required for each in made.inputs] == sorted((not free for free in optional), reverse=True)
    by_id = dict(zip(ids, kinds, strict=True))
    assert {each.name: str(each.type) for each in made.inputs} == {
        id: getattr(io, kind).io_type for id, kind in by_id.items()
    }
    again = read(snapshot(made))
    assert describe(again) == describe(made)
    assert [(each.name, each.type, each.required, each.options) for each in again.inputs] == [
        (each.name, each.type, each.required, each.options) for each in made.inputs
    ]
