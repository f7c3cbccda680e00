"""Plugins' nodes that do the worst they can at a run, in a real worker of a real server: nobody else is harmed."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.compat.plugins.conftest import PATIENCE, Client, ServePlugins, Write, asked, plugins, ran

pytestmark = pytest.mark.slow  # workers die here, and a new one imports torch

BAD = """
import ctypes, os, signal, sys, threading, time
from aiohttp import web
from server import PromptServer

def raises(): raise ValueError("no such luck")
def raises_oddly(): raise type("Odd\\nError", (BaseException,), {})("a\\0b \\ud800" + "x" * 100_000)
def exits(): sys.exit(3)
def interrupts(): raise KeyboardInterrupt
def recurses(): return recurses()
def lacks_memory(): bytearray(1 << 60)
def prints():
    print("y" * 3_000_000); sys.stderr.write("z" * 3_000_000); os.write(1, b"x" * 3_000_000)
    os.write(1, b"\\0\\0\\0\\x05{\\"a\\"" * 1000)
def closes(): sys.stdout.close(); sys.stderr = None; sys.stdin = None
def floods():
    for number in range(3000):
        PromptServer.instance.send_sync("flood", {"number": number, "text": "x" * 1000})
def leaves_threads():
    for _ in range(20):
        threading.Thread(target=time.sleep, args=(1000,)).start()
    threading.Thread(target=raises).start()
def ends_at_once(): os._exit(3)
def segfaults(): ctypes.string_at(0)
def is_killed(): os.kill(os.getpid(), signal.SIGKILL)
def hangs():
    while True:
        try:
            time.sleep(1000)
        except BaseException:
            pass
def holds_the_lock(): ctypes.PyDLL(None).sleep(1000)
def dies_later(): threading.Timer(0.3, segfaults).start()

HOW = {name: made for name, made in list(globals().items()) if type(made) is type(raises)}

class Bad:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"how": (list(HOW),), "n": ("INT", {"default": 0})}}
    RETURN_TYPES = ("INT",)
    FUNCTION = "go"
    CATEGORY = "test"
    def go(self, how, n):
        HOW[how]()
        return (n,)

class Checks(Bad):
    @classmethod
    def VALIDATE_INPUTS(cls, how, n):
        HOW[how]()
        return True

class Changes(Bad):
    @classmethod
    def IS_CHANGED(cls, how, n):
        HOW[how]()
    def go(self, how, n):
        return (n,)

class Lazy(Bad):
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"how": (list(HOW),), "n": ("INT", {"lazy": True})}}
    def check_lazy_status(self, how, n):
        HOW[how]()

class Show:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT", {"default": 0})}}
    RETURN_TYPES = ()
    FUNCTION = "go"
    OUTPUT_NODE = True
    CATEGORY = "test"
    def go(self, value):
        return {"ui": {"told": [value]}}

NODE_CLASS_MAPPINGS = {each.__name__: each for each in (Bad, Checks, Changes, Lazy, Show)}

@PromptServer.instance.routes.get("/bad/{how}")
async def bad(request):
    HOW[request.match_info["how"]]()
    return web.Response()
