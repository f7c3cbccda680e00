"""What companions learn from: scenes as latents with their texts, made once by the shipped model and kept."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from engine.errors import TrainingError
from engine.sampling.betas import BetaSchedule
from engine.training import captions, dataset
from engine.training.autoencoder import LATENT_SCALE
from engine.training.captions import Catalogue, Mix, Placed, Scene
from engine.training.companions.parent import Parent
from engine.training.compositions import draw as draw_picture
from engine.training.dataset import Icons
from engine.training.iconsets import icon_set
from engine.training.objective import min_snr_weights
from engine.training.packages import Packages, read_lock
from engine.training.vocabulary import core_subjects, reduced_concepts

SIDE = 128


@dataclass(frozen=True)
class Shelf:
    """Where a companion's training finds things and keeps them. `scenes`: how many to draw, None for its own number."""

    folder: Path
    parent: Path
    device: torch.device
    scenes: int | None = None

    def icons(self, styles: Sequence[str]) -> Icons:
        """All 1,239 subjects in these styles, drawn and kept when they are not here yet."""
        packages = Packages(self.folder / "packages", read_lock())
        return dataset.prepared(self.folder / "icons", packages, core_subjects(), styles, SIDE)

    def place(self, name: str) -> Path:
        """Where something made for one companion is kept."""
        return self.folder / f"companion_{name}.pt"


class Drawn(NamedTuple):
    """One batch. Shapes: pick [B]; clean, noise and noisy [B, 4, h, w]; times and weights [B]; context [B, 77, D]."""

    pick: Tensor
    clean: Tensor
    noise: Tensor
    noisy: Tensor
    times: Tensor
    context: Tensor
    weights: Tensor


@dataclass(frozen=True, eq=False)
class Samples:
    """Shapes: latents [P, 4, h, w] times 0.18215; contexts [P, 77, D]; empty [77, D], the empty caption's; half."""

    latents: Tensor
    contexts: Tensor
    empty: Tensor

    def draw(self, batch: int, generator: torch.Generator, dropout: float) -> Drawn:
        """Samples by chance, hidden in noise; `dropout` of them lose their captions."""
        alpha_bars = BetaSchedule().alpha_bars().float()
        pick = torch.randint(len(self.latents), (batch,), generator=generator)
        clean = self.latents[pick].float()
        times = torch.randint(len(alpha_bars), (batch,), generator=generator)
        noise = torch.randn(clean.shape, generator=generator)
        dropped = torch.rand(batch, generator=generator) < dropout
        context = torch.where(dropped[:, None, None], self.empty, self.contexts[pick]).float()
        noisy = hidden(clean, noise, alpha_bars[times])
        return Drawn(pick, clean, noise, noisy, times, context, min_snr_weights(alpha_bars)[times])


def hidden(clean: Tensor, noise: Tensor, alpha_bar: Tensor) -> Tensor:
    """Latents with noise on them. Shapes: alpha_bar [B]."""
    share = alpha_bar.view(-1, 1, 1, 1)
    return share.sqrt() * clean + (1 - share).sqrt() * noise


def everyday(icons: Icons, styles: Sequence[str]) -> tuple[Icons, Catalogue]:
    """The icons of the subjects that the shipped model knows, and what captions may say of them."""
    concepts = {concept.subject: concept for concept in reduced_concepts()}
    known = icons.only(concepts, styles)
    if not known.subjects:
        raise TrainingError(f"no icons of the everyday subjects in {', '.join(styles)}; delete the folder's icons")
    numbers = {cell: i for i, cell in enumerate(zip(known.styles, known.subjects, strict=True))}
    return known, Catalogue(numbers, concepts, {style: icon_set(style).phrases for style in styles})


def scenes(catalogue: Catalogue, mix: Mix, count: int, seed: int, moves: bool) -> list[Scene]:
    """Scenes by chance, the same for the same seed; with `moves` each thing stands anywhere, in another size."""
    made = captions.scenes(catalogue, mix, count, seed)
    return moved(made, seed) if moves else made


def moved(found: Sequence[Scene], seed: int) -> list[Scene]:
    """The same scenes, each thing anywhere in the picture and in another size."""
    chance = random.Random(seed)
    return [_moved(scene, chance) for scene in found]


def pixels(found: Sequence[Scene], icons: Icons, seed: int | None = None) -> Tensor:
    """The pictures of scenes; with a seed, half of them mirrored.

    Returns: [len(found), 3, SIDE, SIDE], -1 … 1.
    """
    layers = icons.layers()
    drawn = torch.stack([draw_picture(scene.picture, layers, SIDE) for scene in found])
    if seed is None:
        return drawn
    mirrored = torch.rand(len(drawn), generator=torch.Generator().manual_seed(seed)) < 0.5
    return torch.where(mirrored[:, None, None, None], drawn.flip(-1), drawn)


@torch.no_grad()
def samples(parent: Parent, pictures: Tensor, texts: list[str]) -> Samples:
    """Pictures and captions as the UNet sees them. Shapes: pictures [P, 3, H, W], -1 … 1."""
    latents = []
    for part in pictures.split(16):
        with torch.autocast(parent.device.type, torch.bfloat16):
            latents.append(parent.vae.encode(part.to(parent.device)).float().cpu() * LATENT_SCALE)
    return Samples(torch.cat(latents).half(), parent.texts(texts), parent.texts([""])[0])


def keep(path: Path, found: Samples, **more: Tensor) -> None:
    """Write samples and what else was made of the same pictures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"latents": found.latents, "contexts": found.contexts, "empty": found.empty, **more}, path)


def kept(path: Path, count: int) -> dict[str, Tensor] | None:
    """What `keep` wrote; None when there is nothing. Raises: TrainingError when it is of another number of scenes."""
    if not path.exists():
        return None
    found: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    if len(found["latents"]) != count:
        raise TrainingError(f"{path}: made for {len(found['latents'])} scenes, not {count}; delete it")
    return found


def samples_of(found: dict[str, Tensor]) -> Samples:
    """The samples among what was kept."""
    return Samples(found["latents"], found["contexts"], found["empty"])


def shrunk(pictures: Tensor, side: int, mode: str = "area") -> Tensor:
    """Pictures made smaller without steps in their outlines. Shapes: [B, 3, H, W] to [B, 3, side, side]."""
    if mode == "area":
        return interpolate(pictures, size=(side, side), mode="area")
    return interpolate(pictures, size=(side, side), mode=mode, antialias=True)


def _moved(scene: Scene, chance: random.Random) -> Scene:
    size = chance.uniform(0.55, 1.0)
    x, y = (chance.uniform(size / 2, 1 - size / 2) for _ in range(2))
    icons = tuple(Placed(placed.icon, x, y, size, placed.hue) for placed in scene.picture.icons)
    return replace(scene, picture=replace(scene.picture, icons=icons))
