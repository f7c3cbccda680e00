"""VAE at the border: our Vae and the object plugins know; a plugin's own kind of VAE works in our nodes."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakValueDictionary

import torch
from torch import Tensor

from compat.crossing import enter, leave
from compat.parts.vae import VAE
from engine.values import NOBODY, Tile, Vae, Watch

_known: WeakValueDictionary[int, VAE] = WeakValueDictionary()


@dataclass(frozen=True, eq=False)
class AuthorsVae:
    """An autoencoder of a plugin's own making, with the members that our nodes ask a Vae for."""

    guest: Any

    @property
    def ratio(self) -> int:
        """How many pixels one latent cell is wide."""
        own = getattr(self.guest, "spacial_compression_encode", None)
        ratio = own() if callable(own) else getattr(self.guest, "downscale_ratio", 8)
        return int(ratio[-1]) if isinstance(ratio, tuple | list) else int(ratio)

    @property
    def latent_channels(self) -> Any:
        """How many numbers a latent cell has; anything, where the plugin does not say."""
        channels = getattr(self.guest, "latent_channels", None)
        return channels if isinstance(channels, int) else _Any()

    def encode(self, pixels: Tensor, watch: Watch = NOBODY) -> Tensor:
        """The latents of pictures."""
        return self._done(lambda: self.guest.encode(pixels[:, :, :, :3]), watch)

    def decode(self, latent: Tensor, watch: Watch = NOBODY) -> Tensor:
        """The pictures of latents; a video's frames one below the other."""
        return _as_pictures(self._done(lambda: self.guest.decode(latent), watch))

    def encode_tiled(self, pixels: Tensor, tile: Tile = 512, overlap: int = 64, watch: Watch = NOBODY) -> Tensor:
        """As `encode`, in tiles. Units: pixels."""
        height, width = (tile, tile) if isinstance(tile, int) else tile
        return self._done(lambda: self.guest.encode_tiled(pixels, tile_x=width, tile_y=height, overlap=overlap), watch)

    def decode_tiled(self, latent: Tensor, tile: Tile = 64, overlap: int = 16, watch: Watch = NOBODY) -> Tensor:
        """As `decode`, in tiles. Units: latent cells."""
        height, width = (tile, tile) if isinstance(tile, int) else tile
        tiled = self.guest.decode_tiled
        return _as_pictures(self._done(lambda: tiled(latent, tile_x=width, tile_y=height, overlap=overlap), watch))

    def _done(self, work: Callable[[], Any], watch: Watch) -> Tensor:
        if watch.check is not None:
            watch.check()
        result = work()
        watch.tell(1, 1)
        return torch.as_tensor(result)


class _Any:
    """Equal to every number."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


@enter.register
def _(value: Vae) -> VAE:
    if isinstance(value.guest, VAE):
        return value.guest
    known = _known.get(id(value))
    if known is None or known.ours is not value:
        known = _known[id(value)] = VAE.around(value)
    return known


@enter.register
def _(value: AuthorsVae) -> Any:
    return value.guest


@leave.register
def _(value: VAE) -> Any:
    if value.ours is None and value.foreign is None:
        return None  # as our loader says it: the checkpoint had none
    if value.ours is None or value.foreign is not None or type(value) is not VAE or _CHANGED & vars(value).keys():
        return AuthorsVae(value)
    if value.left is None:
        value.left = replace(value.ours, guest=value)
    return value.left


_CHANGED = {"encode", "decode", "encode_tiled", "decode_tiled"}


def is_vae(value: object) -> bool:
    """Whether it can do what a VAE is asked for."""
    return all(callable(getattr(value, name, None)) for name in ("encode", "decode")) and not isinstance(value, type)


def _as_pictures(pictures: Tensor) -> Tensor:
    return pictures.flatten(0, 1) if pictures.ndim == 5 else pictures
