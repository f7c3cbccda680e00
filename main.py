"""Latentwire's command line: serve, run a saved workflow, list and explain nodes, train the embedded model.

Where everything is introduced to everything else. Without a command it serves.
"""

import argparse
import contextlib
import hashlib
import io
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, get_args

from engine import __version__, plugin_files, settings
from engine.errors import LatentwireError, TrainingError
from engine.graph import manual
from engine.graph.events import Cached, Emit, Event, Executed, Executing, Failed, Progress
from server import settings as server_settings

if TYPE_CHECKING:
    from tqdm import tqdm

    from compat.plugins.plugins import Plugins
    from engine.graph.outcome import Outcome
    from engine.workers.inside.line import Line
    from latentwire import Engine

WORKFLOW = "a saved workflow: API or editor JSON, or a PNG or WebP picture that carries one; - reads standard input"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns: the exit status: 0 for success, 1 for a problem the message explains, 2 for wrong usage, 130 for Ctrl-C.
    """
    _make_printable()
    chosen = _parser().parse_args(_with_command(sys.argv[1:] if arguments is None else arguments))
    if chosen.command not in (serve, worker):
        level = getattr(chosen, "verbose", None) or "INFO"
        logging.basicConfig(level=level, format="%(levelname)s: %(message)s")
    try:
        status: int = chosen.command(chosen)
        if sys.stdout is not None:
            sys.stdout.flush()
        return status
    except LatentwireError as error:
        print(f"latentwire: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("latentwire: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output has seen enough (`| head`); nothing may be written when Python flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def serve(chosen: argparse.Namespace) -> int:
    """Serves the HTTP API and draws what is sent to it, in worker processes."""
    import asyncio

    from server import token_file
    from server.compose import compose
    from server.serve import serve
    from server.watching import logs

    # Who watches a browser wants to see a picture grow; programs that never asked for previews are not sent any.
    chosen.shows_everybody = chosen.preview_method is not None
    chosen.preview_method = chosen.preview_method or "auto"
    serving = server_settings.from_namespace(chosen)
    common = settings.from_namespace(chosen)
    logs.configure(common.verbose, serving.log_format, secrets=[serving.token] if serving.token else [])
    settled = token_file.settle(serving, common.folders().user)
    serving = settled.settings
    logs.configure(common.verbose, serving.log_format, secrets=[serving.token] if serving.token else [])

    def tell(address: str) -> None:
        # Somebody who has closed our output, or never had it open, may still want what we serve.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            print(f"Latentwire serves on {address}", flush=True)
            for line in settled.told():
                print(line, flush=True)

    async def live() -> None:
        app = compose(common, serving, worker=_worker_command(common), versions=_versions(common))
        await serve(app, serving, tell)

    asyncio.run(live())
    return 0


def _worker_command(common: settings.Settings) -> Callable[[int], Sequence[str]]:
    """What starts worker i. LATENTWIRE_WORKER_COMMAND, a JSON list, puts another program in its place (for tests)."""
    other = os.environ.get("LATENTWIRE_WORKER_COMMAND")
    if other:
        words: list[str] = json.loads(other)
        return lambda index: words
    own = [sys.executable, str(Path(__file__).resolve()), "worker", "--settings", common.to_json()]
    return lambda index: [*own, "--index", str(index)]


def _versions(common: settings.Settings) -> str:
    """What the node types depend on: versions, the files they are written in, and plugins' files."""
    home = Path(__file__).resolve().parent
    files = sorted([*(home / "nodes").glob("*.py"), *(home / "compat").rglob("*.py")])
    stamps = [f"{each.name}:{each.stat().st_size}:{each.stat().st_mtime_ns}" for each in files]
    plugins = plugin_files.stamps(plugin_files.find(common.folders(), common))
    told = f"{' '.join(stamps)} {json.dumps(plugins)} {os.environ.get('LATENTWIRE_WORKER_COMMAND', '')}"
    return f"{__version__} {sys.version} {hashlib.blake2b(told.encode(), digest_size=20).hexdigest()}"


