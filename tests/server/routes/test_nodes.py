"""GET /object_info."""

import asyncio
import json

import pytest

from engine.graph import describe
from engine.graph.nodetype import Input, NodeType
from server import keys
from server.routes import nodes
from tests.server.routes.rooms import serving

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
