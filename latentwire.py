"""Latentwire as a library: load a workflow, set its inputs by name, run it, take the pictures.

    from latentwire import load
    result = load("workflows/text_to_image.json").set("Positive.text", "blue heart, flat vector").run()
    result.images[0].save("heart.png")

This is where the parts are introduced to each other; the command line and workers stand on it.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import torch
from PIL import Image

from engine import __version__
from engine.checkpoints.load import Loader
from engine.devices import device, interruption, memory, report
from engine.devices.storage import TensorStorage
from engine.errors import LatentwireError, PromptError
from engine.files_beside import lay_out_beside
from engine.folders import Folders
from engine.graph.assign import assign, find_node
from engine.graph.cache import Budgets, Cache, Entry
from engine.graph.define import node_type
from engine.graph.describe import snapshots
from engine.graph.events import Emit
from engine.graph.executor import Executor, Outcome
from engine.graph.failure import advise
from engine.graph.prompt import Prompt
from engine.graph.registry import Registry
from engine.graph.run import never
from engine.graph.validate import Validation, validate
from engine.graph.workflow_file import path_of, read
from engine.settings import Settings
from engine.values import Clip, ControlNet, Model, Vae
from nodes import all_nodes
from nodes.sampling import Drawing

__all__ = ["Engine", "LatentwireError", "Result", "Settings", "Workflow", "load"]


WRITE_AFTER = 1.0  # seconds a node must have worked for its result to be worth a place on the disk at once


class Engine:
    """The parts, built from settings and joined up: folders, node types, the cache and the executor.

    Keep one for several runs: loaded models and results stay with it. `cache_folder` is where results go with
    --cache-disk, by default a folder of the user's; several processes need one each. `services` take the place of
    those that nodes are otherwise given, by their class.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        cache_folder: Path | None = None,
        services: Mapping[type, object] | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.folders = self.settings.folders()
        budgets = _budgets(self.settings, cache_folder or self.folders.user / "cache")
        self.cache = Cache(budgets, TensorStorage(), write_after=WRITE_AFTER)
        self.loader = Loader(
            device.choose(self.settings),
            embeddings=lambda: self.folders.folders("embeddings"),
            make_room=self._make_room,
        )
        given: Mapping[type, object] = {
            Settings: self.settings,
            Folders: self.folders,
            Loader: self.loader,
            Drawing: Drawing(self.settings),
            **(services or {}),
        }
        self.services = given
        self.registry = Registry(node_type(function, given) for function in all_nodes())
        self.executor = Executor(
            self.registry, self.cache, salt=f"{__version__} torch {torch.__version__}", advise=_advise
        )

    def close(self) -> None:
        """Writes what should outlive this process to the disk, where the settings give it room (--cache-disk)."""
        self.cache.flush()

    def snapshot(self) -> dict[str, Any]:
        """Every node type as plain data, for a process that has none of the nodes."""
        return snapshots(self.registry)

    def system(self) -> dict[str, Any]:
        """The versions that pictures may depend on."""
        return report.system()

    def devices(self) -> list[dict[str, Any]]:
        """The devices in use and their memory now, as /system_stats shows them."""
        return report.devices(self.loader.devices)

    def check(self, prompt: Mapping[str, Any], targets: Sequence[str] | None = None) -> dict[str, Any]:
        """Whether a prompt can run, authors' own checks included; may be asked from any thread.

        Returns: accepted, error, node_errors, outputs, and the prompt with its values converted, all as plain data.
        Raises: PromptError, when it is not even a graph.
        """
        checked = validate(Prompt.from_json(prompt), self.registry, targets)
        return {
            "accepted": checked.is_accepted,
            "error": checked.error(),
            "node_errors": checked.node_errors(),
            "outputs": [*checked.outputs],
            "prompt": checked.prompt.to_json(),
        }

    def free(self, *, unload_models: bool = True, free_memory: bool = True) -> None:
        """Gives memory back, between runs: that of networks and their files, and that of all results."""
        if unload_models:
            self.loader.keeper.send_all_away()
            self.cache.drop(_holds_network)
        if free_memory:
            self.executor.forget()
        for each in {self.loader.devices.main, self.loader.devices.vae}:
            memory.release_unused(each)

    def warm_up(self) -> None:
        """Imports what is slow and the first run with a text would wait for; for a thread with nothing else to do."""
        importlib.import_module("engine.text.clip")

    def stop_when(self, is_cancelled: Callable[[], bool]) -> None:
        """Has every network of this process look at this flag while it works; for a process that runs one job at once.

        A GPU's networks do not: their steps are short, and samplers look between them.
        """
        if self._computes_on_cpu:
            interruption.install(is_cancelled)

    def stoppable(self, is_cancelled: Callable[[], bool]) -> AbstractContextManager[None]:
        """The same for the networks of this thread, for as long as a `with` block lasts."""
        needs_none = is_cancelled is never or not self._computes_on_cpu
        return nullcontext() if needs_none else interruption.interruptible(is_cancelled)

    @property
    def _computes_on_cpu(self) -> bool:
        return "cpu" in (self.loader.devices.main.type, self.loader.devices.vae.type)

    def _make_room(self, where: torch.device, size: int) -> None:
        """Cached results leave a GPU before networks do."""
        if where.type != "cpu":
            self.cache.make_room_on_gpu(size)

    def load(self, source: str | Path | bytes | Mapping[str, Any]) -> "Workflow":
        """Reads a workflow in any form people keep one: API or editor JSON, a PNG or WebP that carries either.

        Pictures and latents that it loads may lie beside its file; the input folder gets those it lacks.
        Raises: PromptError, when it is none of these.
        """
        found = read(source, self.registry, prune=True, random=Random())
        file = path_of(source)
        return Workflow(self, found.prompt, found.workflow, tuple(found.notes), file)


