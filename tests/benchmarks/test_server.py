"""The server's benchmark itself: its clients count what they say, and every part that needs no torch runs."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from benchmarks import traffic
from benchmarks.serving import NODES, many_toys, pictures, toys

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments):
    return subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)


@pytest.mark.parametrize(
    ("answer", "is_whole"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", True),
        (b"HTTP/1.1 200 OK\r\nContent-Type: x\r\ncontent-length: 2\r\n\r\n{", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", False),
        (b"", False),
    ],
)
def test_a_client_knows_when_an_answer_is_whole(answer, is_whole):
    assert traffic.is_complete(answer) is is_whole


def test_percentiles_are_of_what_was_measured():
    assert traffic.summary([*range(100, 0, -1)]) == {"count": 100, "p50": 51, "p99": 100, "max": 100}
    assert traffic.summary([]) == {"count": 0}


def test_every_post_has_a_seed_of_its_own_and_is_counted(tmp_path):
    prompt = tmp_path / "prompt.json"
    prompt.write_text(json.dumps({"seed": int(traffic.SEED)}))

    async def scenario():
        seeds = []

        async def post(request):
            seeds.append((await request.json())["seed"])
            return web.json_response({}, status=200 if len(seeds) % 2 else 400)

        app = web.Application()
        app.add_routes([web.post("/prompt", post)])
        async with TestServer(app, host="127.0.0.1") as server:
            command = ["benchmarks.traffic", "post", str(server.make_url("")), str(prompt), "--seconds", "0.2"]
            told = await asyncio.to_thread(run, *command)
        return seeds, json.loads(told.stdout)

    seeds, told = asyncio.run(scenario())
    assert len(set(seeds)) == len(seeds) == told["count"]
    assert told["refused"] == len(seeds) // 2


@pytest.mark.parametrize(("graph", "size"), [(toys, NODES), (pictures, NODES), (many_toys, 5 * NODES)])
def test_a_graph_has_as_many_nodes_as_it_says_and_shares_no_values_with_another(graph, size):
    one, other = graph(1), graph(2)
    assert len(one) == pytest.approx(size, abs=2)
    values = [{json.dumps(node["inputs"]) for node in each.values()} for each in (one, other)]
    assert one.keys() == other.keys()
    assert len(values[0] - values[1]) > 0


@pytest.mark.slow
def test_the_parts_without_torch_print_their_figures():
    # The exit code says whether goals were kept, which a busy machine decides.
    command = [sys.executable, "-m", "benchmarks.server", "--parts", "bytes", "deaf", "restart", "--seconds", "0.5"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.stderr == ""
    for name in ("bytes with the frames' heads", "p99 rose by", "to the first answer with 10,000 jobs"):
        assert name in told.stdout
