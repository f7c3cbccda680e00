"""A worker process: takes jobs from a pipe, runs them one after the other, and tells what happens.

Three threads: the main thread imports the nodes and executes; the control thread reads the pipe; the heart says every
second that the process lives. Knows the graph, and nothing of torch: the composition root hands in what to run.
"""

import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NoReturn

from engine.errors import Cancelled, LatentwireError
from engine.graph.events import Emit
from engine.graph.outcome import Outcome
from engine.graph.prompt import Prompt
from engine.workers.inside.channel import Channel
from engine.workers.inside.checks import Checks
from engine.workers.inside.flag import Flag
from engine.workers.inside.heart import Heart
from engine.workers.inside.inbox import Inbox, Job, Release, Reload
from engine.workers.inside.journal import Journal
from engine.workers.inside.line import Line
from engine.workers.inside.process import become_worker, report_exception
from engine.workers.messages import BadFrame

FAULT = 1
"""Exit status: the worker itself went wrong; the traceback is on stderr."""
BROKEN = 3
"""Exit status: the nodes cannot be imported; the message "broken" says why."""
LOST = 4
"""Exit status: the server is gone or does not speak our language."""
LONGEST_REASON = 1000
CLOSING = 10.0
"""Seconds that `Work.close` may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One job to execute."""

    job: str
    prompt: Prompt
    targets: Sequence[str]
    extra: Mapping[str, Any] = field(default_factory=dict)
    unvalidated: Sequence[str] = ()
    attempt: int = 1
    client_id: str | None = None
    extra_data: Mapping[str, Any] = field(default_factory=dict)
    emit: Emit
    is_cancelled: Callable[[], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What the composition root hands in: the nodes, and what can be done with them.

    types: a snapshot of every node type by id. system: versions (python_version, pytorch_version …). devices: as
    /system_stats shows them; called every few seconds on a thread of its own. check: prompt JSON and targets to
    {"accepted", "error", "node_errors", "outputs", "prompt"}; called on threads beside a running job. free:
    (unload_models, free_memory), between jobs. close: at the end. ask: what plugins are asked, by its name; called as
    check is. reload: imports plugins again (one, or None: those that changed), between jobs; returns what came of it.
    """

    types: Callable[[], Mapping[str, Any]]
    system: Mapping[str, Any]
    devices: Callable[[], Sequence[Mapping[str, Any]]]
    execute: Callable[[Order], Outcome]
    check: Callable[[Mapping[str, Any], Sequence[str] | None], Mapping[str, Any]]
    free: Callable[[bool, bool], None]
    close: Callable[[], None]
    ask: Callable[[str, Any], Any] = lambda about, data: None
    reload: Callable[[str | None], Any] = lambda name: None


Build = Callable[[Callable[[], bool], Line], Work]
"""Imports the heavy things and returns what can be done with them. It is given a function that says whether the job
that runs should stop, and the line to the server."""


def serve(build: Build) -> NoReturn:
    """Makes this process a worker until it is told to stop, or the server is gone; ends the process."""
    began = time.monotonic()
    channel = Channel(*become_worker(), on_loss=_leave)
    if hasattr(os, "register_at_fork"):
        # A child that a node forks has no part in the pipe, and must not keep it open when the worker ends.
        os.register_at_fork(after_in_child=channel.close)
    status = FAULT
    try:
        channel.send({"type": "hello", "pid": os.getpid()})
        status = Worker(channel).run(build, began)
    except BaseException:  # noqa: BLE001 -- a fault of ours, or no memory to report one of a node
        report_exception()
    finally:
        _flush()
        # Threads that nodes left behind keep nobody here.
        os._exit(status)


class Worker:
    """The three threads, and what they share."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._line = Line(channel)
        self._inbox = Inbox()
        self._checks = Checks(channel)
        self._journal: Journal | None = None
        self._is_ready = False
        self._heart = Heart(channel, self._inbox, self._catch_up)

    def run(self, build: Build, began: float) -> int:
        """The main thread's life. Returns: the exit status."""
        self._heart.start()
        threading.Thread(target=self._control, name="control", daemon=True).start()
        try:
            work = build(self._inbox.is_cancelled, self._line)
            self._announce(work, began)
        except BaseException as error:  # noqa: BLE001 -- plugins run at import; SystemExit would hide the reason
            report_exception()
            self._channel.send({"type": "broken", "message": _in_words(error)})
            return BROKEN
        _settle_memory()
        self._work_through(work)
        _close(work)
        return 0

    def _announce(self, work: Work, began: float) -> None:
        self._heart.watch(work.devices)
        self._checks.open(work.check, work.ask)
        self._tell_types(work, began)

    def _tell_types(self, work: Work, began: float) -> None:
        types = work.types()
        self._is_ready, self._heart.is_importing = True, False
        self._channel.send(
            {
                "type": "types",
                "types": types,
                "system": work.system,
                "devices": self._heart.devices,
                "seconds": time.monotonic() - began,
            }
        )

    def _work_through(self, work: Work) -> None:
        while (todo := self._inbox.next()) is not None:
            if isinstance(todo, Release):
                _release(work, todo)
            elif isinstance(todo, Reload):
                self._reload(work, todo)
            else:
                status = self._execute(work, todo)
                self._inbox.done()
                self._channel.send({"type": "done", "job": todo.id, "status": status})
                gc.collect()  # exceptions hold frames in rings, and frames hold tensors

    def _execute(self, work: Work, job: Job) -> str:
        """Runs a job. Returns: its status; whatever is raised ends the job and not the worker."""
        journal = self._journal = Journal(job.id, self._channel)
        try:
            status = work.execute(_order(job, journal)).status
            journal.end(status)
        except Cancelled:
            journal.cancel()
            status = "cancelled"
        except BaseException as error:  # noqa: BLE001 -- nodes may raise anything, KeyboardInterrupt and SystemExit too
            if not isinstance(error, LatentwireError):
                report_exception()
            journal.fail(error)
            status = "failed"
        if not self._channel.is_open:
            os._exit(1)  # a copy of this process, forked by a node that let it return
        self._journal = None
        return status

    def _reload(self, work: Work, wish: Reload) -> None:
        """Has plugins imported again; whatever comes of that, the server hears of the types and of the end."""
        began = time.monotonic()
        self._heart.is_importing = True
        answer: dict[str, Any] = {}
        try:
            answer["result"] = work.reload(wish.name)
        except BaseException as error:  # noqa: BLE001 -- plugins run at import
            report_exception()
            answer["error"] = _in_words(error)
        self._tell_types(work, began)
        self._channel.send({"type": "answer", "call": wish.call, **answer})
        gc.collect()

    def _catch_up(self) -> None:
        journal = self._journal
        if journal is not None:
            journal.catch_up()

    def _control(self) -> None:
        """Reads the pipe until its end, which is the end of the process."""
        try:
            while (received := self._channel.receive()) is not None:
                self._obey(received[0])
        except (BadFrame, OSError) as error:
            print(f"worker: the server cannot be understood: {error}", file=sys.stderr)  # noqa: T201 -- stderr is the log
        except BaseException:  # noqa: BLE001 -- without this thread nobody could stop the worker
            report_exception()
        finally:
            os._exit(LOST)

    def _obey(self, message: Mapping[str, Any]) -> None:
        match message["type"]:
            case "run":
                job = str(message["job"])
                seen = {"type": "seen", "job": job}
                self._inbox.add(Job(job, message, Flag(lambda: self._channel.send(seen))))
            case "cancel":
                self._inbox.cancel(message["job"])
            case "check" | "ask":
                self._checks.answer(message)
            case "given" | "sockets":
                self._line.hear(message)
            case "reload":
                self._inbox.reload(Reload(message.get("call"), message.get("name")))
            case "free":
                self._inbox.release(Release(bool(message.get("unload_models")), bool(message.get("free_memory"))))
            case "stop":
                self._inbox.stop()
                if not self._is_ready:
                    os._exit(0)  # importing takes long, and nothing would come of it


def _order(job: Job, journal: Journal) -> Order:
    message = job.message
    return Order(
        job=job.id,
        prompt=Prompt.from_json(message["prompt"]),
        targets=message["targets"],
        extra=message.get("extra") or {},
        unvalidated=message.get("unvalidated") or (),
        attempt=message.get("attempt") or 1,
        client_id=message.get("client_id"),
        extra_data=message.get("extra_data") or {},
        emit=journal.emit,
        is_cancelled=job.flag.is_cancelled,
    )


def _settle_memory() -> None:
    """What has been imported stays; collecting after a job need not look at it again."""
    gc.collect()
    gc.freeze()


def _release(work: Work, wish: Release) -> None:
    try:
        work.free(wish.unload_models, wish.free_memory)
    except Exception:  # noqa: BLE001 -- drivers and plugins free here; the next job may run all the same
        report_exception()


def _close(work: Work) -> None:
    """Closes what the worker holds, for a while at most."""
    deadline = threading.Timer(CLOSING, os._exit, (0,))
    deadline.daemon = True
    deadline.start()
    try:
        work.close()
    except BaseException:  # noqa: BLE001 -- the process ends now, whatever plugins think of it
        report_exception()


def _in_words(error: BaseException) -> str:
    """One line that says why the worker cannot start."""
    text = " ".join(str(error).split())[:LONGEST_REASON]
    return text if isinstance(error, LatentwireError) and text else f"{type(error).__name__}: {text}".rstrip(": ")


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # closed by the server, or by a node, or never there
            stream.flush()


def _leave(error: OSError) -> NoReturn:
    """The server cannot be reached: nobody needs what this process does."""
    with suppress(OSError):
        os.write(2, f"worker: the pipe to the server is lost ({error.strerror})\n".encode())
    os._exit(LOST)
