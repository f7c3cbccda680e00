"""Plugins in a real worker of a real server: what they can do, and what they cannot do to others."""

import asyncio
import io
import json
import os
import signal

import pytest
from aiohttp import WSMsgType

from server import keys
from server.protocol.plugins import Plugin
from tests.compat.plugins.conftest import PATIENCE, ServePlugins, Write, asked, node, plugins, ran
from tests.server.shapes import misfit

pytestmark = pytest.mark.slow  # each test starts a worker, which imports torch

ROUTES = """
import asyncio
from aiohttp import web
from server import PromptServer

routes = PromptServer.instance.routes

@routes.get("/pack/json")
async def json(request):
    answer = web.json_response({"path": request.path, "query": dict(request.query),
                                "cookies": dict(request.cookies), "token": request.headers.get("X-Token")})
    answer.headers["X-Content-Type-Options"] = "none"
    answer.headers["Access-Control-Allow-Origin"] = "*"
    answer.set_cookie("latentwire_token", "stolen")
    answer.set_cookie("mine", "kept")
    return answer

@routes.post("/pack/echo/{name}")
async def echo(request):
    return web.Response(body=await request.read(), headers={"X-Name": request.match_info["name"]})

@routes.get("/pack/stream")
async def stream(request):
    response = web.StreamResponse()
    await response.prepare(request)
    for number in range(3):
        await response.write(b"part %d\\n" % number)
        await asyncio.sleep(0.05)
    return response

@routes.get("/pack/file")
async def file(request):
    return web.FileResponse(__file__)

@routes.get("/pack/fails")
async def fails(request):
    raise ValueError("as it was told to")

@routes.get("/pack/slow")
async def slow(request):
    await asyncio.sleep(60)

@routes.get("/pack/ws")
async def ws(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str("heard " + message.data)
    return socket

@routes.get("/queue")
async def queue(request):
    return web.json_response("never asked")

import os
PromptServer.instance.app.add_routes([web.static("/pack_static", os.path.dirname(__file__))])
PromptServer.instance.app.router.add_route("GET", "/pack/direct", json)
NODE_CLASS_MAPPINGS = {}
"""


def test_what_plugins_do_at_import_costs_nobody_else_anything(write: Write, serve_plugins: ServePlugins) -> None:
    write("good/__init__.py", node("Good"))
    write("single.py", node("Single"))
    write("raises/__init__.py", "raise ValueError('no such luck')")
    write("exits.py", "raise SystemExit(1)")
    write("interrupts.py", "raise KeyboardInterrupt")
    write("syntax.py", "def (:")
    write("missing.py", "import a_package_that_is_not_there")
    write("off.py.disabled", node("Off"))
    write("steals.py", node("SaveImage"))
    write("prints.py", "import os, sys\nos.write(1, b'x' * 5000)\nprint('y' * 5000)\n" + node("Prints"))

    async def look() -> None:
        async with serve_plugins() as client:
            found = await plugins(client)
            assert {name: each["state"] for name, each in found.items()} == {
                "good": "loaded",
                "single": "loaded",
                "prints": "loaded",
                "steals": "loaded",
                "raises": "failed",
                "exits": "failed",
                "interrupts": "failed",
                "syntax": "failed",
                "missing": "failed",
                "off.py.disabled": "disabled",
            }
            assert found["raises"]["error"] == "ValueError: no such luck"
            assert "no such luck" in found["raises"]["traceback"]
            assert "a_package_that_is_not_there" in found["missing"]["error"]
            assert found["steals"]["nodes"] == []
            assert "built-in" in found["steals"]["problems"][0]
            assert found["good"]["problems"] == []
            types = await asked(client, "/object_info")
            assert {"Good", "Single", "Prints"} <= types.keys()
            assert types["Good"]["python_module"] == "custom_nodes.good"
            assert types["SaveImage"]["python_module"] == "nodes"
            for each in found.values():
                assert misfit(each, Plugin) is None
            entry = await ran(client, {"1": {"class_type": "Good", "inputs": {"value": 5}}})
            assert entry["outputs"] == {"1": {"told": [5]}}

    asyncio.run(look())


