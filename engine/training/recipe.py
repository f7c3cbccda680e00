"""The two recipes for the embedded model: everything that may differ between them, as data.

Units: seconds are time spent in a phase, over all runs together.
"""

from dataclasses import dataclass

from engine.training.captions import REDUCED_MIX, Mix
from engine.training.iconsets import ICON_SETS
from engine.training.loop import Settings

# Kept back to be learned later: by textual inversion and DreamBooth, and as tests of putting known things together.
KEPT_BACK_SUBJECTS = frozenset({"1F9A6", "1F9A9", "1FAD6", "1FA97", "1F9A3"})  # otter flamingo teapot accordion mammoth
KEPT_BACK_CELLS = 0.05
KEPT_BACK_PAIRS = 200


@dataclass(frozen=True)
class Stage:
    """One phase of a recipe."""

    seconds: float
    batch: int
    settings: Settings


@dataclass(frozen=True)
class Recipe:
    """What is learned, from what, and how long. `finish` is a last stretch at 256 px; None leaves it out."""

    name: str
    styles: tuple[str, ...]
    is_everyday: bool
    mix: Mix
    scenes: int
    autoencoder: Stage
    text_tower: Stage
    denoiser: Stage
    finish: Stage | None
    finish_scenes: int
    decoder: Stage


FULL = Recipe(
    name="full",
    styles=tuple(found.style for found in ICON_SETS if not found.is_held_out),
    is_everyday=False,
    mix=Mix(),
    scenes=400_000,
    autoencoder=Stage(300, 256, Settings(4e-4)),
    text_tower=Stage(120, 1024, Settings(1e-3, ema_decay=0.99)),
    denoiser=Stage(720, 1024, Settings(6e-4, warmup_steps=300, ema_decay=0.9995)),
    finish=Stage(180, 256, Settings(2e-4, ema_decay=0.999)),
    finish_scenes=60_000,
    decoder=Stage(120, 32, Settings(2e-4)),
)
# Two CPU cores: what can be learned in an evening (embedded_model.md, "Schedules").
REDUCED = Recipe(
    name="reduced",
    styles=("fluent3d", "fluentflat"),
    is_everyday=True,
    mix=REDUCED_MIX,
    scenes=8_000,
    autoencoder=Stage(2_700, 16, Settings(4e-4, save_seconds=150)),
    text_tower=Stage(200, 96, Settings(1e-3, log_steps=20, ema_decay=0.98, save_seconds=60)),
    denoiser=Stage(4_800, 16, Settings(4e-4, log_steps=25, ema_decay=0.998, save_seconds=120)),
    finish=None,
    finish_scenes=0,
    decoder=Stage(900, 4, Settings(2e-4, log_steps=25, ema_decay=0.99, save_seconds=120)),
)
RECIPES = {recipe.name: recipe for recipe in (FULL, REDUCED)}
