"""An end that a plugin or the user asks for, as authors' code meets it. docs/decisions/0015-v1-classes.md says why."""

import asyncio

import pytest
from aiohttp import ClientSession, UnixConnector, web

import nodes
from compat.plugins.serving import SECRET, Routes, RouteServer
from engine.errors import Cancelled
from engine.graph.prompt import Prompt
from tests.compat.plugins.conftest import House

INTERRUPTS = """
import comfy.model_management as management

class Interrupts:
    heard = []
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"how": ("STRING", {"default": ""})}}
    RETURN_TYPES = ("INT",)
    FUNCTION = "go"
    OUTPUT_NODE = True
    CATEGORY = "test"

    def go(self, how):
        try:
            management.interrupt_current_processing()
            management.throw_exception_if_processing_interrupted()
        except Exception:
            self.heard.append("exception")
            return (1,)
        except management.InterruptProcessingException as error:
            self.heard.append("interrupt")
            if how == "swallows":
                return (2,)
            raise Mine("with a word") if how == "own" else error
        finally:
            self.heard.append("finally")

class Mine(management.InterruptProcessingException):
    pass

NODE_CLASS_MAPPINGS = {"Interrupts": Interrupts}
"""


@pytest.mark.parametrize(("how", "status"), [("", "cancelled"), ("own", "cancelled"), ("swallows", "succeeded")])
def test_code_that_catches_every_exception_does_not_swallow_an_interrupt(house: House, how: str, status: str) -> None:
    house.write("interrupts.py", INTERRUPTS)
    house.load()
    prompt = Prompt.from_json({"1": {"class_type": "Interrupts", "inputs": {"how": how}}})
    outcome = house.host.engine.executor.execute(prompt, targets=["1"])
    assert (outcome.status, outcome.failure) == (status, None)
    assert nodes.NODE_CLASS_MAPPINGS["Interrupts"].heard == ["interrupt", "finally"]


def test_a_route_that_is_interrupted_answers() -> None:
    server = RouteServer(Routes())

    @server.routes.get("/stops")
    async def stops(request: web.Request) -> web.Response:
        raise Cancelled

    async def look() -> None:
        served = await server.open()
        connector = UnixConnector(served["address"].removeprefix("unix:"))
        session = ClientSession(connector=connector, headers={SECRET: served["secret"]})
        async with session, session.get("http://plugins/stops") as answer:
            assert answer.status == 500
            assert "interrupted" in (await answer.json())["error"]
        await server.close()

    try:
        asyncio.run(look())
    finally:
        server.remove()
