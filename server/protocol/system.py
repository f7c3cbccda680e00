"""The computer, what is drawn on, and the workers. Units: sizes are bytes."""

from collections.abc import Sequence
from typing import TypedDict


class ComputerInfo(TypedDict):
    """The computer and its programs."""

    os: str
    ram_total: int
    ram_free: int
    comfyui_version: str
    required_frontend_version: str
    installed_templates_version: str | None
    required_templates_version: str | None
    python_version: str
    pytorch_version: str
    embedded_python: bool
    argv: Sequence[str]


class DeviceInfo(TypedDict):
    """What a worker draws on."""

    name: str
    type: str
    index: int | None
    vram_total: int
    vram_free: int
    torch_vram_total: int
    torch_vram_free: int


class WorkerInfo(TypedDict):
    """A worker. job: what it runs; message: why it does not, in words."""

    name: str
    state: str
    pid: int | None
    job: str | None
    memory: int
    restarts: int
    message: str


class ServerInfo(TypedDict):
    """What else there is to know of this server."""

    version: str
    workers: Sequence[WorkerInfo]
    queue_remaining: int


class SystemStats(TypedDict):
    """The answer of GET /system_stats."""

    system: ComputerInfo
    devices: Sequence[DeviceInfo]
    latentwire: ServerInfo


class LogEntry(TypedDict):
    """A line of the log. t: when, in ISO 8601 and UTC; m: the line, with its end."""

    t: str
    m: str


class TerminalSize(TypedDict):
    """How large a terminal would be, in characters."""

    cols: int
    rows: int


class LogsMessage(TypedDict):
    """The answer of GET /internal/logs/raw, and the data of the message `logs`."""

    entries: Sequence[LogEntry]
    size: TerminalSize
