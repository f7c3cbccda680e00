"""What plugins in the workers ask of the server, and are asked by it: messages, the queue, prompts before validation.

It stands between the pool, whose listener hands it what workers say, and the rooms that can answer.
"""

import asyncio
import logging
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from engine.errors import LatentwireError
from engine.workers.diary import Diary
from engine.workers.outside.pool import Pool
from server.events.hub import Hub
from server.jobs.job import Brief, Frame
from server.jobs.store import Jobs
from server.node_types import NodeTypes
from server.plugins.catalogue import Catalogue
from server.prompts import job_json

ON_PROMPT = 2.0
"""Seconds for plugins to look at a prompt. Source: processes.md, Validation at POST."""

DESCRIBE = 2.0  # seconds for authors' functions that compute what node types show
SELDOM = 1.0  # seconds between two times that they are asked
RELOAD = 60.0  # seconds that a request waits for workers to import plugins again
GATHERING = 0.05  # seconds in which clients may come and go before workers are told
MOST = 1000  # jobs that are handed to a plugin

Submit = Callable[[Mapping[str, Any]], Awaitable[Any]]

log = logging.getLogger(__name__)


class Refusal(LatentwireError):
    """A plugin asked for what there is not."""


class Queue(Protocol):
    """What plugins may do with the queue; the dispatcher can."""

    async def withdraw(self, jobs: Sequence[str] | None) -> list[str]:
        """Takes waiting jobs out of the queue (None: all)."""

    def interrupt(self, job: str | None = None) -> bool:
        """Asks what runs to stop."""

    def worker_of(self, client_id: str | None) -> str | None:
        """The worker that runs a job of this client."""


