"""A worker's process seen from the server: a pipe of frames, started, read, written to, killed.

What the frames mean, it does not know.
"""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import SubprocessStreamProtocol
from collections.abc import Mapping, Sequence
from typing import Any

from engine.workers.messages import HEAD, MAX_FRAME, frame, lengths, parse

BUFFER = 64 << 10
"""Bytes read ahead of whoever listens: a worker that is faster than that waits."""

BURIAL = 2.0
"""Seconds for the system to report the end of a process that was killed."""


class Child:
    """A process in a session of its own, so that a terminal's Ctrl-C is not for it and all it forks can be killed."""

    def __init__(self, transport: asyncio.SubprocessTransport, protocol: "_Protocol") -> None:
        assert protocol.stdin is not None
        assert protocol.stdout is not None
        assert protocol.stderr is not None
        self.pid = transport.get_pid()
        self.stderr = protocol.stderr
        self.exited = protocol.exited
        self.is_waiting = False
        self.received = 0
        self._transport = transport
        self._stdin = protocol.stdin
        self._stdout = protocol.stdout

    @classmethod
    async def spawn(cls, command: Sequence[str], environment: Mapping[str, str]) -> "Child":
        """Starts a command with these variables added to ours. Raises: OSError."""
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.subprocess_exec(
            lambda: _Protocol(BUFFER, loop),
            *command,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        return cls(transport, protocol)

    @property
    def code(self) -> int | None:
        """The exit code, or minus the signal that ended it; None while it lives."""
        return self._transport.get_returncode()

    async def read(self) -> tuple[dict[str, Any], bytes] | None:
        """The next message and the bytes beside it; None at the end of the pipe. Raises: BadFrame."""
        self.is_waiting = True
        try:
            text, data = lengths(await self._stdout.readexactly(HEAD.size))
            message = await self._stdout.readexactly(text)
            beside = await self._stdout.readexactly(data) if data else b""
        except (asyncio.IncompleteReadError, OSError):
            return None
        finally:
            self.is_waiting = False
        self.received += 1
        # Not in a thread: reading JSON is one call that holds the interpreter, so the loop would wait just as long.
        return parse(message), beside

    def write(self, message: Mapping[str, Any]) -> bool:
        """Sends a message without waiting. False: the pipe is broken, or the other side has long stopped reading."""
        if self._stdin.is_closing() or self._stdin.transport.get_write_buffer_size() > MAX_FRAME:
            return False
        self._stdin.write(frame(message))
        return True

    def kill(self) -> None:
        """Ends the process and everything in its session, without asking."""
        if self.code is not None:
            return
        if hasattr(os, "killpg"):
            # Not by the transport's own kill: that may collect the exit code before whoever waits for it.
            kill_group(self.pid)
        else:
            self._transport.kill()

    async def close(self) -> None:
        """Lets go of a process that was killed, and of its pipes, even those that somebody it forked still holds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BURIAL):
                await self.exited.wait()
        self._transport.close()


class _Protocol(SubprocessStreamProtocol):
    """Tells of the end of the process at once; asyncio's own `wait` may also wait for whoever inherited the pipes."""

    def __init__(self, limit: int, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=limit, loop=loop)
        self.exited = asyncio.Event()
        self._pid: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert isinstance(transport, asyncio.SubprocessTransport)
        self._pid = transport.get_pid()

    def process_exited(self) -> None:
        if self._pid is not None:
            kill_group(self._pid)
        super().process_exited()
        self.exited.set()


def kill_group(pid: int) -> None:
    """Kills what is left of a process group; the group has the number of the process that leads it."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
