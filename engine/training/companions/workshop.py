"""Trains a companion of the shipped model and writes its file; one command each.

    python main.py train edges --evaluate

A run that is stopped goes on where it was. Steps are counted, not minutes, and everything random comes from the phase:
the same steps give the same weights, whether they were taken in one run or in five.
"""

import json
import logging
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from engine.errors import TrainingError
from engine.training import report
from engine.training.companions.companion import Companion
from engine.training.companions.edges import Edges
from engine.training.companions.inpainting import Inpainting
from engine.training.companions.material import Shelf
from engine.training.companions.style import Style
from engine.training.companions.upscaler import Upscaler
from engine.training.loop import Budget, Phase
from engine.training.options import Options

log = logging.getLogger(__name__)

COMPANIONS: Mapping[str, Callable[[Shelf], Companion]] = {
    "edges": Edges,
    "inpainting": Inpainting,
    "style": Style,
    "upscaler": Upscaler,
}
LARGEST = 12_000_000  # bytes, all four together


def train(what: str, chosen: Options, output: Path | None, parent: Path = Options.output) -> Path:
    """Take the steps that are left and write the file.

    Returns: the file's path.
    Raises: TrainingError when data cannot be had, nothing was learned yet, or an option is for the large model only.
    """
    if chosen.processes > 1:
        raise TrainingError("--processes is for `train icons`; two companions may be trained at once instead")
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    device = torch.device(chosen.device if chosen.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu")
    companion = COMPANIONS[what](Shelf(chosen.folder, parent, device, chosen.scenes))
    path = output or companion.about.file
    phase = companion.phase()
    phase.resume()
    learn(companion, phase, Budget(steps=steps(companion, chosen.stretch)), time.time() + 60 * chosen.minutes)
    if phase.step == 0:
        raise TrainingError(f"{chosen.folder}: nothing learned yet; give `train {what}` more --minutes")
    companion.export(phase, path)
    log.info("wrote %s, %d bytes, after %d steps", path, path.stat().st_size, phase.step)
    if chosen.evaluate:
        evaluate(companion, path, chosen.folder / "report")
    return path


def steps(companion: Companion, stretch: float) -> int:
    """How many steps the whole training takes."""
    return max(1, round(companion.about.steps * stretch))


def learn(companion: Companion, phase: Phase, budget: Budget, deadline: float = math.inf) -> None:
    """Take the steps that are left; without any, no data is prepared."""
    if budget.spent(phase.seconds, phase.step) < 1 and time.time() < deadline:
        draw = companion.draw(phase)
        log.info("%s: at step %d of %d", companion.about.name, phase.step, budget.steps)
        phase.run(draw, budget, deadline)


def evaluate(companion: Companion, path: Path, folder: Path) -> None:
    """Measure the written file; numbers, sheets and the loss go to `folder`."""
    found = companion.judge(path, folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{companion.about.name}.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    losses = folder.parent / "log.jsonl"
    if losses.exists():
        own = f"companion_{companion.about.name}"
        curves = {name: points for name, points in report.losses(losses).items() if name == own}
        report.plot(curves, folder / f"{companion.about.name}_loss.png")
    log.info("%s", found)