def worker(chosen: argparse.Namespace) -> int:
    """Runs jobs for a server; started by `serve`, which speaks to it over its standard input and output."""
    from engine.workers.inside.worker import Order, Work
    from engine.workers.inside.worker import serve as work
    from server.watching import logs

    common = settings.Settings.from_json(chosen.settings)
    logs.configure(common.verbose, "json", longest=logs.LINE)

    def build(is_cancelled: Callable[[], bool], line: "Line") -> Work:
        name = f"worker-{chosen.index}"
        engine, plugins = _engine(common, line, name=name, cache_folder=common.folders().user / "cache" / name)
        stops = plugins.stopping if plugins is not None else lambda asked: asked
        engine.stop_when(stops(is_cancelled))
        threading.Thread(target=engine.warm_up, name="warm-up", daemon=True).start()

        def execute(order: Order) -> "Outcome":
            about = order.job, order.client_id, order.prompt.to_json(), order.extra_data
            with _working(plugins, about, order.emit) as emit:
                return engine.executor.execute(
                    order.prompt,
                    targets=order.targets,
                    extra=order.extra,
                    emit=emit,
                    is_cancelled=stops(order.is_cancelled),
                    unvalidated=order.unvalidated,
                    job=order.job,
                    attempt=order.attempt,
                    preview_method=_preview_method(order.extra_data.get("preview_method")),
                )

        def close() -> None:
            engine.close()
            if plugins is not None:
                plugins.close()

        return Work(
            types=engine.snapshot,
            system=engine.system(),
            devices=engine.devices,
            execute=execute,
            check=engine.check,
            free=_freeing(engine, plugins),
            close=close,
            ask=plugins.ask if plugins is not None else lambda about, data: None,
            reload=plugins.reload if plugins is not None else lambda name: {"plugins": []},
        )

    return work(build)


def _engine(
    common: settings.Settings, line: "Line | None" = None, *, name: str = "", cache_folder: Path | None = None
) -> "tuple[Engine, Plugins | None]":
    """An engine with the plugins of its folders. Without compat there are none."""
    from latentwire import Engine  # here, because it imports torch and `--help` should not wait for that

    try:
        from compat.install import install, services
        from compat.plugins.plugins import Pipe, Plugins
    except ModuleNotFoundError as error:
        if error.name not in ("compat", "compat.install"):
            raise
        return Engine(common, cache_folder=cache_folder), None
    engine = Engine(common, cache_folder=cache_folder, services=services())
    host = install(engine, Pipe(line) if line is not None else None)
    plugins = Plugins(host, line, name=name or f"run-{os.getpid()}")
    with contextlib.redirect_stdout(sys.stderr):  # what a command prints is for who asked, not for plugins to add to
        plugins.load()
    return engine, plugins


def _freeing(engine: "Engine", plugins: "Plugins | None") -> Callable[[bool, bool], None]:
    """What gives memory back between jobs: that of plugins' networks, too, where there are plugins."""
    if plugins is None:
        return lambda unload_models, free_memory: engine.free(unload_models=unload_models, free_memory=free_memory)
    from compat.machine.room import free

    return free


def _preview_method(wanted: object) -> str | None:
    """What a prompt wants to be shown of itself in the making; None where it says nothing that we know."""
    return wanted if isinstance(wanted, str) and wanted in get_args(settings.PreviewMethod) else None


@contextlib.contextmanager
def _plugged(common: settings.Settings) -> "Iterator[tuple[Engine, Plugins | None]]":
    """An engine with its plugins, for one command."""
    engine, plugins = _engine(common)
    try:
        yield engine, plugins
    finally:
        if plugins is not None:
            plugins.close()


@contextlib.contextmanager
def _working(plugins: "Plugins | None", about: tuple[Any, ...], emit: Emit) -> Iterator[Emit]:
    """While a prompt is executed: plugins can see which one."""
    if plugins is None:
        yield emit
        return
    from compat.host import Work

    with plugins.working(Work(*about), emit) as told:
        yield told


def run(chosen: argparse.Namespace) -> int:
    """Runs a workflow and prints every file it wrote and how long each part took."""
    begun = time.perf_counter()
    with _plugged(settings.from_namespace(chosen)) as (engine, plugins):
        workflow = engine.load(_source(chosen.workflow))
        for note in workflow.notes:
            print(f"note: {note}", file=sys.stderr)
        for assignment in chosen.set:
            name, equals, value = assignment.partition("=")
            if not equals:
                raise LatentwireError(f"--set {assignment}: expected NODE.INPUT=VALUE, for example KSampler.seed=7")
            workflow = workflow.set(name, value)
        watcher = Watcher(workflow.prompt, setup=time.perf_counter() - begun)
        about = "", None, workflow.prompt, {"extra_pnginfo": {"workflow": workflow.editor}} if workflow.editor else {}
        with _interruptible() as is_cancelled, watcher, _working(plugins, about, watcher) as emit:
            stops = is_cancelled if plugins is None else plugins.stopping(is_cancelled)
            result = workflow.run(emit=emit, is_cancelled=stops)
        engine.close()
    for problem in result.problems:
        print(f"left out: {problem}", file=sys.stderr)
    for line in watcher.blocked:
        print(line, file=sys.stderr)
    for path in result.files:
        print(path)
    print(watcher.report(), file=sys.stderr)
    if result.status == "cancelled":
        print("latentwire: stopped", file=sys.stderr)
    return 130 if result.status == "cancelled" else 0


def nodes(chosen: argparse.Namespace) -> int:
    """Lists every node by category, or explains one."""
    with _plugged(settings.from_namespace(chosen)) as (engine, _):
        registry = engine.registry
    if chosen.name is not None:
        print(manual.page(registry[chosen.name]))
        return 0
    for category in sorted({each.category for each in registry}):
        print(category)
        for each in sorted((each for each in registry if each.category == category), key=lambda each: each.id):
            print(f"  {each.id:<28} {each.description.partition(chr(10))[0]}")
    return 0


