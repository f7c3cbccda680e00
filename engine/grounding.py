"""What flows on GLIGEN wires: a network that draws phrases where their boxes are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.conditioning import BoxedPhrase
from engine.devices.residency import Keeper, Part
from engine.errors import SamplingError
from engine.models.gligen import MOST
from engine.models.gligen import Gligen as Network

Patch = Callable[[Tensor, Mapping[str, Any]], Tensor]
"""A change of a transformer's tokens [B, T, D], told where in the UNet it is (engine.models.patches)."""


@dataclass(frozen=True, eq=False)
class Gligen:
    """A GLIGEN network; it changes tokens behind the self-attention of every transformer."""

    part: Part[Network]
    keeper: Keeper

    @property
    def text_width(self) -> int:
        """How many features the summary of a phrase has."""
        return self.part.module.config.text_width

    def shown(self, phrases: Sequence[BoxedPhrase], size: tuple[int, int]) -> Patch:
        """What shows these phrases to the transformers of a UNet that draws latents of this size.

        Units: size is height and width in latent cells.
        """
        objects = self._objects(phrases, size)

        def patch(x: Tensor, extra_options: Mapping[str, Any]) -> Tensor:
            index = extra_options["transformer_index"]
            self._check(index, x.shape[-1])
            place = self.part.place
            with self.keeper.using(self.part) as net, torch.no_grad():
                given = x.to(place.device, place.dtype)
                shown: Tensor = net.module_list[index](given, objects.expand(len(x), -1, -1))
            return shown.to(x)

        return patch

    def _objects(self, phrases: Sequence[BoxedPhrase], size: tuple[int, int]) -> Tensor:
        """Phrases in their boxes as tokens, [1, MOST, E]."""
        height, width = size
        boxes, masks = torch.zeros(1, MOST, 4), torch.zeros(1, MOST)
        vectors = torch.zeros(1, MOST, self.text_width)
        for index, each in enumerate(phrases[:MOST]):
            edges = (each.x / width, each.y / height, (each.x + each.width) / width, (each.y + each.height) / height)
            boxes[0, index], masks[0, index] = torch.tensor(edges), 1.0
            vectors[0, index] = each.vector.flatten()
        place = self.part.place
        with self.keeper.using(self.part) as net, torch.no_grad():
            given = [each.to(place.device, place.dtype) for each in (boxes, masks, vectors)]
            objects: Tensor = net.position_net(*given)
        return objects

    def _check(self, index: int, width: int) -> None:
        widths = self.part.module.config.widths
        if index >= len(widths) or widths[index] != width:
            fits = f"{widths[index]} channels" if index < len(widths) else f"only {len(widths)} transformers"
            raise SamplingError(
                f"{self.part.name} expects {fits} at transformer {index + 1}, this denoiser has {width} channels; it "
                "was made for another model family"
            )
