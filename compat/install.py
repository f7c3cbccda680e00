"""Puts ComfyUI's names in place: the folder `shims` on the path, and the attributes of `nodes` and `server`.

By the composition root `services()` are handed to the Engine, and `install(engine)` says what the names stand on.
compat.plugins has them put in place (`furnish`) before it imports the first plugin: a process without plugins need not
wait for ComfyUI's modules, which take some seconds to import.
"""

import importlib
from collections.abc import Mapping
from pathlib import Path

from compat import imports
from compat.drawing import Drawing
from compat.host import Host, Outbox, settle
from compat.machine.loading import Loading
from engine.checkpoints.load import Loader
from latentwire import Engine
from nodes import sampling

SHIMS = Path(__file__).resolve().parent / "shims"

CROSSINGS: tuple[str, ...] = (
    "compat.crossings.blocker",
    "compat.crossings.clip",
    "compat.crossings.conditioning",
    "compat.crossings.control",
    "compat.crossings.gligen",
    "compat.crossings.guests",
    "compat.crossings.guider",
    "compat.crossings.hooks",
    "compat.crossings.model",
    "compat.crossings.noise",
    "compat.crossings.sampler",
    "compat.crossings.vae",
    "compat.crossings.vision",
)
"""Modules of compat.crossings, each registering its kinds of values."""

GUESTS: tuple[str, ...] = (
    "compat.core_nodes.paths",
    "compat.core_nodes.module",
    "compat.machine.room",
    "compat.prompt_server",
)
"""Modules of compat whose `furnish(host)` adds to our own packages what plugins look for there."""


def services() -> Mapping[type, object]:
    """What built-in nodes are given in the place of their own, where plugins may have a say in it."""
    return {sampling.Drawing: Drawing(), Loader: Loading()}


def install(engine: Engine, outbox: Outbox | None = None) -> Host:
    """Makes this engine what ComfyUI's module names stand on in this process."""
    made = Host(engine, outbox)
    settle(made)
    return made


def furnish(host: Host) -> None:
    """Makes the names importable, and gives our own packages what plugins look for there."""
    imports.offer(SHIMS)
    for name in CROSSINGS:
        importlib.import_module(name)
    for name in GUESTS:
        importlib.import_module(name).furnish(host)
