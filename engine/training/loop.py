"""One phase of training: steps until a budget is spent, with an average of the weights, a log, and resuming.

It knows nothing of what is trained. A phase hands over its networks and a function that draws a batch and returns the
loss; everything random comes from the phase's own generator, so a resumed phase goes on exactly where it stopped.
"""

import copy
import json
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.errors import TrainingError
from engine.training.partners import Partners

Losses = Mapping[str, Tensor]
Draw = Callable[[torch.Generator], Losses]


@dataclass(frozen=True)
class Budget:
    """How long a phase may last: by the clock, by steps, or whichever ends first.

    Units: seconds are time spent training, counted over all resumed runs together.
    """

    seconds: float = math.inf
    steps: int = 2**62

    def spent(self, seconds: float, steps: int) -> float:
        """The part that is used up, 0 … 1 and beyond."""
        return max(seconds / self.seconds, steps / self.steps)


@dataclass(frozen=True)
class Settings:
    """What a phase may choose about its steps."""

    learning_rate: float
    warmup_steps: int = 100
    cooldown: float = 0.35
    ema_decay: float = 0.999
    gradient_norm: float = 1.0
    weight_decay: float = 0.01
    save_seconds: float = 180.0
    log_steps: int = 50
    seed: int = 0
    bfloat16: bool = True


class Phase:
    """A set of networks in training, its averaged copy, and its place on disk."""

    def __init__(
        self,
        name: str,
        folder: Path,
        networks: nn.ModuleDict,
        settings: Settings,
        device: torch.device,
        partners: Partners | None = None,
    ) -> None:
        self.name = name
        self.partners = partners
        self.folder = folder
        self.settings = settings
        self.device = device
        self.networks = networks.to(device)
        self.average = copy.deepcopy(self.networks).requires_grad_(False)
        trained = [p for p in self.networks.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(
            trained, lr=settings.learning_rate, betas=(0.9, 0.99), weight_decay=settings.weight_decay
        )
        self.generator = torch.Generator().manual_seed(settings.seed)
        self.step = 0
        self.seconds = 0.0

    @property
    def path(self) -> Path:
        """The file from which this phase resumes; a partner keeps its own beside the first one's."""
        rank = self.partners.rank if self.partners else 0
        return self.folder / (f"{self.name}.{rank}.pt" if rank else f"{self.name}.pt")

    def resume(self) -> bool:
        """Take up the state that an earlier run saved; False when there is none.

        A partner that joins late starts from the first one's state, with randomness of its own.

        Raises: TrainingError when the file belongs to networks of another shape.
        """
        first = self.folder / f"{self.name}.pt"
        path = self.path if self.path.exists() else first
        if not path.exists():
            return False
        state = torch.load(path, map_location="cpu", weights_only=True)
        try:
            self.networks.load_state_dict(state["networks"])
            self.average.load_state_dict(state["average"])
            self.optimiser.load_state_dict(state["optimiser"])
        except (RuntimeError, ValueError) as error:
            raise TrainingError(
                f"{path}: expected the networks of this recipe, found others; delete it to start again"
            ) from error
        if path == self.path:
            self.generator.set_state(state["generator"])
        else:
            rank = self.partners.rank if self.partners else 0
            self.generator.manual_seed(self.settings.seed + 1000 * rank + state["step"])
        self.step, self.seconds = state["step"], state["seconds"]
        return True

    def save(self) -> None:
        """Write the whole state under a temporary name, then put it in place of the last one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        state = {
            "networks": self.networks.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "generator": self.generator.get_state(),
            "step": self.step,
            "seconds": self.seconds,
        }
        unfinished = self.path.with_suffix(".unfinished")
        torch.save(state, unfinished)
        os.replace(unfinished, self.path)

    def run(self, draw: Draw, budget: Budget, deadline: float = math.inf) -> None:
        """Train until the budget is spent or the clock (`time.time()`) passes `deadline`, then save."""
        started = last_save = time.monotonic()
        before, first_step = self.seconds, self.step
        meeting = self.partners.round() if self.partners else 0
        sums: dict[str, float] = {}
        self.networks.train()
        while budget.spent(self.seconds, self.step) < 1 and time.time() < deadline:
            losses = self._step(draw, budget.spent(self.seconds, self.step))
            for key, value in losses.items():
                sums[key] = sums.get(key, 0.0) + value.item()
            now = time.monotonic()
            self.seconds = before + now - started
            if self.step % self.settings.log_steps == 0:
                self._log({key: value / self.settings.log_steps for key, value in sums.items()})
                sums = {}
            if self.partners and self.partners.round() > meeting:
                meeting = self.partners.round()
                self.partners.meet_(self.networks, meeting)
            if now - last_save > self.settings.save_seconds:
                self.save()
                last_save = now
        if self.step > first_step:
            self.save()

    def _step(self, draw: Draw, spent: float) -> Losses:
        settings = self.settings
        rate = settings.learning_rate * min(
            1.0, (self.step + 1) / settings.warmup_steps, max(0.02, (1 - spent) / settings.cooldown)
        )
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        with torch.autocast(self.device.type, torch.bfloat16, enabled=settings.bfloat16):
            losses = draw(self.generator)
        self.optimiser.zero_grad(set_to_none=True)
        losses["loss"].backward()
        torch.nn.utils.clip_grad_norm_(self.networks.parameters(), settings.gradient_norm)
        self.optimiser.step()
        self.step += 1
        decay = min(settings.ema_decay, (1 + self.step) / (10 + self.step))
        _move_average_(self.average, self.networks, decay)
        return {key: value.detach() for key, value in losses.items()}

    def _log(self, losses: Mapping[str, float]) -> None:
        record = {"phase": self.name, "step": self.step, "seconds": round(self.seconds, 1), "time": time.time()}
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(record | {key: round(value, 6) for key, value in losses.items()}) + "\n")


@torch.no_grad()
def _move_average_(average: nn.Module, networks: nn.Module, decay: float) -> None:
    slow: list[Tensor] = list(average.parameters())
    fast: list[Tensor] = [parameter.detach() for parameter in networks.parameters()]
    torch._foreach_lerp_(slow, fast, 1 - decay)
