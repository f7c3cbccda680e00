"""/internal: the log as ComfyUI's web page shows it, where folders are, what is in them."""

import asyncio
import json
import logging
import os

import pytest
from aiohttp import WSMsgType

from server.protocol import system
from tests.server.client import PATIENCE, Serve
from tests.server.shapes import misfit

log = logging.getLogger("tests.internal")


async def get(client, path):
    async with client.get(path) as answer:
        return answer.status, await answer.json()


def asked(serve, *paths, **options):
    async def scenario():
        async with serve(wait=False, **options) as client:
            return [await get(client, path) for path in paths]

    return asyncio.run(scenario())


def test_the_log_is_told_as_text_and_line_by_line_without_secrets(serve: Serve):
    async def scenario():
        async with serve(wait=False, token="s3cret-token") as client:
            log.warning("a line about s3cret-token\nand a forged one")
            headers = {"X-Token": "s3cret-token"}
            text = await client.get("/internal/logs", headers=headers)
            raw = await client.get("/internal/logs/raw", headers=headers)
            return await text.json(), await raw.json()

    text, raw = asyncio.run(scenario())
    assert misfit(raw, system.LogsMessage) is None
    line = next(each for each in raw["entries"] if "a line about" in each["m"])
    assert line["m"].endswith("WARNING a line about ***\\nand a forged one\n")
    assert f"{line['t']} - {line['m']}" in text
    assert "s3cret" not in text
    assert text.count("\n") == len(raw["entries"])


def test_what_the_log_does_not_show_is_not_told(serve: Serve):
    async def scenario():
        async with serve(wait=False) as client:
            logging.getLogger().setLevel(logging.WARNING)
            logging.getLogger("tests.loud").setLevel(logging.DEBUG)
            logging.getLogger("tests.loud").debug("too small to be told")
            return await get(client, "/internal/logs")

    before = logging.getLogger().level
    try:
        assert "too small" not in asyncio.run(scenario())[1]
    finally:
        logging.getLogger().setLevel(before)


def test_lines_are_told_to_sockets_that_subscribed_and_to_no_other(serve: Serve):
    async def next_logs(ws, word):
        async with asyncio.timeout(PATIENCE):
            while True:
                message = await ws.receive()
                assert message.type is WSMsgType.TEXT
                told = json.loads(message.data)
                if told["type"] == "logs" and word in str(told["data"]):
                    assert message.data.startswith('{"type": "logs", "data": ')
                    return told["data"]

    async def patch(client, **body):
        async with client.patch("/internal/logs/subscribe", data=json.dumps(body)) as answer:
            return answer.status, await answer.read()

    async def scenario():
        async with serve(wait=False) as client:
            mine, other = await client.ws_connect("/ws?clientId=me"), await client.ws_connect("/ws?clientId=you")
            assert await patch(client, clientId="me", enabled=True) == (200, b"")
            log.error("first line")
            told = await next_logs(mine, "first line")
            await patch(client, clientId="me", enabled=False)
            await patch(client, clientId="you", enabled=True)
            log.error("second line")
            seen = await next_logs(other, "second line")
            heard = []
            while (message := await quiet(mine)) is not None:
                heard.append(json.loads(message.data)["type"])
            return told, seen, heard

    async def quiet(ws):
        try:
            return await ws.receive(timeout=0.3)
        except TimeoutError:
            return None

    told, seen, heard = asyncio.run(scenario())
    assert misfit(told, system.LogsMessage) is None
    assert "first line" not in str(seen)
    assert "logs" not in heard


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"clientId": 5}', b'{"clientId": "a", "enabled": "yes"}', b"[", b"null"]
)
def test_a_subscription_that_is_none_is_refused(serve: Serve, body):
    async def scenario():
        async with serve(wait=False) as client, client.patch("/internal/logs/subscribe", data=body) as answer:
            return answer.status, list(await answer.json())

    assert asyncio.run(scenario()) == (400, ["error"])


def test_the_folders_of_every_kind_are_told(serve: Serve, tmp_path):
    ((status, found),) = asked(serve, "/internal/folder_paths")
    assert status == 200
    assert str(tmp_path / "models" / "loras") in found["loras"]
    assert {"checkpoints", "custom_nodes", "text_encoders"} <= found.keys()
    assert not {"clip", "unet"} & found.keys()


def test_files_are_told_the_newest_first(serve: Serve, tmp_path):
    for i, name in enumerate(("old.png", "new.png", "middle.png")):
        (tmp_path / "output").mkdir(exist_ok=True)
        path = tmp_path / "output" / name
        path.write_bytes(b"x")
        os.utime(path, (100 * (i + 1) if name != "new.png" else 1000,) * 2)
    (tmp_path / "output" / ".hidden").write_bytes(b"x")
    (tmp_path / "output" / "folder").mkdir()
    found = asked(serve, *(f"/internal/files/{each}" for each in ("output", "input", "user", "..")))
    assert found[0] == (200, ["new.png", "middle.png", "old.png"])
    assert found[1] == (200, [])
    assert [status for status, _ in found[2:]] == [400, 404]


def test_they_are_not_below_api(serve: Serve):
    found = asked(serve, "/api/internal/logs", "/api/internal/folder_paths")
    assert [status for status, _ in found] == [404, 404]
