"""A process as a pipe of frames."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from engine.workers.messages import BadFrame
from engine.workers.outside.child import Child
from tests.engine.workers.crew import script, until


async def run(text: str) -> Child:
    return await Child.spawn(script(text), {})


async def end(child: Child) -> int | None:
    child.kill()
    await child.close()
    return child.code


def test_messages_go_both_ways_with_their_bytes() -> None:
    async def scenario() -> None:
        child = await run('m = hear(); say("echo", data=b"\\x00\\xff" * 500000, heard=m, long="é" * 300000); hear()')
        assert child.write({"type": "hello", "text": "\ud800 ö"})
        got = await child.read()
        assert got is not None
        message, data = got
        assert message["heard"] == {"type": "hello", "text": "\ud800 ö"}
        assert len(message["long"]) == 300_000
        assert data == b"\x00\xff" * 500_000
        assert await end(child) == -signal.SIGKILL
        assert await child.read() is None

    asyncio.run(scenario())


def test_a_frame_that_comes_in_pieces_is_one_message() -> None:
    text = "whole = frame({'type': 'x'}, b'data')\nfor byte in whole: os.write(1, bytes([byte])); time.sleep(0.002)"

    async def scenario() -> None:
        child = await run(text)
        assert await child.read() == ({"type": "x"}, b"data")
        assert await child.read() is None
        await end(child)

    asyncio.run(scenario())


def test_half_a_frame_is_none() -> None:
    async def scenario() -> None:
        child = await run("os.write(1, frame({'type': 'x'}, b'data')[:-2])")
        assert await child.read() is None
        await end(child)

    asyncio.run(scenario())


def test_rubbish_is_refused() -> None:
    async def scenario() -> None:
        child = await run("os.write(1, b'Loading checkpoint shards: 100%')")
        with pytest.raises(BadFrame):
            await child.read()
        await end(child)

    asyncio.run(scenario())


def test_writing_to_a_dead_process_says_so() -> None:
    async def scenario() -> None:
        child = await run("pass")
        await child.exited.wait()
        await until(lambda: not child.write({"type": "cancel"}))
        assert child.code == 0
        await child.close()

    asyncio.run(scenario())


def test_a_process_that_stops_reading_does_not_fill_memory() -> None:
    async def scenario() -> None:
        child = await run("say('hello'); time.sleep(3600)")
        await child.read()
        large = {"type": "check", "prompt": "x" * (100 << 20)}
        taken = [child.write(large) for _ in range(6)]
        assert taken.count(True) == 3
        await end(child)

    asyncio.run(scenario())


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_inherits_no_descriptor_and_leads_a_session_of_its_own(tmp_path: Path) -> None:
    async def scenario() -> None:
        with (tmp_path / "jobs.sqlite").open("w") as file, socket.socket() as door:
            for each in (file, door):
                os.set_inheritable(each.fileno(), True)
            child = await run("say('open', files=os.listdir('/proc/self/fd'), session=os.getsid(0)); hear()")
            got = await child.read()
        assert got is not None
        assert len(got[0]["files"]) == 4  # the three pipes, and the folder that was listed
        assert got[0]["session"] == child.pid != os.getsid(0)
        await end(child)

    asyncio.run(scenario())


def test_a_command_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    async def scenario() -> None:
        with pytest.raises(FileNotFoundError):
            await Child.spawn([str(tmp_path / "nothing")], {})

    asyncio.run(scenario())
