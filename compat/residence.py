"""Where the weights of a module live, when it stands on one of the engine's parts.

A module that a ModelPatcher is about (a BaseModel, a text encoder, an autoencoder) has an attribute `residence` then.
Its weights rest where the part rests them and come to the device through the engine's keeper. A part's name for a
weight is the module's name for it without `prefix`.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor

from engine.devices import memory
from engine.devices.patches import NONE, Patches
from engine.devices.residency import Keeper, Part


class Residence:
    """One part as ComfyUI sees it: loaded and offloaded, its weights patched while it is loaded."""

    def __init__(self, part: Part[Any], keeper: Keeper, prefix: str) -> None:
        self.part, self.keeper, self.prefix = part, keeper, prefix
        self._wanted: Patches | None = None
        part.show()

    @property
    def device(self) -> torch.device:
        """Where the part works."""
        return self.part.place.device

    @property
    def dtype(self) -> torch.dtype:
        """The number format it computes in."""
        return self.part.place.dtype

    @property
    def size(self) -> int:
        """Bytes of its weights on the device."""
        return self.part.whole_size

    @property
    def loaded_size(self) -> int:
        """The same for those that are there: all, unless there is not room enough; 0 while the part is away."""
        return self.size - self.part.missing if self.part.is_here else 0

    def weights(self) -> dict[str, Tensor]:
        """The weights without any patches, under the module's names."""
        return {self.prefix + name: weight for name, weight in self.part.weights.items()}

    def bring(self, patches: Patches, working: int = 0) -> None:
        """Brings the weights to the device with exactly these patches, to stay until `send_away` or real need.

        Raises: OutOfMemory.
        """
        self._wanted = patches
        self.part.stays = True
        with self.keeper.using(self.part, patches, working):
            """It is there, and stays."""

    @contextmanager
    def using(self) -> Iterator[Any]:
        """The part's network on its device while the block lasts, with the patches it was brought for."""
        patches = self.part.patches if self._wanted is None else self._wanted
        with self.keeper.using(self.part, patches) as network:
            yield network

    def release(self) -> None:
        """The weights need not stay, nor keep their patches."""
        self._wanted = None
        self.part.stays = False

    def send_away(self) -> None:
        """The weights leave the device, unless somebody works with them."""
        self.release()
        if self.part.users == 0 and self.part.is_here:
            self.part.leave()
            memory.release_unused(self.device)

    def take_off(self) -> None:
        """The weights are on the device without patches, if they are there at all."""
        self._wanted = None if self._wanted is None else NONE
        if self.part.is_here:
            with self.keeper.using(self.part):
                """Plain again."""


class SharedResidence(Residence):
    """Several parts below one module, each with a residence of its own: SDXL's text encoders.

    A weight's name is the module's own, so there is no prefix.
    """

    def __init__(self, residences: Sequence[Residence]) -> None:
        self.residences = tuple(residences)
        self.prefix = ""

    @property
    def part(self) -> Any:  # type: ignore[override]
        """All the weights at rest."""
        return _Weights(self.weights())

    @property
    def device(self) -> torch.device:
        """Where the parts work."""
        return self.residences[0].device

    @property
    def dtype(self) -> torch.dtype:
        """The number format the first computes in."""
        return self.residences[0].dtype

    @property
    def size(self) -> int:
        """Bytes of all weights on the device."""
        return sum(each.size for each in self.residences)

    @property
    def loaded_size(self) -> int:
        """The same for those that are there."""
        return sum(each.loaded_size for each in self.residences)

    def weights(self) -> dict[str, Tensor]:
        """The weights without any patches, under the module's names."""
        return {name: weight for each in self.residences for name, weight in each.weights().items()}

    def bring(self, patches: Patches, working: int = 0) -> None:
        """Brings all of them to the device, each with its own of these patches. Raises: OutOfMemory."""
        for each in self.residences:
            own = {n[len(each.prefix) :]: patch for n, patch in patches.items() if n.startswith(each.prefix)}
            each.bring(own, working)

    @contextmanager
    def using(self) -> Iterator[Any]:
        """All the networks on their device while the block lasts."""
        with ExitStack() as stack:
            yield [stack.enter_context(each.using()) for each in self.residences]

    def release(self) -> None:
        """The weights need not stay, nor keep their patches."""
        for each in self.residences:
            each.release()

    def send_away(self) -> None:
        """The weights leave the device, unless somebody works with them."""
        for each in self.residences:
            each.send_away()

    def take_off(self) -> None:
        """The weights on the device are without patches."""
        for each in self.residences:
            each.take_off()


class _Weights:
    """What is asked of a part that stands for several."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        self.weights = weights


def residence_of(module: object) -> Residence | None:
    """The residence of a module, or None for one that holds its weights itself."""
    found = getattr(module, "residence", None)
    return found if isinstance(found, Residence) else None
