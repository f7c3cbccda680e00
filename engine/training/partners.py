"""Several processes that train the same networks on their own samples and meet now and then to average.

On a few shared CPU cores one thread per process wastes nothing on waiting, where two threads in step wait for each
other at every layer. Partners meet through files in the training folder; one that is late or gone is not waited
for long.

Source: Stich 2019, "Local SGD converges fast and communicates little", arXiv 1805.09767.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn


@dataclass(frozen=True)
class Partners:
    """Who trains together: `count` processes, this one being number `rank`, meeting every `every` seconds."""

    folder: Path
    name: str
    rank: int = 0
    count: int = 1
    every: float = 60.0
    patience: float = 10.0

    def round(self) -> int:
        """The number of the present round; the clock is the same for all partners, so nothing need be agreed."""
        return int(time.time() / self.every)

    def meet_(self, networks: nn.Module, number: int) -> int:
        """Average the weights in place with those of the partners that have come to round `number`.

        Returns: how many partners, this one included, were averaged.
        """
        mine = {key: value.detach().cpu() for key, value in networks.state_dict().items()}
        self._write(mine, number)
        found = [mine]
        for rank in range(self.count):
            if rank != self.rank:
                found += self._wait(rank, number)
        average = {
            key: torch.stack([one[key] for one in found]).mean(dim=0) if value.is_floating_point() else value
            for key, value in mine.items()
        }
        networks.load_state_dict(average)
        return len(found)

    def _path(self, rank: int) -> Path:
        return self.folder / f"{self.name}.partner{rank}.pt"

    def _write(self, state: dict[str, torch.Tensor], number: int) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = self._path(self.rank).with_suffix(".unfinished")
        torch.save({"round": number, "state": state}, unfinished)
        os.replace(unfinished, self._path(self.rank))

    def _wait(self, rank: int, number: int) -> list[dict[str, torch.Tensor]]:
        until = time.monotonic() + self.patience
        path = self._path(rank)
        while time.monotonic() < until:
            if path.exists() and time.time() - path.stat().st_mtime < self.every:
                saved = torch.load(path, map_location="cpu", weights_only=True)
                if saved["round"] >= number:
                    return [saved["state"]]
            time.sleep(0.2)
        return []
