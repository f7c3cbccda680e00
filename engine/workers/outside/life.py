"""One worker process from its first frame to its death, and the task it has: what is said to it, what it says."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from engine.workers.messages import BadFrame
from engine.workers.outside.calls import Calls
from engine.workers.outside.cgroup import OomKills, resident
from engine.workers.outside.child import Child
from engine.workers.outside.contract import End, Limits, Listener, Task
from engine.workers.outside.death import Exit, classify, describe, died, was_killed
from engine.workers.outside.memory_limits import total
from engine.workers.outside.stderr import Stderr
from engine.workers.outside.watch import Watch

CLOSING = 2.0
"""Seconds between the end of the pipe and the end of the process, which has memory to give back in between."""
QUIET = 2.0
"""Seconds without another byte, after which a dead process's pipe is left to whoever still holds it."""
UNKILLABLE = 30.0
"""Seconds a killed process may take to end; longer means that it hangs in a driver."""
STOPPING = 5.0
"""Seconds a job has for unwinding when the server stops."""
EXITING = 3.0
"""Seconds for a worker without a job to exit when it was told to."""
EMPTYING = 3.0
"""Seconds for a worker to free its memory when it was told to."""
IN_A_ROW = 20
"""Messages taken from the pipe before others get their turn: reading what is there already waits for nobody."""

RECENT = 8
"""Tasks whose models a worker is believed to have."""
NEAR = 0.8
"""Of a limit: a process that large, killed by nobody we know, was killed for its size."""

LONGEST_NAME = 100
"""Characters of a node's name in the log; a prompt may hold any."""

output = logging.getLogger("worker")
log = logging.getLogger(__name__)


