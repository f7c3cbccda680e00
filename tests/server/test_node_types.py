"""Node types between a worker and the next start."""

import asyncio
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.graph import describe
from engine.graph.marks import FileChoices
from engine.graph.nodetype import Input, NodeType, Output
from server.node_types import NodeTypes, NotReady
from tests.server.routes.rooms import folders_in


class Listed:
    """Files as a worker saw them."""

    def list(self, kind):
        return ["seen by the worker"]

    def input_files(self):
        return ["seen by the worker"]


PLAIN = NodeType("Plain", inputs=(Input("n", "INT", options={"min": 0}),), outputs=(Output("INT", "INT"),))
LOADER = NodeType("Loader", inputs=(Input("name", "COMBO", choices=FileChoices(Listed(), "loras", ("none",))),))
ELSEWHERE = NodeType("Elsewhere", inputs=(Input("name", "COMBO", choices=FileChoices(Listed(), "a_plugins_own")),))


def snapshot(*types):
    return json.loads(json.dumps({each.id: describe.snapshot(each) for each in types}))


@pytest.fixture
def make(tmp_path):
    folders = folders_in(tmp_path)

    def made(key="1", patience=0.05):
        return NodeTypes(folders, tmp_path / "user" / "node_types.json", key, patience=patience)

    return made


def info(node_types, id=None):
    return json.loads(asyncio.run(node_types.object_info_bytes(id)))


def test_nobody_waits_for_ever_for_a_first_worker(make):
    with pytest.raises(NotReady):
        asyncio.run(make().registry())


def test_nobody_waits_for_workers_that_cannot_start(make):
    async def scenario():
        node_types, reasons = make(patience=60), [None, None]
        node_types.why_not = lambda: reasons.pop() if reasons else "ImportError: no\nmodule 'x'"
        with pytest.raises(NotReady, match=r"ImportError: no\nmodule 'x'\. The server"):
            await node_types.registry()
        node_types.replace(snapshot(PLAIN))
        await node_types.registry()

    asyncio.run(scenario())


def test_those_who_wait_are_woken_by_the_first_snapshot(make):
    async def scenario():
        node_types = make(patience=60)
        waiting = [asyncio.create_task(node_types.registry()) for _ in range(3)]
        await asyncio.sleep(0)
        node_types.replace(snapshot(PLAIN))
        return await asyncio.gather(*waiting)

    assert [[each.id for each in registry] for registry in asyncio.run(scenario())] == [["Plain"]] * 3


def test_the_next_start_knows_what_the_last_one_knew(make):
    make().replace(snapshot(PLAIN, LOADER))
    again = make()
    assert again.current is not None
    assert [each.id for each in again.current] == ["Plain", "Loader"]
    assert again.current["Plain"].inputs[0].options == {"min": 0}


def test_other_versions_make_what_was_kept_worthless(make):
    make("1").replace(snapshot(PLAIN))
    assert make("2").current is None


def test_on_the_loop_the_file_is_written_aside(make):
    async def scenario():
        make().replace(snapshot(PLAIN))

    asyncio.run(scenario())  # waits for its threads
    assert make().current is not None


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: b"",
        lambda text: b"[" * 100_000,
        lambda text: b"\xff\xfe",
        lambda text: b"[]",
        lambda text: b'{"format":1,"key":"1","types":[]}',
        lambda text: text.replace(b'"input":', b'"inputs":'),
        lambda text: text.replace(b'"name":"Plain"', b'"name":7'),
    ],
)
def test_a_damaged_file_is_as_good_as_none(make, tmp_path, damage, caplog):
    make().replace(snapshot(PLAIN))
    file = tmp_path / "user" / "node_types.json"
    file.write_bytes(damage(file.read_bytes()))
    assert make().current is None
    assert caplog.records
    make().replace(snapshot(PLAIN))
    assert make().current is not None


def test_a_folder_that_cannot_be_written_is_only_logged(make, tmp_path, caplog):
    (tmp_path / "user").write_text("a file")
    node_types = make()
    node_types.replace(snapshot(PLAIN))
    assert node_types.current is not None
    assert "cannot be kept" in caplog.text


def test_nothing_unfinished_stays_beside_the_file(make, tmp_path):
    for types in ((PLAIN,), (LOADER,), (PLAIN, LOADER)):
        make().replace(snapshot(*types))
    assert os.listdir(tmp_path / "user") == ["node_types.json"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
ENTRY = st.fixed_dictionaries(
    {},
    optional={
        "input": JSON | st.fixed_dictionaries({"required": st.dictionaries(st.text(max_size=3), JSON, max_size=2)}),
        "output": JSON | st.lists(st.text(max_size=3), max_size=2),
        "name": st.just("Odd") | JSON,
        "hidden": JSON,
        "input_order": JSON,
        describe.FLAGS: JSON | st.fixed_dictionaries({"files": JSON | st.dictionaries(st.text(max_size=3), JSON)}),
    },
)


@given(ENTRY | JSON)
def test_an_entry_that_makes_no_sense_harms_no_other(tmp_path_factory, odd):
    base = tmp_path_factory.mktemp("base")
    node_types = NodeTypes(folders_in(base), base / "node_types.json", "1")
    node_types.replace({"Odd": odd, **snapshot(PLAIN)})
    assert "Plain" in node_types.current
    assert json.loads(asyncio.run(node_types.object_info_bytes()), parse_constant=pytest.fail)["Plain"]
    assert "Plain" in asyncio.run(node_types.object_info())


def test_an_entry_that_cannot_be_read_is_left_out_and_named(make, caplog):
    node_types = make()
    node_types.replace({**snapshot(PLAIN), "Broken": {"name": "Broken"}})
    assert list(info(node_types)) == ["Plain"]
    assert "'Broken'" in caplog.text


def test_files_are_listed_anew_at_each_call(make, tmp_path):
    node_types = make()
    node_types.replace(snapshot(PLAIN, LOADER))
    loras = tmp_path / "models" / "loras"

    def names():
        return info(node_types)["Loader"]["input"]["required"]["name"][0]

    assert names() == ["none"]
    loras.mkdir()
    (loras / "a.safetensors").touch()
    assert names() == ["a.safetensors", "none"]
    assert info(node_types, "Loader")["Loader"]["input"]["required"]["name"][0] == ["a.safetensors", "none"]
    (loras / "a.safetensors").unlink()
    assert names() == ["none"]


def test_a_folder_that_only_the_worker_knows_keeps_the_files_it_saw(make):
    node_types = make()
    node_types.replace(snapshot(ELSEWHERE))
    assert info(node_types)["Elsewhere"]["input"]["required"]["name"][0] == ["seen by the worker"]


def test_the_json_is_what_the_engine_describes(make):
    node_types = make()
    node_types.replace(snapshot(PLAIN, LOADER, ELSEWHERE))
    assert info(node_types) == describe.object_info(node_types.current)
    assert info(node_types, "Plain") == {"Plain": describe.describe(PLAIN)}
    assert info(node_types, "Unknown") == {}


def test_unchanged_lists_cost_no_new_json(make):
    async def scenario():
        node_types = make()
        node_types.replace(snapshot(PLAIN, LOADER))
        return await node_types.object_info_bytes() is await node_types.object_info_bytes()

    assert asyncio.run(scenario())


def test_the_newest_of_several_snapshots_is_the_one_kept(make):
    async def scenario():
        node_types = make()
        for number in range(20):
            node_types.replace(snapshot(NodeType(f"Type{number}")))

    asyncio.run(scenario())
    assert [each.id for each in make().current] == ["Type19"]
