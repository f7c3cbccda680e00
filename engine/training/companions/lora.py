"""What companions that are LoRAs have in common: the networks they train, what they learn from and their files."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from engine.checkpoints.save import save_tensors
from engine.training.captions import Scene
from engine.training.companions import material
from engine.training.companions.companion import About, Findings
from engine.training.companions.low_rank import LowRank
from engine.training.companions.material import Samples, Shelf
from engine.training.companions.parent import Parent, taken_apart
from engine.training.loop import Draw, Phase, Settings

RANK = 4
BATCH = 8
SETTINGS = Settings(1e-3, ema_decay=0.99, save_seconds=120, log_steps=25, weight_decay=0.0)


class LoraCompanion(ABC):
    """A LoRA for the shipped model's denoiser: its training and its file.

    `scenes` are so many pictures to learn from, unless the shelf says otherwise.
    """

    about: About
    scenes: int

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    def phase(self) -> Phase:
        """A fresh training, which begins as no change."""
        parent = self._parent()
        torch.manual_seed(SETTINGS.seed)
        networks = nn.ModuleDict({"lora": LowRank(parent.unet, RANK, self.changes)})
        return Phase(f"companion_{self.about.name}", self.shelf.folder, networks, SETTINGS, parent.device)

    def draw(self, phase: Phase) -> Draw:
        """What one step of the training does."""
        parent = self._parent()
        return self.step(parent, self._samples(parent), phase)

    def export(self, phase: Phase, path: Path) -> None:
        """Write the averaged weights in half precision under kohya's names."""
        lora = cast(LowRank, phase.average["lora"])
        tensors = {name: each.cpu() for name, each in lora.tensors(self._parent().unet).items()}
        save_tensors(path, tensors, lora.metadata(self.about.metadata(phase.step)))

    @abstractmethod
    def changes(self, module: str) -> bool:
        """Whether it changes this layer of the UNet."""

    @abstractmethod
    def step(self, parent: Parent, samples: Samples, phase: Phase) -> Draw:
        """What one step of the training does, with what it learns from."""

    @abstractmethod
    def learned(self, count: int) -> tuple[list[Scene], Tensor]:
        """So many pictures to learn from. Returns: what is in them, and [count, 3, H, W], -1 … 1."""

    @abstractmethod
    def judge(self, path: Path, folder: Path) -> Findings:
        """Measure the file as users load it, against doing without; sheets of pictures go to `folder`."""

    def _parent(self) -> Parent:
        return taken_apart(self.shelf.parent, self.shelf.device)

    def _samples(self, parent: Parent) -> Samples:
        count = self.shelf.scenes or self.scenes
        path = self.shelf.place(f"{self.about.name}_scenes")
        found = material.kept(path, count)
        if found is None:
            scenes, pictures = self.learned(count)
            material.keep(path, material.samples(parent, pictures, [scene.caption for scene in scenes]))
            found = material.kept(path, count)
        assert found is not None
        return material.samples_of(found)