@dataclass(frozen=True)
class Workflow:
    """A graph ready to run: API JSON, and the editor's own JSON when the file had it. Never changed, only copied.

    `file` is where it was read from; None for a graph that came without one.
    """

    engine: Engine
    prompt: Mapping[str, Any]
    editor: Mapping[str, Any] | None = None
    notes: Sequence[str] = ()
    file: Path | None = None

    def set(self, name: str, value: Any) -> "Workflow":
        """A copy whose input `name` ("KSampler.seed", by class, title or id) is `value`.

        Raises: PromptError, when the name fits no input or several.
        """
        return replace(self, prompt=assign(self.prompt, name, value, self.engine.registry))

    def check(self) -> Validation:
        """Every problem of the graph at once. What it loads from beside its file is in the input folder by then.

        Raises: PromptError, when it is not even a graph.
        """
        prompt = Prompt.from_json(self.prompt)
        if self.file is not None:
            lay_out_beside(self.file, self.prompt, self.engine.registry, self.engine.folders.input)
        return validate(prompt, self.engine.registry)

    def run(self, *, emit: Emit | None = None, is_cancelled: Callable[[], bool] = never) -> "Result":
        """Runs the graph here and now, in this process. Outputs that cannot run are left out; the result names them.

        Raises: PromptError naming every problem, when no output can run; NodeFailed, when a node failed.
        """
        checked = self._runnable()
        with self.engine.stoppable(is_cancelled):
            outcome = self.engine.executor.execute(
                checked.prompt, targets=checked.outputs, extra=self._extra(), emit=emit, is_cancelled=is_cancelled
            )
        if outcome.status == "failed":
            outcome.check()
        return Result(self, outcome, tuple(problem.text() for problem in checked.problems))

    def explain(self) -> str:
        """The order of a run, the types on its wires and what is cached, for people; runs nothing.

        Raises: PromptError naming every problem, when no output can run.
        """
        checked = self._runnable()
        rows = []
        for each in self.engine.executor.plan_report(checked.prompt, checked.outputs):
            name = f"{each.class_type} ({each.node})" + (f' "{each.title}"' if each.title else "")
            wires = f"{', '.join(each.sources) or '-'} → {', '.join(each.outputs) or 'output'}"
            rows.append((name, wires, "cached" if each.is_cached else "runs"))
        width = [max(len(row[column]) for row in rows) for column in (0, 1)]
        lines = [f"{name:<{width[0]}}  {wires:<{width[1]}}  {state}" for name, wires, state in rows]
        return "\n".join([*lines, *(f"left out: {problem.text()}" for problem in checked.problems)])

    def _runnable(self) -> Validation:
        """The graph checked, with at least one output that can run. Raises: PromptError naming every problem."""
        checked = self.check()
        if not checked.is_accepted:
            raise PromptError(checked.report())
        return checked

    def _extra(self) -> Mapping[str, Any]:
        return {} if self.editor is None else {"workflow": self.editor}


@dataclass(frozen=True)
class Result:
    """What a run made: files, pictures and values. `problems` names outputs that were left out, and why."""

    workflow: Workflow
    outcome: Outcome
    problems: Sequence[str] = ()

    @property
    def status(self) -> str:
        """succeeded or cancelled."""
        return self.outcome.status

    @property
    def files(self) -> list[Path]:
        """The pictures that were written, in the order of the nodes."""
        folders = self.workflow.engine.folders
        shown = [each for ui in self.outcome.ui.values() for each in ui.get("images", ())]
        return [folders.root(each["type"]) / each["subfolder"] / each["filename"] for each in shown]

    @property
    def images(self) -> list[Image.Image]:
        """The pictures that were written, opened."""
        return [_open(path) for path in self.files]

    def values(self, node: str) -> tuple[list[Any], ...]:
        """What a node (by id, title or class) put on its wires: a list per output, from the cache where it is there.

        An IMAGE is a tensor [B, H, W, C] in 0…1, a LATENT a dict with `samples` [B, C, h, w].
        Raises: PromptError, when there is no such node; NodeFailed.
        """
        node_id = find_node(self.workflow.prompt, node)
        prompt = self.workflow.check().prompt
        outcome = self.workflow.engine.executor.execute(prompt, targets=[node_id])
        return tuple(list(each) for each in outcome.check().values[node_id])


def _advise(error: BaseException) -> str | None:
    """What to do about an error: torch says "out of memory" in several ways that the graph side cannot know."""
    return advise(MemoryError()) if memory.is_out_of_memory(error) else advise(error)


def _holds_network(entry: Entry) -> bool:
    """Whether a result keeps a network's weights, or the file they come from, in use."""
    return any(isinstance(value, Model | Clip | Vae | ControlNet) for slot in entry.outputs for value in slot)


def _budgets(settings: Settings, folder: Path) -> Budgets:
    """What the cache may hold: what the settings say, else the cache's own measure."""
    if settings.cache_none:
        return Budgets(gpu=0, ram=0)
    said = {"gpu": settings.cache_vram, "ram": settings.cache_ram, "disk": settings.cache_disk}
    chosen = {name: budget for name, budget in said.items() if budget is not None}
    return Budgets(**chosen, folder=folder)


def _open(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


def load(source: str | Path | bytes | Mapping[str, Any], settings: Settings | None = None) -> Workflow:
    """Reads a workflow (API or editor JSON, or a picture that carries one) and readies an engine for it.

    Raises: PromptError, when it is no workflow.
    """
    return Engine(settings).load(source)
