"""GET /object_info, /global_subgraphs, /node_replacements."""

import asyncio
import json

import pytest

from engine.graph import describe
from engine.graph.nodetype import Input, NodeType
from server import keys
from server.protocol import nodes as protocol
from server.routes import nodes
from tests.server.routes.rooms import serving
from tests.server.shapes import misfit

PLAIN = NodeType("Plain/odd name", inputs=(Input("n", "INT", options={"min": 0}),))
OTHER = NodeType("Other")


def ask(base, path, types=(PLAIN, OTHER)):
    async def scenario():
        async with serving(base, nodes) as client:
            if types:
                client.app[keys.NODE_TYPES].replace({each.id: describe.snapshot(each) for each in types})
            async with client.get(path) as answer:
                return answer.status, answer.headers, json.loads(await answer.read())

    return asyncio.run(scenario())


def test_every_node_type_is_described(tmp_path):
    status, headers, body = ask(tmp_path, "/object_info")
    assert status == 200
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert body == {each.id: describe.describe(each) for each in (PLAIN, OTHER)}


@pytest.mark.parametrize(("id", "known"), [("Other", True), ("Plain%2Fodd%20name", True), ("Unknown", False)])
def test_one_node_type_may_be_asked_for(tmp_path, id, known):
    status, _, body = ask(tmp_path, f"/object_info/{id}")
    assert status == 200
    assert len(body) == known


def test_before_any_worker_is_ready_clients_are_told_to_come_again(tmp_path):
    for path in ("/object_info", "/object_info/Other"):
        status, headers, body = ask(tmp_path, path, types=())
        assert (status, headers["Retry-After"]) == (503, "5")
        assert "worker" in body["error"]


def asked(base, path):
    async def scenario():
        async with serving(base, nodes) as client, client.get(path) as answer:
            return answer.status, await answer.json()

    return asyncio.run(scenario())


def test_sub_graphs_of_plugins_are_offered_by_id_and_read_as_text(tmp_path):
    for name, text in {"Pack/subgraphs/upscale.json": '{"é": 1}', "Off.disabled/subgraphs/x.json": "{}"}.items():
        path = tmp_path / "custom_nodes" / name
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path / "custom_nodes/Pack/subgraphs/notes.md").write_text("none")
    status, found = asked(tmp_path, "/global_subgraphs")
    assert status == 200
    ((id, entry),) = found.items()
    assert entry == {"source": "custom_node", "name": "upscale", "info": {"node_pack": "custom_nodes.Pack"}}
    assert asked(tmp_path, f"/global_subgraphs/{id}") == (200, {**entry, "data": '{"é": 1}'})
    assert misfit({**entry, "data": ""}, protocol.SharedSubgraph) is None


def test_what_is_no_sub_graph_is_not_found(tmp_path):
    assert asked(tmp_path, "/global_subgraphs") == (200, {})
    for id in ("x", "..", "%2E%2E%2Fx"):
        assert asked(tmp_path, f"/global_subgraphs/{id}")[0] == 404


def test_there_are_no_replacements_before_a_plugin_declares_some(tmp_path):
    assert asked(tmp_path, "/node_replacements") == (200, {})
