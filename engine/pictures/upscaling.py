"""Pictures made larger by a network, in tiles where the whole does not fit. Source: node_behaviour.md E."""

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from engine.devices import memory
from engine.devices.tiles import Tiling, tiled
from engine.errors import ImageError, OutOfMemory
from engine.images import need_room
from engine.models.rrdb import RRDBNet
from engine.values import NOBODY, Watch

TILES = (512, 256, 128)  # pixels
OVERLAP = 32  # pixels


class Network(Protocol):
    """What upscaling asks of a network: ours, spandrel's ImageModelDescriptor, or a plugin's own."""

    scale: Any
    model: Any

    def to(self, device: Any) -> Any:
        """Brings the weights to a device."""

    def __call__(self, x: Tensor) -> Tensor:
        """[1, C, H, W] in 0 … 1 → [1, C, H·scale, W·scale]."""


class Upscaler:
    """An RRDBNet with the members of spandrel's ImageModelDescriptor, which plugins know."""

    architecture = "ESRGAN"
    purpose = "SR"
    supports_half = True
    supports_bfloat16 = True

    def __init__(self, model: RRDBNet, name: str = "") -> None:
        self.model = model
        self.name = name
        self.scale = int(model.config.scale) if model.config.scale >= 1 else model.config.scale
        self.input_channels = model.config.channels
        self.output_channels = model.config.out_channels

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The weights' number format."""
        return next(self.model.parameters()).dtype

    def to(self, *device: Any, **options: Any) -> "Upscaler":
        """Brings the weights to a device or into a number format."""
        self.model.to(*device, **options)
        return self

    def eval(self) -> "Upscaler":
        """It never trains."""
        return self

    def __call__(self, x: Tensor) -> Tensor:
        """A picture [1, C, H, W] made larger, clamped to 0 … 1."""
        with torch.no_grad():
            return self.model(x.to(self.device, self.dtype)).clamp(0, 1)


def upscaled(
    network: Network,
    image: Tensor,
    device: torch.device,
    make_room: Callable[[int], None] = lambda size: None,
    watch: Watch = NOBODY,
) -> Tensor:
    """Pictures made larger, in tiles that are halved while they do not fit into memory.

    `make_room` is asked for so many bytes on the device. Shapes: image [B, H, W, C]. Returns: the same, larger; 0 … 1,
    on the CPU.
    Raises: ImageError, when the network is for pictures of another kind; OutOfMemory.
    """
    scale = float(network.scale)
    height, width = (round(side * scale) for side in image.shape[1:3])
    need_room((len(image), 3, height, width))
    make_room(_bytes(network, scale))
    network.to(device)
    try:
        with torch.no_grad():
            made = _in_tiles(network, image.movedim(-1, 1).float(), scale, device, watch)
    finally:
        network.to("cpu")
    return made.movedim(1, -1).clamp(0, 1)


def _bytes(network: Network, scale: float) -> int:
    """About what the network and one tile of its work take: a round guess, alike on CPUs and GPUs."""
    parameters = getattr(network.model, "parameters", tuple)
    weights = sum(each.numel() * each.element_size() for each in parameters())
    return int(weights + TILES[0] ** 2 * 3 * 4 * max(scale, 1.0) * 384)


def _in_tiles(network: Network, x: Tensor, scale: float, device: torch.device, watch: Watch) -> Tensor:
    fit = _adapted(network, x.shape[1])

    def work(piece: Tensor) -> Tensor:
        if watch.check is not None:
            watch.check()
        return fit(piece.to(device))

    for tile in TILES:
        try:
            return tiled(x, work, Tiling(tile, tile, OVERLAP), scale, watch.tell)
        except (RuntimeError, MemoryError) as error:
            if not memory.is_out_of_memory(error):
                raise
        memory.release_unused(device)
    raise OutOfMemory(
        f"{device} has no room for this upscaler even in tiles of {TILES[-1]} pixels; close other programs."
    )


def _adapted(network: Network, channels: int) -> Callable[[Tensor], Tensor]:
    """The network for pictures with so many channels: one for grey pictures sees each channel by itself."""
    wanted = getattr(network, "input_channels", channels)
    if wanted == channels:
        return network
    if wanted == 1:
        return lambda x: network(x.movedim(1, 0)).movedim(0, 1)
    if wanted == channels + 1 == 4:
        return lambda x: network(torch.cat([x, torch.ones_like(x[:, :1])], 1))[:, :3]
    raise ImageError(f"the upscaler is for pictures of {wanted} channels, these have {channels}; choose another one.")
