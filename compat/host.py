"""The process that plugins run in, as ComfyUI's module names see it: the engine, what runs now, and who listens.

ComfyUI's modules are globals by nature (`folder_paths.models_dir`, `PromptServer.instance`). This is the one place
where that global state is kept; every module below `shims` asks `host()` for it when it is called.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

from engine.checkpoints.load import Loader
from engine.errors import LatentwireError
from engine.folders import Folders
from engine.graph.registry import Registry
from engine.graph.run import Run
from engine.settings import Settings
from latentwire import Engine


class Outbox(Protocol):
    """Where messages to browsers go. May be used from any thread."""

    def send(self, event: str | int, data: Any, sid: str | None = None) -> None:
        """Sends JSON (event is a name) or bytes (event is a number) to one client, or to all when sid is None."""


class Nobody:
    """The outbox of a process that no browser listens to."""

    def send(self, event: str | int, data: Any, sid: str | None = None) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class Work:
    """The prompt that is being executed. prompt: API JSON; extra_data: as it was posted."""

    prompt_id: str = ""
    client_id: str | None = None
    prompt: Mapping[str, Any] = field(default_factory=dict)
    extra_data: Mapping[str, Any] = field(default_factory=dict)


_NOTHING = Work()


class Host:
    """The parts that ComfyUI's names stand on. One per process; `compat.install` makes it."""

    def __init__(self, engine: Engine, outbox: Outbox | None = None) -> None:
        self.engine = engine
        self.outbox: Outbox = outbox or Nobody()
        self.work = _NOTHING
        self._running: dict[object, Run | None] = {}  # the nodes that run now, the one called last at the end
        self.after_work: Callable[[], None] | None = None  # called when a prompt is over
        self.has_server = False  # compat.prompt_server has made one that stands on this host
        self._run: ContextVar[Run | None] = ContextVar("run", default=None)

    @property
    def settings(self) -> Settings:
        """The options this process was started with."""
        return self.engine.settings

    @property
    def folders(self) -> Folders:
        """Where files are."""
        return self.engine.folders

    @property
    def loader(self) -> Loader:
        """What reads model files; its keeper knows what is on which device."""
        return self.engine.loader

    @property
    def registry(self) -> Registry:
        """Every node type."""
        return self.engine.registry

    @property
    def run(self) -> Run | None:
        """The node that runs now: in this coroutine, or else (a thread of an author's) the one called last."""
        return self._run.get() or next(reversed([*self._running.values()]), None)

    @contextmanager
    def node(self, run: Run | None) -> Iterator[None]:
        """While an author's function is called: progress and previews are this node's."""
        token, key = self._run.set(run), object()
        self._running[key] = run
        try:
            yield
        finally:
            self._run.reset(token)
            self._running.pop(key, None)  # async nodes end in any order

    @contextmanager
    def working(self, work: Work) -> Iterator[None]:
        """While a prompt is executed."""
        before, self.work = self.work, work
        try:
            yield
        finally:
            self.work = before
            self._running.clear()  # of one that was given up nobody tells the end
            if self.after_work is not None:
                self.after_work()


_installed: list[Host] = []


def host() -> Host:
    """The host of this process. Raises: LatentwireError, where nobody installed one."""
    if not _installed:
        raise LatentwireError("ComfyUI's modules stand on a running engine; call compat.install.install(engine) first")
    return _installed[-1]


def is_installed() -> bool:
    """Whether there is a host."""
    return bool(_installed)


def settle(new: Host | None) -> None:
    """Makes this the host of the process (None: there is none any more); for compat.install and tests."""
    _installed[:] = [] if new is None else [new]
