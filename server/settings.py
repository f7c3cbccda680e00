"""The options of `serve`: where to listen, how many workers, what is kept, who may come in."""

import argparse
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from engine.settings import GIBIBYTE, gibibytes

LOOPBACK = "127.0.0.1"

ACCEPTED_WITH_VALUE = ("front-end-version", "default-hashing-function", "comfy-api-base", "database-url")
"""Options of ComfyUI's server about things that are done otherwise here: accepted, with what they are given."""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Everything a person may decide about the server.

    keep_jobs, keep_days: ended jobs beyond either, and the temporary files they showed, are removed; 0 keeps them for
    ever. workers: None means one per GPU, or one. worker_memory: a worker larger than that is replaced between jobs;
    worker_memory_limit: one larger than that is ended at once and its job fails; None lets the program choose.
    max_attempts: how often the end of a process may interrupt a job before it is not begun again. shows_everybody:
    whether pictures in the making go to clients that have not said they know them, as --preview-method asks for.
    front_end_root: the static folder of another frontend, which takes the editor's place at /.
    no_token: whoever reaches this computer may come in, even when it listens beyond itself.
    Units: times are seconds, sizes bytes.
    """

    listen: str = LOOPBACK
    port: int = 8188
    token: str | None = None
    no_token: bool = False
    allowed_hosts: tuple[str, ...] = ()
    enable_cors_header: str | None = None
    max_upload_size: int = 100 << 20
    workers: int | None = None
    worker_memory: int | None = None
    worker_memory_limit: int | None = None
    cancel_grace: float = 3.0
    heartbeat_timeout: float = 30.0
    stall_timeout: float = 1800.0
    plugin_timeout: float = 60.0
    max_attempts: int = 5
    keep_jobs: int = 10_000
    keep_days: float = 0.0
    watch_plugins: bool = False
    log_format: str = "text"
    shows_everybody: bool = False
    front_end_root: Path | None = None
    multi_user: bool = False
    enable_compress_response_body: bool = False
    tls_keyfile: Path | None = None
    tls_certfile: Path | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the server to a parser."""
    server = parser.add_argument_group("server")
    _add_address(server)
    _add_pages(server)
    workers = parser.add_argument_group("workers and jobs")
    _add_workers(workers)
    _add_patience(workers)
    _add_plugins(workers)
    _add_keeping(workers)


def _add_address(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--listen", metavar="IP", nargs="?", const="0.0.0.0", help=f"address to serve on (default {LOOPBACK})"
    )
    group.add_argument("--port", type=port, metavar="PORT", help="default 8188; 0 takes any that is free")
    group.add_argument(
        "--token", help="required of every client; beyond this computer, one is made and kept when none is given"
    )
    group.add_argument(
        "--no-token", action="store_true", default=None, help="let everybody in who reaches this computer"
    )
    group.add_argument(
        "--allowed-host",
        dest="allowed_hosts",
        action="append",
        metavar="NAME",
        help="another name this server is reached by",
    )
    group.add_argument(
        "--enable-cors-header",
        metavar="ORIGIN",
        nargs="?",
        const="*",
        help="let pages of another origin use the server",
    )
    group.add_argument("--max-upload-size", type=megabytes, metavar="MB", help="of one upload (default 100)")
    group.add_argument("--log-format", choices=["text", "json"], help="json: one object per line, with job and node")


def _add_pages(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--front-end-root",
        type=Path,
        metavar="DIR",
        help="static folder of a ComfyUI frontend package, to be served instead of the editor (then at /latentwire/)",
    )
    group.add_argument(
        "--multi-user", action="store_true", default=None, help="keep files and settings by the header comfy-user"
    )
    group.add_argument(
        "--enable-compress-response-body",
        action="store_true",
        default=None,
        help="pack JSON and texts for clients that take it; for slow networks",
    )
    group.add_argument("--tls-keyfile", type=Path, metavar="FILE", help="private key, to serve https; with the next")
    group.add_argument("--tls-certfile", type=Path, metavar="FILE", help="certificate, in PEM")
    for name in ACCEPTED_WITH_VALUE:
        group.add_argument(f"--{name}", metavar="VALUE", help=argparse.SUPPRESS)


def _add_workers(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--workers", type=count, metavar="N", help="how many processes draw (default: one per GPU, or one)"
    )
    group.add_argument(
        "--worker-memory",
        type=gibibytes,
        metavar="GB",
        help="replace a larger worker between jobs (default: 75%% of memory)",
    )
    group.add_argument(
        "--worker-memory-limit",
        type=gibibytes,
        metavar="GB",
        help="end a larger worker at once (default: 95%% of memory)",
    )


def _add_plugins(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--watch-plugins", action="store_true", help="import plugins again whenever their files change")
    group.add_argument(
        "--plugin-timeout",
        type=seconds,
        metavar="S",
        help="how long a plugin's import may compute nothing (default 60; 0: 180 s, as long as any import may take)",
    )


def _add_patience(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--cancel-grace", type=seconds, metavar="S", help="how long a cancelled node may ignore it (default 3)"
    )
    group.add_argument(
        "--heartbeat-timeout", type=seconds, metavar="S", help="how long a worker may be silent (default 30)"
    )
    group.add_argument(
        "--stall-timeout",
        type=seconds,
        metavar="S",
        help="how long a node may neither compute nor report (default 1800; 0: for ever)",
    )


def _add_keeping(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--max-attempts", type=count, metavar="N", help="how many interruptions end a job (default 5)")
    group.add_argument(
        "--keep-jobs", type=whole, metavar="N", help="how many ended jobs are kept (default 10000; 0: all)"
    )
    group.add_argument(
        "--keep-days", type=seconds, metavar="DAYS", help="how long ended jobs are kept (default 0: for ever)"
    )


def from_namespace(namespace: argparse.Namespace) -> ServerSettings:
    """The settings an argument parser read; what it did not read keeps its default."""
    known = {each.name for each in fields(ServerSettings)}
    given: dict[str, Any] = {
        name: value for name, value in vars(namespace).items() if name in known and value is not None
    }
    if "allowed_hosts" in given:
        given["allowed_hosts"] = tuple(given["allowed_hosts"])
    return ServerSettings(**given)


def port(text: str) -> int:
    """Reads a port. Raises: argparse.ArgumentTypeError."""
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text!r}")
    return int(text)


def whole(text: str) -> int:
    """Reads a number from 0. Raises: argparse.ArgumentTypeError."""
    if not text.isdigit() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}")
    return int(text)


def count(text: str) -> int:
    """Reads a number from 1. Raises: argparse.ArgumentTypeError."""
    if whole(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1, got {text!r}")
    return int(text)


def seconds(text: str) -> float:
    """Reads a time. Raises: argparse.ArgumentTypeError."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 1e9:
        raise argparse.ArgumentTypeError(f"expected a number from 0, got {text!r}")
    return number


def megabytes(text: str) -> int:
    """Reads a size in MB (ComfyUI's unit here), in bytes. Raises: argparse.ArgumentTypeError."""
    number = seconds(text)
    if number * (1 << 20) > 1024 * GIBIBYTE:
        raise argparse.ArgumentTypeError(f"expected a size in MB, got {text!r}")
    return int(number * (1 << 20))
