"""A network that computes in another number format than its device would choose; its weights rest as they are."""

import torch

from engine.devices.device import Place
from engine.devices.residency import Part
from engine.errors import SamplingError
from engine.models.unet import UNet


class Recast(Part[UNet]):
    """A part in another format than the one `chosen` computes in, which was the device's choice."""

    def __init__(self, chosen: Part[UNet], module: UNet, dtype: torch.dtype) -> None:
        super().__init__(chosen.name, module, chosen.weights, Place(chosen.place.device, dtype))
        self.chosen = chosen


def as_chosen(part: Part[UNet]) -> Part[UNet]:
    """The part in the format that its device chose, whatever was set since."""
    return part.chosen if isinstance(part, Recast) else part


def computing_in(part: Part[UNet], dtype: torch.dtype) -> Part[UNet]:
    """The same network with the same weights at rest, cast to this format where they are used.

    Both share no memory on a device; the one that is not used leaves when there is need of room.

    Raises: SamplingError, for a network of a plugin's own, which nobody else can build a second time.
    """
    part = as_chosen(part)
    if dtype == part.place.dtype:
        return part
    network = part.module
    if not isinstance(network, UNet):
        raise SamplingError(
            f"{part.name} is a {type(network).__name__} of a plugin's own, which can only compute in "
            f"{str(part.place.dtype)[6:]}; set the number format in the plugin, or use --force-fp16 and its like"
        )
    with torch.device("meta"):
        again = UNet(network.config)
    return Recast(part, again, dtype)