def test_plugins_that_end_the_process_at_import_are_left_out_until_they_change(
    write: Write, serve_plugins: ServePlugins
) -> None:
    write("good.py", node("Good"))
    write("a_exit.py", "import os\nos._exit(5)")
    write("segfault.py", "import ctypes\nctypes.string_at(0)")

    async def look() -> None:
        async with serve_plugins() as client:
            found = await plugins(client)
            assert found["a_exit"]["error"].startswith("crashed at import: exit code 5; skipped until")
            assert "SIGSEGV" in found["segfault"]["error"]
            assert found["good"]["state"] == "loaded"
        write("segfault.py", node("Mended"))
        async with serve_plugins() as client:
            found = await plugins(client)
            assert found["segfault"]["state"] == "loaded"
            assert found["a_exit"]["state"] == "crashed"

    asyncio.run(look())


def test_a_plugin_that_hangs_at_import_is_left_out(write: Write, serve_plugins: ServePlugins) -> None:
    write("good.py", node("Good"))
    write("hangs.py", "import threading\nthreading.Event().wait()")
    write("slow.py", "import time\nend = time.monotonic() + 9\nwhile time.monotonic() < end: pass\n" + node("Slow"))

    async def look() -> None:
        async with serve_plugins(plugin_timeout=6.0) as client:
            found = await plugins(client)
            assert found["hangs"]["state"] == "crashed"
            assert found["hangs"]["error"].startswith("crashed at import: it did nothing for 6 s (--plugin-timeout);")
            assert found["good"]["state"] == "loaded"
            assert found["slow"]["state"] == "loaded", "it computes"

    asyncio.run(look())


def test_routes_of_plugins_answer(write: Write, serve_plugins: ServePlugins) -> None:
    file = write("pack/__init__.py", ROUTES)

    async def look() -> None:
        async with serve_plugins(token="secret", max_upload_size=1 << 20) as client:
            mine = {"X-Token": "secret"}
            async with client.get("/pack/json?a=1") as answer:
                assert answer.status == 401, "strangers are refused before plugins are asked"
            for path in ("/pack/json", "/api/pack/json", "/pack/direct", "/api/pack/direct"):
                client.session.cookie_jar.clear()
                async with client.get(f"{path}?a=1&token=secret", headers={**mine, "Cookie": "a=b"}) as answer:
                    told = await answer.json()
                    assert told["query"] == {"a": "1"}
                    assert told["token"] is None
                    assert told["cookies"] == {"a": "b"}
                    assert answer.headers["X-Content-Type-Options"] == "nosniff"
                    assert "Access-Control-Allow-Origin" not in answer.headers
                    cookies = answer.headers.getall("Set-Cookie")
                    assert not any("stolen" in each for each in cookies)
                    assert any("mine=kept" in each for each in cookies)
            client.session.cookie_jar.clear()
            body = bytes(range(256)) * 1000
            async with client.post("/pack/echo/a%20b", data=body, headers=mine) as answer:
                assert (await answer.read(), answer.headers["X-Name"]) == (body, "a b")
            async with client.post("/pack/echo/big", data=io.BytesIO(bytes(2 << 20)), headers=mine) as answer:
                assert answer.status == 413
            async with client.get("/pack/stream", headers=mine) as answer:
                assert await answer.text() == "part 0\npart 1\npart 2\n"
            for path in ("/pack/file", "/pack_static/__init__.py"):
                async with client.get(path, headers=mine) as answer:
                    assert await answer.text() == file.read_text()
            async with client.get("/pack/file", headers={**mine, "Range": "bytes=0-5"}) as answer:
                assert (answer.status, len(await answer.read())) == (206, 6)
            assert "as it was told to" in (await asked(client, "/pack/fails", 500, headers=mine))["error"]
            assert "queue_running" in await asked(client, "/queue", headers=mine), "our own routes win"
            for path in ("/pack/ws", "/api/pack/ws"):
                async with client.ws_connect(path, headers=mine) as socket:
                    await socket.send_str("you")
                    assert (await socket.receive(timeout=PATIENCE)).data == "heard you"
            async with client.get("/pack_static/..%2f..%2f..%2fsecret.txt", headers=mine) as answer:
                assert answer.status in (403, 404)
            await asked(client, "/pack/nothing", 404, headers=mine)

    (file.parents[2] / "secret.txt").write_text("not for you")
    asyncio.run(look())