class Life:
    """A process that was just started. phase: starting, idle, busy, reloading, emptying, stopping or gone."""

    def __init__(self, name: str, child: Child, listener: Listener, limits: Limits, kills: OomKills) -> None:
        self.phase = "starting"
        self.task: Task | None = None
        self.devices: Sequence[Mapping[str, Any]] = ()
        self.system: Mapping[str, Any] = {}
        self.broken = ""
        self.was_ready = False
        self.was_useful = False
        self.is_spared = False
        self.child = child
        self.watch = Watch(limits)
        self._name = name
        self._listener = listener
        self._limits = limits
        self._kills = kills
        self._stderr = Stderr(self._print)
        self._verdict: End | None = None
        self._had_begun = False
        self._node: str | None = None
        self._class_type: str | None = None
        self._is_cancelled = False
        self._is_ending = False
        self._reloads = 0
        self._kills_before = 0
        self._size_at_first: int | None = None
        self._recent: deque[frozenset[str]] = deque(maxlen=RECENT)
        self._calls = Calls(name, child)

    async def live(self) -> End:
        """Listens until the process is gone, and tells the listener everything. Returns: how it ended."""
        printing = asyncio.create_task(self._stderr.read(self.child.stderr))
        reading = asyncio.create_task(self._read())
        watching = asyncio.create_task(self._keep_watch())
        try:
            await self._until_gone(reading)
            await asyncio.wait({printing}, timeout=1.0)
        finally:
            self.child.kill()
            for each in (printing, reading, watching):
                each.cancel()
            for outcome in await asyncio.gather(printing, reading, watching, return_exceptions=True):
                if isinstance(outcome, Exception):
                    log.error("%s was not looked after", self._name, exc_info=outcome, extra=self._where())
            await self.child.close()
        return await self._tell_end()

    def run(self, task: Task) -> None:
        """Gives an idle worker a task."""
        is_sent = self.child.write(_order(task))
        self.task, self.phase = task, "busy"
        self._had_begun = self._is_cancelled = False
        self._node = self._class_type = None
        self._stderr.forget()
        self._kills_before = self._kills.unexplained()
        self._recent.append(frozenset(task.models))
        self.watch.began()
        if not is_sent and self.child.code is None:
            self._give_up(died("killed", "The worker no longer listened to the server, and was ended."))

    def cancel(self, job: str) -> bool:
        """Asks for the end of a job. False: it does not run here."""
        if self.task is None or self.task.job != job:
            return False
        self._is_cancelled = True
        self.watch.cancelled()
        self.child.write({"type": "cancel", "job": job})
        return True

    async def check(self, prompt: Mapping[str, Any], targets: Sequence[str] | None, within: float) -> Any:
        """The worker's answer; None when there is none in time."""
        return await self._calls.ask(
            {"type": "check", "prompt": dict(prompt), "targets": targets and list(targets)}, within
        )

    async def ask(self, about: str, data: Any, within: float) -> Any:
        """What its plugins answer; None when there is no answer in time."""
        return await self._calls.ask({"type": "ask", "about": about, "data": data}, within)

    async def reload(self, name: str | None, within: float) -> Any:
        """Has it import plugins again as soon as it runs nothing. Returns: what came of it; None, when not yet."""
        self._reloads += 1
        if self.phase == "idle":
            self._load_again()
        return await self._calls.ask({"type": "reload", "name": name}, within)

    def tell_sockets(self, sockets: Mapping[str, Any]) -> None:
        """Says who is connected to the server."""
        if self.phase not in ("gone", "stopping"):
            self.child.write({"type": "sockets", "sockets": dict(sockets)})

    def release(self, *, unload_models: bool, free_memory: bool) -> None:
        """Asks it to free memory as soon as it runs nothing."""
        if unload_models:
            self._recent.clear()
        self.child.write({"type": "free", "unload_models": unload_models, "free_memory": free_memory})

    def end(self, *, at_once: bool = False) -> None:
        """Has the process end: now, or when what runs has stopped, for which it has some seconds."""
        self._is_ending = True
        if at_once or self.phase == "starting":
            self._give_up(died("stopped", "The server was stopped while the job ran."))
        elif self.task is not None:
            self.child.write({"type": "cancel", "job": self.task.job})
            self.watch.leave_within(STOPPING)
        else:
            self._ask_to_leave()

    @property
    def models(self) -> frozenset[str]:
        """The models it was given recently."""
        return frozenset().union(*self._recent)

    async def _read(self) -> None:
        try:
            heard = 0
            while (got := await self.child.read()) is not None:
                self.watch.heard()
                await self._hear(*got)
                heard += 1
                if heard % IN_A_ROW == 0:
                    await asyncio.sleep(0)
        except BadFrame as error:
            text = f"Something wrote into the worker's pipe to the server, where only the worker may write: {error}."
            self._give_up(died("crashed", text))
        except Exception as error:  # whatever a node writes there must end its worker, not its reader
            log.exception("%s cannot be understood", self._name, extra=self._where())
            text = _in_one_line(f"The worker sent what nobody understands: {type(error).__name__}: {error}.")
            self._give_up(died("crashed", text))

    async def _hear(self, message: dict[str, Any], data: bytes) -> None:
        match message["type"]:
            case "event":
                await self._event(message, data)
            case "beat":
                self._beat(message)
            case "done":
                await self._done(message)
            case "seen":
                if self.task is not None and message.get("job") == self.task.job:
                    self.watch.seen()
            case "types":
                await self._ready(message)
            case "answer":
                self._calls.answer(message)
            case "broken":
                self.broken = str(message.get("message", "The worker did not say why it cannot start."))
            case "importing":
                self.watch.importing(_text(message.get("plugin")) or "")
            case "plugins":
                await self._told(self._listener.plugins(self._name, message))
            case "tell" | "text":
                self._listener.tell(self._name, message, data)
            case "want":
                self._calls.want(message, partial(self._listener.want, self._name))
            case "hello":
                pass
            case other:
                log.warning("%s sent a message %.40r nobody knows", self._name, other, extra=self._where())

    async def _ready(self, message: dict[str, Any]) -> None:
        self.devices = _objects(message.get("devices"))
        self.system = message["system"] if isinstance(message.get("system"), dict) else {}
        self.was_ready = True
        self.watch.ready()
        await self._told(self._listener.types(self._name, message))
        self._measure()
        self._size_at_first = self.watch.memory
        if self.watch.is_over:
            text = "%s is larger than --worker-memory allows before it has run anything; it is kept"
            log.warning(text, self._name, extra=self._where())
        if self.phase != "starting":
            self._reloads = max(self._reloads - 1, 0)
        if self.phase in ("starting", "reloading"):
            self._rest()

    def _load_again(self) -> None:
        self.phase = "reloading"
        self.watch.importing()

    def _beat(self, message: dict[str, Any]) -> None:
        self.watch.beat(message)
        memory = message.get("memory")
        if isinstance(memory, int) and resident(self.child.pid) is None:
            self.watch.memory = memory
        if message.get("devices"):
            self.devices = _objects(message["devices"])

    async def _event(self, message: dict[str, Any], data: bytes) -> None:
        event = message.get("event")
        if not isinstance(event, dict):
            raise BadFrame(f"expected an event, got {str(message)[:80]}")
        if self.task is None or message.get("job") != self.task.job:
            return
        self._had_begun = self.was_useful = True
        self.watch.event()
        if event.get("kind") in ("Executing", "Finished"):
            self._node, self._class_type = _text(event.get("node")), _text(event.get("class_type"))
        if not (self._is_interrupted() and _is_bad_end(event)):
            await self._told(self._listener.event(self._name, self.task.job, event, data))

    async def _done(self, message: dict[str, Any]) -> None:
        task, status = self.task, message.get("status")
        if status not in ("succeeded", "failed", "cancelled"):
            raise BadFrame(f"expected a status, got {str(message)[:80]}")
        if task is None or message.get("job") != task.job:
            return
        end = End(status)
        if self._is_interrupted() and status != "succeeded":
            end = died("stopped", "The server was stopped while the job ran.")
        self.task = None
        self.was_useful = True
        self.watch.done()
        await self._told(self._listener.ended(self._name, task.job, end))
        self._rest()

    def _is_interrupted(self) -> bool:
        """Whether what runs was stopped by the server, not by a user: it will run again."""
        return self._is_ending and not self._is_cancelled

    def _rest(self) -> None:
        """There is no job: leave, free memory, or be ready for the next."""
        self._measure()
        if self._is_ending:
            self._ask_to_leave()
        elif self._reloads:
            self._load_again()
        elif self._is_too_large():
            self.phase = "emptying"
            self.release(unload_models=True, free_memory=True)
            self.watch.empty_within(EMPTYING)
        else:
            self.phase = "idle"
            try:
                self._listener.free()
            except Exception:  # as in _told
                log.exception("nobody heard that %s is free", self._name, extra=self._where())

    def _is_too_large(self) -> bool:
        """Larger than it may be between jobs, and not from the start: a new process would be smaller."""
        limit = self._limits.memory
        return self.watch.is_over and limit is not None and (self._size_at_first or 0) <= limit

    def _ask_to_leave(self) -> None:
        self.phase = "stopping"
        self.child.write({"type": "stop"})
        self.watch.leave_within(EXITING)

    async def _keep_watch(self) -> None:
        """Looks at the process several times a second."""
        loop, tick = asyncio.get_running_loop(), _tick(self._limits)
        before, received = loop.time(), self.child.received
        while self._verdict is None and self.child.code is None:
            await asyncio.sleep(tick)
            now = loop.time()
            was_listening = self.child.is_waiting or self.child.received != received
            # A longer step means that the loop was blocked or the machine asleep, and so were its timers.
            self.watch.pass_time(min(now - before, 2 * tick) if was_listening else 0.0)
            before, received = now, self.child.received
            self._measure()
            self._tidy()
            if self.child.code is None and (end := self.watch.verdict()) is not None:
                self._give_up(end)

    def _tidy(self) -> None:
        has_grown = self.phase == "idle" and self._is_too_large()
        has_shrunk = self.phase == "emptying" and not self.watch.is_over
        if has_grown or has_shrunk:
            self._rest()
        elif self.phase == "emptying" and self.watch.had_time_to_empty:
            size = self.watch.memory >> 20
            log.info("%s is replaced: it holds %d MiB and freed no more", self._name, size, extra=self._where())
            self.was_useful = True
            self._ask_to_leave()

    def _measure(self) -> None:
        size = resident(self.child.pid)
        if size is not None:
            self.watch.memory = size

    def _give_up(self, end: End) -> None:
        """Kills the process for a reason; the first one counts."""
        if self._verdict is None:
            self._verdict = end
        self.child.kill()

    async def _until_gone(self, reading: asyncio.Task[None]) -> None:
        """Returns when the process has ended and all it wrote was heard."""
        exited = asyncio.create_task(self.child.exited.wait())
        try:
            await asyncio.wait({reading, exited}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({exited}, timeout=CLOSING)
            if not exited.done():
                self._give_up(died("crashed", "The worker closed its pipe to the server and went on without it."))
                await asyncio.wait({exited}, timeout=UNKILLABLE)
            if not exited.done():
                log.error("%s (process %d) cannot be killed", self._name, self.child.pid, extra=self._where())
            await self._drain(reading)
        finally:
            exited.cancel()

    async def _drain(self, reading: asyncio.Task[None]) -> None:
        while not reading.done():
            before = self.child.received
            await asyncio.wait({reading}, timeout=QUIET)
            if self.child.is_waiting and self.child.received == before:
                return

    async def _tell_end(self) -> End:
        """Settles what was open. From here on nobody can give this worker a task."""
        was_loading = self.phase in ("starting", "reloading")
        self.phase = "gone"
        self._calls.close()
        end, task = self._how_it_ended(), self.task
        if self._is_ending:
            log.info("%s ended with %s", self._name, describe(self.child.code), extra=self._where())
        else:
            reason = _in_one_line(self.broken) or end.summary
            log.warning("%s is gone (%s): %s", self._name, end.cause, reason, extra=self._where())
        self._listener.gone(self._name)
        if was_loading and not self._is_ending and not self.broken:
            self.is_spared = self._listener.lost(self._name, self._why_lost())
        self.task = None
        if task is not None:
            await self._told(self._listener.ended(self._name, task.job, end))
        return end

    def _why_lost(self) -> str:
        """How it ended over an import, in a few words."""
        if self._verdict is not None and self._verdict.cause == "unresponsive":
            return self.watch.overdue or self._verdict.summary
        return self._verdict.summary if self._verdict is not None else describe(self.child.code)

    def _how_it_ended(self) -> End:
        if self._verdict is not None:
            is_to_blame = self._verdict.is_nodes_fault and self._had_begun
            return replace(self._verdict, is_nodes_fault=is_to_blame)
        if self._is_interrupted():
            return died("stopped", "The server was stopped while the job ran.")
        return classify(
            Exit(
                self.child.code,
                had_task=self.task is not None,
                had_begun=self._had_begun,
                out_of_memory=self._evidence_of_size(),
                cancelled=self._is_cancelled,
                lines=self._stderr.last,
            )
        )

    def _evidence_of_size(self) -> str:
        """Why somebody else's SIGKILL was for the lack of memory; "" when nothing says so."""
        if not was_killed(self.child.code):
            return ""
        size = f"{self.watch.memory / (1 << 30):.2f} GiB"
        if self._kills.unexplained() > self._kills_before:
            self._kills.explain()
            return f"the system counts it; the worker was last seen with {size}"
        room = min(self._limits.memory_limit or total(), total())
        return f"it had {size} of {room / (1 << 30):.2f}" if self.watch.memory > NEAR * room else ""

    async def _told(self, telling: Awaitable[None]) -> None:
        try:
            await telling
        except Exception:  # whatever a listener has met, its worker must be read on
            log.exception("what %s said could not be taken in", self._name, extra=self._where())

    def _print(self, line: str) -> None:
        output.info("%s", line, extra=self._where())

    def _where(self) -> Mapping[str, str | None]:
        """What a record is about. Of several nodes that run at once it is the one that began last."""
        about = {"worker": self._name}
        if self.task is None:
            return about
        return {**about, "job": self.task.job, "node": self._node, "class_type": self._class_type}


def _order(task: Task) -> dict[str, Any]:
    return {
        "type": "run",
        "job": task.job,
        "prompt": dict(task.prompt),
        "targets": list(task.targets),
        "extra": dict(task.extra),
        "unvalidated": list(task.unvalidated),
        "attempt": task.attempt,
        "client_id": task.client_id,
        "extra_data": dict(task.extra_data),
    }


def _in_one_line(text: str) -> str:
    return " ".join(text.split())


def _text(value: Any) -> str | None:
    return value[:LONGEST_NAME] if isinstance(value, str) and value else None


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _is_bad_end(event: Mapping[str, Any]) -> bool:
    """Whether an event says that its job was cancelled, or failed, which a node may well do when it is interrupted."""
    kind = event.get("kind")
    is_failure = kind == "Failed" and not event.get("blocked")
    return is_failure or kind == "Interrupted" or (kind == "Finished" and event.get("status") != "succeeded")


def _tick(limits: Limits) -> float:
    """How often to look, so that the shortest limit is kept to a fifth. Units: seconds."""
    of_one = (limits.cancel_grace, limits.unwinding, limits.heartbeat, limits.start)
    shortest = min(*of_one, limits.stall or 1.0, limits.plugin or 1.0)
    return max(0.02, min(0.25, shortest / 5))