class PluginDesk:
    """The server's side of plugins. submit: takes the body of a POST /prompt; set by whoever has a reception."""

    submit: Submit | None = None

    def __init__(self, jobs: Jobs, hub: Hub, node_types: NodeTypes, catalogue: Catalogue, folder: Path) -> None:
        """folder: where the workers note which plugin they import."""
        self.catalogue = catalogue
        self._jobs, self._hub, self._node_types, self._folder = jobs, hub, node_types, folder
        self._pool: Pool | None = None
        self._queue: Queue | None = None
        self._described = float("-inf")
        self._describing: asyncio.Task[None] | None = None
        self._telling: asyncio.TimerHandle | None = None

    def connect(self, pool: Pool, queue: "Queue") -> None:
        """The workers, and what can be done with the queue, once there are some."""
        self._pool, self._queue = pool, queue
        self._hub.on_change = self._clients_changed
        self._node_types.refresh = self.refresh

    # --- what workers say ---

    def reported(self, worker: str, message: Mapping[str, Any]) -> None:
        """A worker has imported its plugins."""
        self.catalogue.take(worker, message)
        if self._pool is not None:
            self._pool.tell_sockets(self._hub.clients(), worker)

    def tell(self, message: Mapping[str, Any], data: bytes) -> None:
        """A plugin has something for clients. What is no message is left out."""
        event, sid = message.get("event"), message.get("sid")
        sid = None if sid is None else str(sid)
        if message.get("type") == "text":
            node, job = str(message.get("node", "")), str(message.get("job", ""))
            text = str(message.get("text", "")).encode("utf-8", "replace")
            self._hub.show(Frame("text", node, text, meta={"prompt_id": job}), sid)
        elif isinstance(event, str) and event:
            self._hub.send(event, message.get("data"), sid)
        elif isinstance(event, int) and 0 <= event < 1 << 32:
            self._hub.send_bytes(event, data, sid)

    def lost(self, worker: str, why: str) -> bool:
        """A worker ended over an import. Returns: whether it is known over which plugin's, so that it is left out."""
        crashed = Diary(self._folder, worker).conclude(why)
        for path in crashed:
            log.error("plugin %s crashed at import: %s; it is skipped until its files change", Path(path).name, why)
        return bool(crashed)

    def gone(self, worker: str) -> None:
        """A worker's process has ended."""
        for name, serving in [*self.catalogue.serving()]:
            folder = Path(serving.address.removeprefix("unix:")).parent
            if name == worker and serving.address.startswith("unix:") and folder.name.startswith("latentwire-"):
                shutil.rmtree(folder, ignore_errors=True)
        self.catalogue.drop(worker)

    async def want(self, what: str, data: Any) -> Any:
        """What a plugin asks for. Raises: LatentwireError."""
        match what:
            case "remaining":
                return self._jobs.remaining
            case "queue":
                told = [await self._jobs.many([each.id for each in now[:MOST]]) for now in self._now()]
                running, waiting = ([list(job_json.prompt_tuple(each)) for each in jobs] for jobs in told)
                return {"running": running, "pending": waiting}
            case "submit" if self.submit is not None and isinstance(data, dict):
                return await self.submit(data)
            case "delete" if self._queue is not None and isinstance(data, list):
                return await self._queue.withdraw([str(each) for each in data])
            case "clear" if self._queue is not None:
                return await self._queue.withdraw(None)
            case "interrupt" if self._queue is not None:
                return self._queue.interrupt(str(data) if data else None)
            case "history":
                return await self._history(data if isinstance(data, dict) else {})
            case "free" if self._pool is not None and isinstance(data, dict):
                unload, free = bool(data.get("unload_models")), bool(data.get("free_memory"))
                return self._pool.release(unload_models=unload or free, free_memory=free)
        raise Refusal(f"{what!r:.40}: plugins cannot ask that")

    def _now(self) -> tuple[list[Brief], list[Brief]]:
        return self._jobs.running(), self._jobs.waiting()

    async def _history(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        if asked.get("prompt_id"):
            job = await self._jobs.get(str(asked["prompt_id"]))
            return {job.id: job_json.history_entry(job)} if job is not None and job.state.is_end else {}
        most = asked.get("max_items")
        limit = min(most, MOST) if isinstance(most, int) and most >= 0 else MOST
        return {each.id: job_json.history_entry(each) for each in await self._jobs.history(limit)}

    # --- what plugins are asked ---

    async def on_prompt(self, body: Mapping[str, Any], client: str | None) -> Mapping[str, Any]:
        """The body of a POST /prompt after plugins have seen it; as it was, where none answers in time."""
        worker = self.catalogue.asked(self._queue.worker_of(client) if self._queue is not None else None)
        if worker is None or self._pool is None:
            return body
        changed = await self._pool.ask(worker, "on_prompt", dict(body), ON_PROMPT)
        return changed if isinstance(changed, dict) else body

    async def refresh(self) -> bool:
        """Has authors compute anew what their node types show, at most once a second. Returns: whether it changed."""
        if self._pool is None or not any(each.get("nodes") for each in self.catalogue.plugins):
            return False
        number = self._node_types.number
        if self._describing is None:
            if time.monotonic() - self._described < SELDOM:
                return False
            self._describing = asyncio.create_task(self._describe(self._pool))
        await asyncio.shield(self._describing)
        return self._node_types.number != number

    async def _describe(self, pool: Pool) -> None:
        try:
            for worker in [each.name for state in ("idle", "busy") for each in pool.workers if each.state == state]:
                told = await pool.ask(worker, "describe", None, DESCRIBE)
                if isinstance(told, dict):
                    self._node_types.update(told)
                break
        finally:
            self._described, self._describing = time.monotonic(), None

    async def reload(self, name: str | None) -> list[str] | None:
        """Has every worker import plugins again. Returns: their names; None, when a worker is still busy.

        Raises: Refusal, when a plugin keeps a worker from doing so.
        """
        if self._pool is None:
            return []
        told = await self._pool.reload(name, RELOAD)
        refused = [str(each["refused"]) for each in told if each is not None and each.get("refused")]
        if refused:
            raise Refusal(f"plugins were not imported again: {refused[0]}")
        if any(each is None for each in told):
            return None
        return list(dict.fromkeys(str(name) for each in told for name in each.get("plugins", ())))

    # --- who is connected ---

    def _clients_changed(self) -> None:
        if self._telling is None and self.catalogue.plugins:
            self._telling = asyncio.get_running_loop().call_later(GATHERING, self._tell_clients)

    def _tell_clients(self) -> None:
        self._telling = None
        if self._pool is not None:
            self._pool.tell_sockets(self._hub.clients())
