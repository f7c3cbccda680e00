"""The server's life: it listens, tells where, and ends cleanly on the first Ctrl-C and at once on the second."""

import asyncio
import errno
import gc
import os
import signal
import socket
import ssl
import sys
from collections.abc import Callable

from aiohttp import web

from engine.errors import SettingsError
from engine.workers.outside.child import kill_group
from server import keys
from server.doorman import Doorman, request_log, room_for_connections
from server.settings import ServerSettings

GRACE = 5.0  # seconds that requests under way have to finish
KEEP_ALIVE = 75.0  # seconds that a connection may be idle between two requests
WAITING = 1024  # connections that the system may hold until they are taken
SETTLED = 3.0  # seconds after the start, when all that stays for good has been imported and made
TURN = 0.001  # seconds that a thread may keep the interpreter while the event loop waits for it


async def serve(app: web.Application, settings: ServerSettings, tell: Callable[[str], None]) -> None:
    """Serves until SIGINT or SIGTERM comes. tell: called with the address once requests are answered.

    Raises: SettingsError, when the address cannot be listened on; no worker has been started by then.
    """
    stopping = asyncio.Event()
    _take_signals(app, stopping)
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=GRACE,
        keepalive_timeout=KEEP_ALIVE,
        logger=request_log(),
        auto_decompress=False,  # aiohttp does not say where a packed body ends; requests/unpacking.py does
    )
    tls = _tls(settings)
    listening = await _bind(settings)
    try:
        await runner.setup()
        assert runner.server is not None
        doorman = Doorman(runner.server, room_for_connections())
        door = await asyncio.get_running_loop().create_server(doorman, sock=listening, backlog=WAITING, ssl=tls)
        settling = asyncio.create_task(_settle())
        tell(_address(listening, "http" if tls is None else "https"))
        await stopping.wait()
        settling.cancel()
        door.close()
    finally:
        await runner.cleanup()
        listening.close()


async def _settle() -> None:
    """Keeps the interpreter from holding up the loop.

    By default it looks through all that lives every few requests, for 15–26 ms each time (2026-11), and lets the
    threads that write and read jobs keep the loop waiting for 5 ms.
    """
    sys.setswitchinterval(TURN)
    await asyncio.sleep(SETTLED)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


async def _bind(settings: ServerSettings) -> socket.socket:
    """The address taken, before anything is started for it."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            settings.listen, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, _, _, _, address = found[0]
        return socket.create_server(address[:2], family=family, backlog=WAITING)
    except OSError as error:
        is_taken = error.errno == errno.EADDRINUSE
        where = f"--port {settings.port}" if is_taken or error.errno == errno.EACCES else f"--listen {settings.listen}"
        reasons = {
            errno.EADDRINUSE: "another program listens there already; stop it, or choose another with --port",
            errno.EACCES: "this needs rights that you do not have; choose a port above 1023",
            errno.EADDRNOTAVAIL: "this computer has no such address; give one of its own",
        }
        reason = reasons.get(error.errno or 0, f"{error.strerror or error}; give an address of this computer")
        raise SettingsError(f"{where}: {reason}") from error


def _take_signals(app: web.Application, stopping: asyncio.Event) -> None:
    def ask() -> None:
        if stopping.is_set():
            for worker in app[keys.POOL].workers:
                if worker.pid is not None:
                    kill_group(worker.pid)
            os._exit(130)
        stopping.set()

    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(each, ask)
        except NotImplementedError:  # Windows: Ctrl-C raises KeyboardInterrupt there, which ends the loop
            return


def _tls(settings: ServerSettings) -> ssl.SSLContext | None:
    """How to speak https; None for http. Raises: SettingsError."""
    key, certificate = settings.tls_keyfile, settings.tls_certfile
    if key is None and certificate is None:
        return None
    if key is None or certificate is None:
        raise SettingsError("--tls-keyfile, --tls-certfile: expected both or neither; give the other too")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"--tls-certfile {certificate}, --tls-keyfile {key}: cannot be used ({error}); give a certificate and its "
            "private key in PEM"
        ) from error
    return context


def _address(listening: socket.socket, scheme: str) -> str:
    host, port = listening.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
