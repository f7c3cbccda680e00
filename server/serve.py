"""The server's life: it listens, tells where, and ends cleanly on the first Ctrl-C and at once on the second."""

import asyncio
import errno
import gc
import os
import signal
import sys
from collections.abc import Callable

from aiohttp import web

from engine.errors import SettingsError
from server import keys
from server.settings import ServerSettings

GRACE = 5.0  # seconds that requests under way have to finish
SETTLED = 3.0  # seconds after the start, when all that stays for good has been imported and made
TURN = 0.001  # seconds that a thread may keep the interpreter while the event loop waits for it


async def serve(app: web.Application, settings: ServerSettings, tell: Callable[[str], None]) -> None:
    """Serves until SIGINT or SIGTERM comes. tell: called with the address once requests are answered.

    Raises: SettingsError, when the address cannot be listened on.
    """
    stopping = asyncio.Event()
    _take_signals(app, stopping)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=GRACE)
    try:
        await runner.setup()
        site = web.TCPSite(runner, settings.listen, settings.port, backlog=1024)
        await _listen(site, settings)
        tell(_address(runner, settings))
        settling = asyncio.create_task(_settle())
        await stopping.wait()
        settling.cancel()
    finally:
        await runner.cleanup()


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


async def _listen(site: web.TCPSite, settings: ServerSettings) -> None:
    try:
        await site.start()
    except OSError as error:
        where = f"--port {settings.port}" if error.errno == errno.EADDRINUSE else f"--listen {settings.listen}"
        reasons = {
            errno.EADDRINUSE: "another program listens there already; stop it, or choose another with --port",
            errno.EACCES: "this needs rights that you do not have; choose a port above 1023",
            errno.EADDRNOTAVAIL: "this computer has no such address",
        }
        reason = reasons.get(error.errno or 0, error.strerror or str(error))
        raise SettingsError(f"{where}: {reason}") from error


def _take_signals(app: web.Application, stopping: asyncio.Event) -> None:
    def ask() -> None:
        if stopping.is_set():
            for worker in app[keys.POOL].workers:
                if worker.pid is not None:
                    _kill(worker.pid)
            os._exit(130)
        stopping.set()

    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(each, ask)
        except NotImplementedError:  # Windows: Ctrl-C raises KeyboardInterrupt there, which ends the loop
            return


def _kill(pid: int) -> None:
    try:
        os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    except OSError:
        return  # it has gone by itself


def _address(runner: web.AppRunner, settings: ServerSettings) -> str:
    host, port = runner.addresses[0][:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
