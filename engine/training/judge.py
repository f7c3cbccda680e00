"""The judge: is a generated picture the thing its prompt names? It needs no trained network.

Nearest icon: among the real icons of the prompt's style (all 1,239 subjects), is the one that looks most alike the
subject that was asked for? Chance is 0.08 %. Real icons degraded by blur, noise and shifts show what can be reached.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate, normalize, one_hot

from engine.training.dataset import Icons
from engine.training.packages import DATA

SIDE = 128  # Features are measured at this size; pictures of other sizes are brought to it.
DIRECTIONS = 6


@dataclass(frozen=True)
class Question:
    """One fixed prompt, and the subject and style that a right picture shows."""

    prompt: str
    subject: str
    style: str


@dataclass(frozen=True)
class Score:
    """How often the right subject is the nearest icon, or among the five nearest. `ranks` counts from 0."""

    top1: float
    top5: float
    ranks: tuple[int, ...]


def questions(recipe: str) -> tuple[Question, ...]:
    """The 100 fixed prompts of a recipe ("full" or "reduced")."""
    table = json.loads((DATA / f"judge_prompts_{recipe}.json").read_text("utf-8"))
    return tuple(Question(entry["prompt"], entry["subject"], entry["style"]) for entry in table)


class Judge:
    """Knows every real icon by its features."""

    def __init__(self, gallery: Icons) -> None:
        self.subjects = gallery.subjects
        self.styles = gallery.styles
        layers = gallery.layers()
        chunks = [features(part[:, :3] + 1 - part[:, 3:]) for part in layers.split(64)]
        self.features = torch.cat(chunks)

    def rank(self, pictures: Tensor, asked: Sequence[tuple[str, str]]) -> tuple[int, ...]:
        """How many other subjects of the asked style look more like each picture than the asked one does.

        Shapes: pictures [B, 3, H, W]; asked is B pairs of subject and style.
        Units: pixels 0 … 1.
        """
        likeness = features(pictures) @ self.features.T  # [B, N]
        ranks = []
        for row, (subject, style) in zip(likeness, asked, strict=True):
            rivals = [i for i, found in enumerate(self.styles) if found == style]
            right = next(i for i in rivals if self.subjects[i] == subject)
            ranks.append(int((row[rivals] > row[right]).sum()))
        return tuple(ranks)

    def score(self, pictures: Tensor, asked: Sequence[tuple[str, str]]) -> Score:
        """Top-1 and top-5 of the nearest-icon test; arguments as for `rank`."""
        ranks = self.rank(pictures, asked)
        top1, top5 = (sum(rank < n for rank in ranks) / len(ranks) for n in (1, 5))
        return Score(top1, top5, ranks)

    def distances(self, pictures: Tensor) -> Tensor:
        """How far each picture is from the nearest real icon of any style (0 = the same, 1 = nothing in common).

        Near zero everywhere means that the model has learned its icons by heart.

        Shapes: pictures [B, 3, H, W], units 0 … 1; returns [B].
        """
        return 1 - (features(pictures) @ self.features.T).amax(dim=1)


def features(pictures: Tensor) -> Tensor:
    """What a picture looks like from afar: colours on a 16×16 grid, directions of outlines on an 8×8 one.

    Shapes: pictures [B, 3, H, W]; returns [B, 16·16·3 + 8·8·6] of length one, so that a product is a cosine.
    Units: pixels 0 … 1, white behind.
    """
    if pictures.shape[-1] != SIDE or pictures.shape[-2] != SIDE:
        pictures = interpolate(pictures, size=(SIDE, SIDE), mode="area")
    pictures = pictures.float().clamp(0, 1)
    # White is where nothing is, so a picture is described by what it takes away from white.
    colour = normalize(adaptive_avg_pool2d(1 - pictures, 16).flatten(1))
    return torch.cat([colour, normalize(_directions(pictures).sqrt().flatten(1))], dim=1) / math.sqrt(2)


def degraded(
    pictures: Tensor, generator: torch.Generator, kernel: int = 5, noise: float = 0.1, shift: int = 4
) -> Tensor:
    """Pictures as a poor model might draw them: blurred, noisy and moved by up to `shift` pixels; the judge's own test.

    Shapes: [B, 3, H, W] in and out. Units: 0 … 1.
    """
    blurred = torch.nn.functional.avg_pool2d(pictures, kernel, 1, kernel // 2, count_include_pad=False)
    moves = torch.randint(-shift, shift + 1, (len(pictures), 2), generator=generator).tolist()
    moved = torch.stack([torch.roll(picture, move, (-2, -1)) for picture, move in zip(blurred, moves, strict=True)])
    return (moved + noise * torch.randn(moved.shape, generator=generator)).clamp(0, 1)


def _directions(pictures: Tensor) -> Tensor:
    grey = torch.nn.functional.avg_pool2d(pictures.mean(dim=1, keepdim=True), 3, 1, 1, count_include_pad=False)
    across = grey[..., 1:-1, 2:] - grey[..., 1:-1, :-2]
    down = grey[..., 2:, 1:-1] - grey[..., :-2, 1:-1]
    strength = (across**2 + down**2).sqrt()
    angle = torch.atan2(down, across) % math.pi
    bins = (angle / math.pi * DIRECTIONS).long().clamp(max=DIRECTIONS - 1)
    maps = one_hot(bins[:, 0], DIRECTIONS).permute(0, 3, 1, 2) * strength
    return adaptive_avg_pool2d(maps, 8)