"""

OPTIONS = {"cancel_grace": 0.5, "heartbeat_timeout": 5.0, "max_attempts": 2}


def prompt(how: str, n: int, node: str = "Bad") -> dict[str, Any]:
    return {
        "bad": {"class_type": node, "inputs": {"how": how, "n": n}},
        "show": {"class_type": "Show", "inputs": {"value": ["bad", 0]}},
    }


def good(n: int) -> dict[str, Any]:
    return {"show": {"class_type": "Show", "inputs": {"value": n}}}


@asynccontextmanager
async def watched(client: Client) -> AsyncIterator[list[float]]:
    """Asks GET /prompt all the while, and gathers how long each answer took; each must be one."""
    took: list[float] = []

    async def watch() -> None:
        while True:
            began = time.monotonic()
            assert "queue_remaining" in (await asked(client, "/prompt"))["exec_info"]
            took.append(time.monotonic() - began)
            await asyncio.sleep(0.05)

    watching = asyncio.create_task(watch())
    yield took
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert watching.cancelled(), watching
    assert took
    assert max(took) < 3.0, "the server answers throughout"


async def queued(client: Client, sent: dict[str, Any]) -> str:
    return str((await asked(client, "/prompt", json={"prompt": sent}))["prompt_id"])


async def ended(client: Client, job: str) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE):
        while (found := await asked(client, f"/api/jobs/{job}"))["status"] in ("pending", "in_progress"):
            await asyncio.sleep(0.03)
    told: dict[str, Any] = found
    return told


HARMLESS = {
    "raises": "failed",
    "raises_oddly": "failed",
    "exits": "failed",
    "interrupts": "failed",
    "recurses": "failed",
    "lacks_memory": "failed",
    "prints": "completed",
    "floods": "completed",
    "leaves_threads": "completed",
    "closes": "completed",
}
DEADLY = {
    "ends_at_once": "exited",
    "segfaults": "crashed",
    "is_killed": "interrupted",
    "holds_the_lock": "unresponsive",
}
"""Each costs a worker; tests/server/chaos/test_bad_nodes.py tries more ways, without plugins."""


def test_each_bad_job_says_why_and_every_job_between_them_is_done(write: Write, serve_plugins: ServePlugins) -> None:
    write("bad/__init__.py", BAD)

    async def look() -> None:
        async with serve_plugins(**OPTIONS) as client, watched(client):
            ways = [*HARMLESS, *DEADLY]
            jobs = {}
            for number, how in enumerate(ways):  # all of them are accepted before the first has ended
                jobs[how] = await queued(client, prompt(how, number)), await queued(client, good(number))
            for number, how in enumerate(ways):
                bad, after = [await ended(client, job) for job in jobs[how]]
                assert bad["status"] == HARMLESS.get(how, "failed"), (how, bad)
                assert after["status"] == "completed", (how, after)
                assert after["outputs"] == {"show": {"told": [number]}}
                if bad["status"] == "failed":
                    error = bad["execution_error"]
                    assert (error["node_id"], error["node_type"]) == ("bad", "Bad"), how
                    assert error["exception_message"].strip()
                    assert error.get("cause", "node_error") == DEADLY.get(how, "node_error"), (how, error)
            states = {each["state"] for each in (await plugins(client)).values()}
            assert states == {"loaded"}, "what happens at a run does not keep a plugin from the next worker"

    asyncio.run(look())


def test_what_hangs_is_ended_and_who_dies_later_or_in_a_route_takes_nobody_along(
    write: Write, serve_plugins: ServePlugins
) -> None:
    write("bad/__init__.py", BAD)

    async def look() -> None:
        async with serve_plugins(**OPTIONS) as client, watched(client):
            job, after = await queued(client, prompt("hangs", 1)), await queued(client, good(1))
            async with asyncio.timeout(PATIENCE):
                while (await asked(client, f"/api/jobs/{job}"))["status"] != "in_progress":
                    await asyncio.sleep(0.03)
            assert await asked(client, f"/api/jobs/{job}/cancel", json={}) == {"cancelled": True}
            assert (await ended(client, job))["status"] == "cancelled"
            assert (await ended(client, after))["status"] == "completed"

            # The worker dies when nothing runs, or in the middle of somebody else's job, which is then done again.
            await ended(client, await queued(client, prompt("dies_later", 2)))
            later = [await queued(client, good(number)) for number in range(20, 40)]
            ends = [(await ended(client, each))["status"] for each in later]
            assert ends.count("completed") >= 19, "at most the one that ran when it died"
            assert (await ran(client, good(50)))["outputs"] == {"show": {"told": [50]}}

            for how in ("raises", "exits", "segfaults"):  # in a route, which costs its own answer only
                jobs = [await queued(client, good(number)) for number in range(60, 65)]
                async with client.get(f"/bad/{how}") as answer:
                    assert answer.status >= 500
                    assert "error" in await answer.json()
                assert [(await ended(client, each))["status"] for each in jobs] == ["completed"] * 5

    asyncio.run(look())


def test_what_authors_are_asked_before_a_run_harms_nobody_either(write: Write, serve_plugins: ServePlugins) -> None:
    write("bad/__init__.py", BAD)
    asks = [(node, how) for how in ("raises", "exits", "raises_oddly", "prints") for node in ASKED]

    async def look() -> None:
        async with serve_plugins(**OPTIONS) as client, watched(client):
            for number, (node, how) in enumerate([*asks, DEADLY_CHECK]):
                async with client.post("/prompt", json={"prompt": prompt(how, number, node)}) as answer:
                    told = await answer.json()
                assert answer.status in (200, 400), told
                if answer.status == 400:
                    assert list(told["node_errors"]) == ["bad"], (node, how, told)
                    assert told["node_errors"]["bad"]["errors"][0]["message"]
                else:
                    bad = await ended(client, told["prompt_id"])
                    assert bad["status"] in ("failed", "completed"), (node, how)
                    error = bad.get("execution_error", {"node_id": "bad"})
                    assert error["node_id"] == "bad", (node, how)
                    assert (node, how) != DEADLY_CHECK or error["cause"] == "crashed"
                assert (await ran(client, good(number)))["status"]["status_str"] == "success", (node, how)

    asyncio.run(look())


ASKED = ("Checks", "Changes", "Lazy")
DEADLY_CHECK = ("Checks", "segfaults")
