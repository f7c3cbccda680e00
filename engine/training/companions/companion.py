"""What the four companions have in common, seen by the command that trains them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from engine.training.companions.easel import Easel, Wish
from engine.training.loop import Draw, Phase
from engine.training.studio import Brush

Findings = dict[str, float]
"""What a judge measured, by name; all of them are written down, good or bad."""


@dataclass(frozen=True)
class About:
    """What a companion is: the file it ships as, how many steps it takes, and whose drawings it learned from.

    Steps and not minutes, so that a run that was cut off and went on ends with the very weights of an unbroken one.
    """

    name: str
    file: Path
    steps: int
    licences: tuple[str, ...]

    def metadata(self, step: int, more: Mapping[str, object] | None = None) -> dict[str, str]:
        """What the file says of itself."""
        return {
            "companion_of": "latentwire_icons.safetensors",
            "companion": self.name,
            "steps": str(step),
            "license": "Apache-2.0",
            "learned_from": "; ".join(self.licences),
            **({} if more is None else {"latentwire": json.dumps(dict(more))}),
        }


class Companion(Protocol):
    """One companion: its training, its file and its judge."""

    about: About

    def phase(self) -> Phase:
        """A fresh training, the same every time."""

    def draw(self, phase: Phase) -> Draw:
        """What one step of the training does."""

    def export(self, phase: Phase, path: Path) -> None:
        """Write the averaged weights as the file that users load."""

    def judge(self, path: Path, folder: Path) -> Findings:
        """Measure the file as users load it, against doing without; sheets of pictures go to `folder`."""


FLUENT = (
    "Microsoft Fluent Emoji 3D, packaged by LobeHub (MIT)",
    "Microsoft Fluent Emoji Flat (MIT)",
)


def both_ways(
    parent: Path,
    wishes: Sequence[Wish],
    *,
    lora: Path | None = None,
    control: Path | None = None,
    brush: Brush | None = None,
) -> tuple[Tensor, Tensor]:
    """The same wishes drawn without and with a companion. Returns: two of [len(wishes), 3, H, W], 0 … 1."""
    without, along = Easel(parent, brush=brush), Easel(parent, lora=lora, control=control, brush=brush)
    drawn = [torch.stack([easel.draw(wish) for wish in wishes]) for easel in (without, along)]
    return drawn[0], drawn[1]


def in_rows(*columns: Tensor) -> list[Tensor]:
    """Pictures side by side for a sheet: the first of each column, then the second of each, …"""
    return [picture for row in zip(*columns, strict=True) for picture in row]