def explain(chosen: argparse.Namespace) -> int:
    """Prints a workflow's order, the types on its wires and what would be cached, without running it."""
    with _plugged(settings.from_namespace(chosen)) as (engine, _):
        print(engine.load(_source(chosen.workflow)).explain())
    return 0


def train(chosen: argparse.Namespace) -> int:
    """Trains the embedded model or one of its companions; see docs/training.md."""
    from engine.training import icons

    options = icons.options(chosen)
    if chosen.what == "icons":
        icons.train(options)
        return 0
    from engine.training.companions import workshop

    if chosen.recipe:
        raise TrainingError("--recipe is for `train icons`; a companion has one recipe")
    workshop.train(chosen.what, options, chosen.output)
    return 0


class Watcher:
    """Follows a run for a person at a terminal: a progress bar while it goes on, a table of times when it is over."""

    def __init__(self, prompt: Mapping[str, Any], setup: float) -> None:
        self._titles = {node_id: f"{node.get('class_type')}" for node_id, node in prompt.items()}
        self._seconds: list[tuple[str, float]] = [("setting up", setup)]
        self._cached = 0
        self._blocked: list[str] = []
        self._bar: tqdm[Any] | None = None

    def __enter__(self) -> "Watcher":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def __call__(self, event: Event) -> None:
        match event:
            case Failed(blocked=True):  # the run goes on, and ends well
                self._close()
                self._blocked.append(f"{event.class_type} (node {event.node}): {event.message}")
            case Executing() | Failed():
                self._close()
            case Progress(node, value, maximum):
                if self._bar is None:
                    from tqdm import tqdm

                    self._bar = tqdm(total=maximum, desc=self._titles.get(node, node), leave=False, file=sys.stderr)
                self._bar.total = maximum
                self._bar.update(value - self._bar.n)
            case Cached(nodes):
                self._cached = len(nodes)
            case Executed(cached=False):
                self._close()
                name = self._titles.get(event.display_node, "")
                self._seconds.append((f"{name} ({event.display_node})", event.seconds))
            case _:
                pass

    @property
    def blocked(self) -> Sequence[str]:
        """A line for each message that kept a node from running."""
        return self._blocked

    def report(self) -> str:
        """How long each part took, the whole last."""
        rows = [*self._seconds, ("all together", sum(seconds for _, seconds in self._seconds))]
        width = max(len(name) for name, _ in rows)
        lines = [f"{name:<{width}}  {seconds:8.2f} s" for name, seconds in rows]
        return "\n".join([*lines, *([f"{self._cached} nodes were cached"] if self._cached else [])])

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


@contextlib.contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C asks the run to stop at its next step; a second one ends the program at once."""
    asked: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)


def _with_command(arguments: Sequence[str]) -> list[str]:
    """The words of the command line; those that begin with an option of `serve`, or none at all, mean `serve`."""
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help")):
        return ["serve", *arguments]
    return [*arguments]


def _make_printable() -> None:
    """A file name or a text that the terminal's encoding cannot show is shown escaped; it is no reason to fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _source(name: str) -> Path | bytes:
    return sys.stdin.buffer.read() if name == "-" else Path(name)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="latentwire", description=__doc__)
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    serving = _command(commands, "serve", serve)
    server_settings.add_arguments(serving)
    working = commands.add_parser("worker")  # not for people: without help it is not listed
    working.set_defaults(command=worker)
    working.add_argument("--settings", required=True)
    working.add_argument("--index", type=int, default=0)
    running = _command(commands, "run", run)
    running.add_argument("workflow", metavar="WORKFLOW", help=WORKFLOW)
    running.add_argument(
        "--set",
        metavar="NODE.INPUT=VALUE",
        action="append",
        default=[],
        help="change an input; NODE is an id, a title or a class. May be given several times",
    )
    listing = _command(commands, "nodes", nodes)
    listing.add_argument("name", metavar="NAME", nargs="?", help="explain this one node")
    explaining = _command(commands, "explain", explain)
    explaining.add_argument("workflow", metavar="WORKFLOW", help=WORKFLOW)
    for each in (serving, running, listing, explaining):
        settings.add_arguments(each)
    _add_training(_command(commands, "train", train))
    return parser


def _command(commands: Any, name: str, function: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    summary = (function.__doc__ or "").partition("\n")[0]
    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=summary)
    parser.set_defaults(command=function)
    return parser


def _add_training(parser: argparse.ArgumentParser) -> None:
    from engine.training.options import COMPANIONS, add_arguments

    told = "icons: the model that ships with Latentwire; the others: its companions, trained beside it"
    parser.add_argument("what", choices=["icons", *COMPANIONS], help=told)
    add_arguments(parser)


if __name__ == "__main__":
    sys.exit(main())