def test_a_route_that_is_asked_for_right_after_the_start_waits_for_its_plugin(
    write: Write, serve_plugins: ServePlugins
) -> None:
    write("pack/__init__.py", ROUTES)

    async def look() -> None:
        async with serve_plugins(wait=False) as client:
            async with client.get("/pack/json") as answer:
                assert answer.status == 200, await answer.text()
            async with client.get("/pack/nothing/of/the/kind") as answer:
                assert answer.status == 404

    asyncio.run(look())


def test_a_route_that_does_not_answer_is_given_up_and_others_go_on(
    write: Write, serve_plugins: ServePlugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("pack/__init__.py", ROUTES)
    monkeypatch.setattr("server.plugins.proxy.PATIENCE", 3.0)  # longer than a busy machine takes for an answer

    async def look() -> None:
        async with serve_plugins() as client:
            assert "did not answer within" in (await asked(client, "/pack/slow", 504))["error"]
            assert (await asked(client, "/pack/json"))["path"] == "/pack/json"
            pool = client.server.app[keys.POOL]  # type: ignore[attr-defined]
            os.kill(pool.workers[0].pid, signal.SIGKILL)
            async with asyncio.timeout(PATIENCE):
                while (status := (await _status(client, "/pack/json"))) == 200:
                    await asyncio.sleep(0.05)
            assert status == 503
            async with asyncio.timeout(PATIENCE):
                while await _status(client, "/pack/json") != 200:
                    await asyncio.sleep(0.2)

    asyncio.run(look())


async def _status(client: object, path: str) -> int:
    async with client.get(path) as answer:  # type: ignore[attr-defined]
        if answer.status == 503:
            assert answer.headers["Retry-After"]
        return int(answer.status)


TALKS = """
from server import PromptServer, BinaryEventTypes
from aiohttp import web
import threading

def seen(json_data):
    for node in json_data["prompt"].values():
        if node.get("inputs", {}).get("value") == 41:
            node["inputs"]["value"] = 42
    return json_data

def broken(json_data):
    raise RuntimeError("not today")

PromptServer.instance.add_on_prompt_handler(broken)
PromptServer.instance.add_on_prompt_handler(seen)

class Talks:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT", {"default": 0})}, "hidden": {"unique_id": "UNIQUE_ID"}}
    RETURN_TYPES = ()
    FUNCTION = "go"
    OUTPUT_NODE = True
    CATEGORY = "test"
    def go(self, value, unique_id):
        server = PromptServer.instance
        def talk():
            server.send_sync("pack-mine", {"value": value}, server.client_id)
            server.send_sync("pack-all", {"value": value})
            server.send_sync("pack-nobody", {}, "no such client")
            server.send_sync(9999123, b"abc", server.client_id)
            server.send_progress_text("working", unique_id, server.client_id)
        thread = threading.Thread(target=talk)
        thread.start()
        thread.join()
        running = server.prompt_queue.currently_running
        told = [server.last_node_id, server.last_prompt_id == running[0][1], sorted(server.sockets_metadata),
                server.prompt_queue.get_tasks_remaining()]
        return {"ui": {"told": told}}
NODE_CLASS_MAPPINGS = {"Talks": Talks}

@PromptServer.instance.routes.post("/talks/again")
async def again(request):
    body = await request.json()
    PromptServer.instance.prompt_queue.put((-1, body["id"], body["prompt"], {"client_id": "me"}, ["1"]))
    return web.json_response(PromptServer.instance.get_queue_info())
"""


def test_plugins_speak_to_clients_see_prompts_and_queue_their_own(write: Write, serve_plugins: ServePlugins) -> None:
    write("talks.py", TALKS)
    prompt = {"1": {"class_type": "Talks", "inputs": {"value": 41}}}
    job = "11111111-2222-4333-8444-555555555555"

    async def look() -> None:
        async with serve_plugins() as client, client.ws_connect("/ws?clientId=me") as me:
            async with client.ws_connect("/ws?clientId=other") as other:
                await me.send_json({"type": "feature_flags", "data": {"supports_progress_text_metadata": True}})
                await asyncio.sleep(0.3)  # the worker is told who is there
                entry = await ran(client, prompt, client_id="me")
                assert entry["prompt"][2]["1"]["inputs"]["value"] == 42, "a handler changed it; the other one failed"
                assert entry["outputs"]["1"]["told"] == ["1", True, ["me", "other"], 1]
                texts, pictures = await _heard(me)
                assert [each for each in texts if each["type"].startswith("pack")] == [
                    {"type": "pack-mine", "data": {"value": 42}},
                    {"type": "pack-all", "data": {"value": 42}},
                ]
                assert (9999123).to_bytes(4, "big") + b"abc" in pictures
                # With the prompt's id in front, because this client and the server both know that form.
                text = next(each for each in pictures if each[:4] == b"\x00\x00\x00\x03")
                assert text.endswith(b"\x00\x00\x00\x011working")
                assert text[4:8] == len(entry["prompt"][1]).to_bytes(4, "big")
                texts, pictures = await _heard(other)
                assert [each["type"] for each in texts if each["type"].startswith("pack")] == ["pack-all"]
                assert pictures == []
            newer = await asked(client, "/api/v2/jobs", status=201, json={"workflow": prompt})
            behind = await asked(client, f"/api/v2/jobs/{newer['id']}/workflow")
            assert behind["workflow"]["1"]["inputs"]["value"] == 42
            told = await asked(client, "/talks/again", json={"id": job, "prompt": prompt})
            assert told["exec_info"]["queue_remaining"] >= 0
            async with asyncio.timeout(PATIENCE):
                while job not in (entry := await asked(client, f"/history/{job}")):
                    await asyncio.sleep(0.05)
            assert entry[job]["status"]["status_str"] == "success"

    asyncio.run(look())


async def _heard(socket: object) -> tuple[list[dict[str, object]], list[bytes]]:
    """What has come so far: messages, and binary ones."""
    texts: list[dict[str, object]] = []
    pictures: list[bytes] = []
    while True:
        try:
            message = await socket.receive(timeout=0.5)  # type: ignore[attr-defined]
        except TimeoutError:
            return texts, pictures
        if message.type is WSMsgType.TEXT:
            texts.append(json.loads(message.data))
        else:
            pictures.append(message.data)


def test_files_for_browsers_are_served_and_no_others(write: Write, serve_plugins: ServePlugins) -> None:
    write("pack/__init__.py", "WEB_DIRECTORY = './js'\n" + node("Pack"))
    write("pack/js/main.js", "export const x = 1")
    write("pack/js/deep er/more.js", "")
    write("pack/dist/other.js", "")
    write("pack/pyproject.toml", '[project]\nname = "nice-pack"\nversion = "1.2"\n[tool.comfy]\nweb = "dist"\n')
    write("pack/example_workflows/first.json", '{"nodes": []}')
    write("pack/locales/zh/main.json", '{"word": "字"}')
    write("pack/locales/zh/nodeDefs.json", '{"Pack": {"display_name": "包"}}')

    async def look() -> None:
        async with serve_plugins() as client:
            assert await asked(client, "/extensions") == [
                "/extensions/nice-pack/other.js",
                "/extensions/pack/deep%20er/more.js",
                "/extensions/pack/main.js",
            ]
            async with client.get("/extensions/pack/main.js") as answer:
                assert await answer.text() == "export const x = 1"
                assert answer.headers["Content-Type"].startswith("text/javascript")
                assert answer.headers["Cache-Control"] == "no-cache"
            for path in (
                "/extensions/pack/..%2f__init__.py",
                "/extensions/pack/%2e%2e/__init__.py",
                "/extensions/no/x",
            ):
                assert await _status(client, path) == 404
            assert await asked(client, "/workflow_templates") == {"pack": ["first"]}
            assert await asked(client, "/api/workflow_templates/pack/first.json") == {"nodes": []}
            assert await _status(client, "/api/workflow_templates/pack/..%2fpyproject.toml") == 404
            words = await asked(client, "/i18n")
            assert words == {"zh": {"word": "字", "nodeDefs": {"Pack": {"display_name": "包"}}}}
            assert (await plugins(client))["pack"]["version"] == "1.2"

    asyncio.run(look())


SECRETS = """
class Asks:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}, "hidden": {"token": "AUTH_TOKEN_COMFY_ORG", "key": "API_KEY_COMFY_ORG"}}
    RETURN_TYPES = ()
    FUNCTION = "go"
    OUTPUT_NODE = True
    CATEGORY = "test"
    def go(self, token=None, key=None):
        return {"ui": {"told": [len(token or ""), len(key or "")]}}
NODE_CLASS_MAPPINGS = {"Asks": Asks}
"""


def test_what_a_client_sends_for_nodes_only_reaches_them_and_is_not_shown(
    write: Write, serve_plugins: ServePlugins
) -> None:
    write("asks.py", SECRETS)
    extra = {"auth_token_comfy_org": "very-secret", "api_key_comfy_org": "secret-too", "more": 1}

    async def look() -> None:
        async with serve_plugins() as client:
            entry = await ran(client, {"1": {"class_type": "Asks", "inputs": {}}}, extra_data=extra)
            assert entry["outputs"]["1"]["told"] == [11, 10]
            assert "secret" not in json.dumps(entry)
            assert entry["prompt"][3]["more"] == 1

    asyncio.run(look())


def test_each_of_several_workers_has_the_plugins(write: Write, serve_plugins: ServePlugins) -> None:
    write("pid.py", node("Pid", "__import__('os').getpid()") + PID_ROUTE)

    async def look() -> None:
        async with serve_plugins(workers=2) as client:
            pids = {each.pid for each in client.server.app[keys.POOL].workers}  # type: ignore[attr-defined]
            prompts = [{"1": {"class_type": "Pid", "inputs": {"value": each}}} for each in range(6)]
            entries = await asyncio.gather(*(ran(client, each) for each in prompts))
            assert {each["outputs"]["1"]["told"][0] for each in entries} <= pids
            slow = asyncio.create_task(ran(client, {"1": {"class_type": "Slow", "inputs": {}}}, client_id="me"))
            await asyncio.sleep(1.0)
            mine = await asked(client, "/pid?clientId=me")
            assert mine == (await slow)["outputs"]["1"]["told"][0], "the worker that runs the client's job is asked"
            answer = await asked(client, "/api/plugins/reload", json={"name": "pid"})
            assert answer["done"] is True

    asyncio.run(look())


PID_ROUTE = """
import os, time
from aiohttp import web
from server import PromptServer

@PromptServer.instance.routes.get("/pid")
async def pid(request):
    return web.json_response(os.getpid())

class Slow:
    INPUT_TYPES = classmethod(lambda cls: {"required": {}})
    RETURN_TYPES = ()
    FUNCTION = "go"
    OUTPUT_NODE = True
    CATEGORY = "test"
    def go(self):
        time.sleep(3)
        return {"ui": {"told": [os.getpid()]}}
NODE_CLASS_MAPPINGS["Slow"] = Slow
"""
