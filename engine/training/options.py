"""What a training run may choose, and how a command line says it. It does not need torch, so `--help` is quick."""

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

RECIPES = ("full", "reduced")
COMPANIONS = ("edges", "inpainting", "style", "upscaler")


@dataclass(frozen=True)
class Options:
    """What a run may choose. `stretch` multiplies every phase's time; `minutes` ends this run early, to go on later.

    `rank` and `processes` let several one-thread processes train the denoiser together on CPU cores: start rank 0
    first, then the others with the same options.
    """

    recipe: str = "reduced"
    folder: Path = Path("training")
    output: Path = Path("models/checkpoints/latentwire_icons.safetensors")
    device: str = "auto"
    stretch: float = 1.0
    minutes: float = math.inf
    threads: int | None = None
    rank: int = 0
    processes: int = 1
    evaluate: bool = False
    scenes: int | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a command line these options."""
    usual = Options()
    parser.add_argument(
        "--recipe", choices=RECIPES, default=None, help="icons only: full on CUDA, reduced on CPU cores"
    )
    parser.add_argument("--folder", type=Path, default=usual.folder, help="where packages, icons and states are kept")
    parser.add_argument("--output", type=Path, default=None, help="the file to write, instead of the one that ships")
    parser.add_argument("--device", default=usual.device, help="auto, cpu, cuda or cuda:N")
    parser.add_argument(
        "--stretch", type=float, default=usual.stretch, help="multiply the time of every phase, a companion's steps"
    )
    parser.add_argument(
        "--minutes", type=float, default=usual.minutes, help="stop after so long (0: only write the file)"
    )
    parser.add_argument("--threads", type=int, default=None, help="CPU threads of this process")
    parser.add_argument("--rank", type=int, default=usual.rank, help="number of this process among --processes")
    parser.add_argument("--processes", type=int, default=usual.processes, help="how many train the denoiser together")
    parser.add_argument(
        "--scenes", type=int, default=None, help="how many scenes to draw, instead of the recipe's number"
    )
    parser.add_argument("--evaluate", action="store_true", help="measure the file that was written, with sample sheets")
