import os
import subprocess
import sys
from enum import StrEnum
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.graph.nodetype import Input, NodeType, Output
from engine.graph.prompt import Link, Node
from engine.graph.signature import Signatures, encode, encode_fingerprint
from engine.graph.step import Steps, in_order

ANY = tuple(Input(name, "*", required=False) for name in ("a", "b", "c"))
TYPES = {
    "Add": NodeType("Add", inputs=ANY, outputs=(Output("x", "INT"), Output("y", "INT"))),
    "Mul": NodeType("Mul", inputs=ANY, outputs=(Output("x", "INT"),)),
    "Own": NodeType("Own", inputs=ANY, hidden={"unique_id": "UNIQUE_ID"}),
    "Once": NodeType("Once", inputs=ANY, not_idempotent=True),
    "File": NodeType("File", inputs=ANY, fingerprint=lambda **inputs: 0),
}

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)


def tagged(value):
    """The value with its types, so that == tells 1 from True and from 1.0."""
    if isinstance(value, dict):
        return ("dict", frozenset((tagged(k), tagged(v)) for k, v in value.items()))
    if isinstance(value, list | tuple):
        return (type(value).__name__, tuple(tagged(each) for each in value))
    return (type(value).__name__, repr(value))


def sign(nodes, fingerprint=lambda step: b"", salt=""):
    prompt = {node.id: node for node in nodes}
    steps = Steps(prompt.get, TYPES)
    signatures = Signatures(fingerprint, salt=salt)
    for node in in_order(prompt, lambda each: steps[each].sources):
        signatures.add(steps[node])
    return signatures


def one(class_type="Add", node_id="1", **inputs):
    return sign([Node(node_id, class_type, inputs)])[node_id]


@given(VALUES, VALUES)
def test_values_are_encoded_alike_exactly_when_they_are_alike(first, second):
    assert (encode(first) == encode(second)) == (tagged(first) == tagged(second))


def test_values_that_python_calls_equal_are_kept_apart():
    encoded = {encode(value) for value in (1, 1.0, True, "1", b"1", [1], (1,), {"1": 1}, None, 0, -0.0, 0.0, False, "")}
    assert len(encoded) == 14


def test_order_within_dictionaries_and_sets_does_not_matter():
    assert encode({"a": 1, "b": 2}) == encode({"b": 2, "a": 1})
    assert encode({"x", "y", "z"}) == encode({"z", "y", "x"})


def test_authors_own_texts_are_read_and_other_objects_are_not():
    class Colour(StrEnum):
        RED = "red"

    assert encode(Colour.RED) is not None
    assert encode(Colour.RED) != encode("red")
    assert encode(object()) is None
    assert encode([1, object()]) is None
    assert encode({"a": object()}) is None
    assert encode(object(), lambda value: b"known") is not None


def test_a_value_that_holds_itself_cannot_be_read():
    loop: list = []
    loop.append(loop)
    assert encode(loop) is None


def test_surrogates_and_huge_integers_can_be_read():
    assert encode("\ud800") is not None
    assert encode(10**6000) != encode(10**6000 + 1)


def test_a_fingerprint_of_nan_means_always():
    assert encode_fingerprint(float("nan")) is None
    assert encode_fingerprint([1.0, float("nan")]) is None
    assert encode_fingerprint("abc") == encode("abc")


def test_every_part_of_a_node_counts():
    assert len({one(), one("Mul"), one(a=1), one(a=2), one(b=1), one(a=1, b=1), one(a="1"), one(a=[1])}) == 8


def test_the_id_counts_only_where_results_belong_to_one_node():
    assert one(node_id="1", a=1) == one(node_id="2", a=1)
    assert one("Own", "1") != one("Own", "2")
    assert one("Once", "1") != one("Once", "2")


def test_inputs_the_type_does_not_declare_do_not_count():
    assert one(a=1) == one(a=1, unknown=5)


def test_the_order_of_the_inputs_does_not_count():
    assert one(a=1, b=2) == one(b=2, a=1)


def test_a_link_counts_by_what_is_above_it_and_by_its_slot():
    def end(value, slot=0, source="1"):
        return sign([Node(source, "Add", {"a": value}), Node("2", "Add", {"a": Link(source, slot)})])["2"]

    assert end(1) == end(1, source="x")
    assert len({end(1), end(2), end(1, slot=1)}) == 3


def test_swapped_links_are_another_node():
    base = [Node("1", "Add", {"a": 1}), Node("2", "Add", {"a": 2})]
    assert (
        sign([*base, Node("3", "Add", {"a": Link("1", 0), "b": Link("2", 0)})])["3"]
        != sign([*base, Node("3", "Add", {"a": Link("2", 0), "b": Link("1", 0)})])["3"]
    )


def test_fingerprint_and_salt_count_and_nan_spreads_downwards():
    nodes = [Node("1", "File"), Node("2", "Add", {"a": Link("1", 0)}), Node("3", "Add")]
    assert sign(nodes, lambda step: b"x")["2"] != sign(nodes, lambda step: b"y")["2"]
    assert sign(nodes, salt="v1")["3"] != sign(nodes, salt="v2")["3"]
    never_same = sign(nodes, lambda step: None)
    assert never_same["1"] is None
    assert never_same["2"] is None
    assert never_same["3"] is not None


def test_a_constant_nobody_can_read_spreads_like_nan():
    signatures = sign([Node("1", "Add", {"a": object()}), Node("2", "Add", {"a": Link("1", 0)})])
    assert signatures["1"] is None
    assert signatures["2"] is None


def test_signatures_are_the_same_in_another_process():
    code = (
        "from engine.graph.signature import Signatures; from engine.graph.step import Steps\n"
        "from engine.graph.prompt import Node; from engine.graph.nodetype import NodeType, Input\n"
        "t = NodeType('Add', inputs=(Input('a', '*'), Input('b', '*')))\n"
        "n = Node('1', 'Add', {'a': {'x': 1, 'y': {1, 2, 'z'}}, 'b': 0.1})\n"
        "s = Signatures(lambda step: b''); steps = Steps({'1': n}.get, {'Add': t}); s.add(steps['1']); print(s['1'])"
    )
    root = Path(__file__).parents[3]
    answers = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)}
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, cwd=root
        )
        answers.add(run.stdout.strip())
    assert len(answers) == 1
    assert answers == {one_with_set()}


def one_with_set():
    return one(a={"y": {"z", 2, 1}, "x": 1}, b=0.1)


def test_sources_come_first_and_cycles_are_named():
    wires = {"a": ["b", "c"], "b": ["c"], "c": [], "x": ["y"], "y": ["z"], "z": ["x"]}
    assert in_order(["a"], wires.__getitem__) == ["c", "b", "a"]
    with pytest.raises(Exception, match="x <- y <- z <- x"):
        in_order(["x"], wires.__getitem__)
    assert in_order(["a"], wires.__getitem__, skip={"b"}) == ["c", "a"]
