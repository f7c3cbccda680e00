"""The VAE object of ComfyUI, `comfy.sd.VAE`: pictures [B, H, W, 3] of 0 … 1 to latents and back, over engine.values.

Latents are those of the autoencoder itself; scales belong to the denoiser's latent format.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import comfy.model_patcher
import torch
from torch import Tensor, nn

from compat.dress import dress
from compat.host import host
from compat.residence import Residence
from engine import values
from engine.checkpoints.tensors import in_memory
from engine.devices.residency import Part
from engine.errors import CheckpointError
from engine.images import crop_to_multiple

_TILE, _OVERLAP = 64, 16  # latent cells; node_behaviour.md 3


class VAE:
    """An autoencoder as plugins hold it. From a state dict; call `throw_exception_if_invalid` afterwards."""

    def __init__(
        self,
        sd: Mapping[str, Tensor] | None = None,
        device: Any = None,
        config: Any = None,
        dtype: torch.dtype | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self.invalid = ""
        self.ours: values.Vae | None = None  # what it was made from
        if sd:
            try:
                self.ours = host().loader.vae(in_memory("a state dict", sd, metadata))
            except CheckpointError as error:
                self.invalid = str(error)
        self._settle(device, dtype)

    @classmethod
    def around(cls, vae: values.Vae) -> "VAE":
        """A VAE object over one of our autoencoders."""
        made = cls.__new__(cls)
        made.invalid, made.ours = "", vae
        made._settle(None, None)
        return made

    def _settle(self, device: Any, dtype: torch.dtype | None) -> None:
        place = host().loader.devices.place("vae") if self.ours is None else self.ours.part.place
        self.foreign: Any = None
        self.left: values.Vae | None = None  # as it went on over a wire
        self.device = torch.device(device) if device is not None else place.device
        self.output_device = torch.device("cpu")
        self.vae_dtype = dtype or place.dtype
        self.working_dtypes = [torch.bfloat16, torch.float32]
        ratio = 8 if self.ours is None else self.ours.ratio
        self.downscale_ratio: Any = ratio
        self.upscale_ratio: Any = ratio
        self.latent_channels = 4 if self.ours is None else self.ours.latent_channels
        self.latent_dim = 2
        self.output_channels = 3
        self.downscale_index_formula: Any = None
        self.upscale_index_formula: Any = None
        self.extra_1d_channel: Any = None
        self.disable_offload = False
        self.not_video = False
        self.crop_input = True
        self.size: int | None = None
        self.process_input: Callable[[Tensor], Tensor] = lambda image: image * 2.0 - 1.0
        self.process_output: Callable[[Tensor], Tensor] = lambda image: ((image + 1.0) / 2.0).clamp(0.0, 1.0)
        self.memory_used_encode: Callable[..., Any] = self._memory(0.75)
        self.memory_used_decode: Callable[..., Any] = self._memory(1.0, ratio * ratio)
        self.patcher: Any = None
        if self.ours is not None:
            network: Any = dress(self.ours.part.module)
            network.residence = Residence(self.ours.part, self.ours.keeper, "")
            self.patcher = comfy.model_patcher.ModelPatcher(
                network, load_device=self.device, offload_device=torch.device("cpu")
            )

    def _memory(self, share: float, pixels_per_cell: int = 1) -> Callable[..., Any]:
        """About how many bytes a shape takes at work: four tensors of the finest level's widest layer at once."""
        config = None if self.ours is None else getattr(self.ours.part.module, "config", None)
        widest = 256 if config is None else config.channels * 2

        def used(shape: Any, dtype: torch.dtype) -> float:
            pixels = shape[-2] * shape[-1] * pixels_per_cell
            return pixels * widest * 4 * share * torch.empty((), dtype=dtype).element_size()

        return used

    def throw_exception_if_invalid(self) -> None:
        """Raises: RuntimeError, when there was no autoencoder among the tensors it was made from."""
        if self.ours is None and self.foreign is None:
            raise RuntimeError(
                "VAE is invalid: None; the checkpoint has no VAE inside, load one with a VAE loader"
                + (f" ({self.invalid})" if self.invalid else "")
            )

    @property
    def first_stage_model(self) -> Any:
        """The autoencoder's module, on its device: `encode` of -1 … 1, and `decode` to -1 … 1."""
        if self.foreign is not None:
            return self.foreign
        if self.ours is None:
            return None
        with self.ours.part.module.residence.using() as network:  # type: ignore[union-attr, operator]
            return network

    @first_stage_model.setter
    def first_stage_model(self, network: Any) -> None:
        self.foreign = network

    def working(self) -> values.Vae:
        """What encodes and decodes: our autoencoder, or the module that a plugin put in its place."""
        self.throw_exception_if_invalid()
        if self.foreign is not None:
            place = host().loader.devices.place("vae")
            part = Part("a plugin's autoencoder", Foreign(self.foreign, self), {}, place)
            return values.Vae(part, host().loader.keeper)  # type: ignore[arg-type]
        assert self.ours is not None
        return self.ours

    def decode(self, samples_in: Tensor, vae_options: Mapping[str, Any] | None = None) -> Tensor:
        """Pictures [B, H, W, 3] of 0 … 1; of a video's latents [B, C, T, h, w] frames [B, T, H, W, 3]."""
        return _in_frames(self.working().decode(samples_in), samples_in).to(self.output_device)

    def encode(self, pixel_samples: Tensor) -> Tensor:
        """Latents [B, C, h, w] of pictures, cut to a multiple of the ratio around their middle."""
        return self.working().encode(pixel_samples).to(self.output_device)

    def decode_tiled(
        self,
        samples: Tensor,
        tile_x: int | None = None,
        tile_y: int | None = None,
        overlap: int | None = None,
        tile_t: int | None = None,
        overlap_t: int | None = None,
    ) -> Tensor:
        """As `decode`, in tiles. Units: latent cells."""
        tile = tile_y or _TILE, tile_x or _TILE
        done = self.working().decode_tiled(samples, tile, _OVERLAP if overlap is None else overlap)
        return _in_frames(done, samples).to(self.output_device)

    def encode_tiled(
        self,
        pixel_samples: Tensor,
        tile_x: int | None = None,
        tile_y: int | None = None,
        overlap: int | None = None,
        tile_t: int | None = None,
        overlap_t: int | None = None,
    ) -> Tensor:
        """As `encode`, in tiles. Units: pixels."""
        tile = tile_y or 512, tile_x or 512
        return (
            self.working().encode_tiled(pixel_samples, tile, 64 if overlap is None else overlap).to(self.output_device)
        )

    def decode_tiled_(self, samples: Tensor, tile_x: int = 64, tile_y: int = 64, overlap: int = 16) -> Tensor:
        """The pictures of `decode_tiled` as the network has them: [B, 3, H, W]."""
        return self.decode_tiled(samples, tile_x, tile_y, overlap).movedim(-1, 1)

    def encode_tiled_(self, pixel_samples: Tensor, tile_x: int = 512, tile_y: int = 512, overlap: int = 64) -> Tensor:
        """As `encode_tiled`, of pictures as the network has them: [B, 3, H, W]."""
        return self.encode_tiled(pixel_samples.movedim(1, -1), tile_x, tile_y, overlap)

    def decode_tiled_1d(self, samples: Tensor, tile_x: int = 128, overlap: int = 32) -> Tensor:
        """Raises: CheckpointError; no autoencoder for sound can be loaded yet."""
        raise CheckpointError("VAE.decode_tiled_1d: autoencoders for sound are not supported yet; use decode")

    def decode_tiled_3d(
        self,
        samples: Tensor,
        tile_t: int = 999,
        tile_x: int = 32,
        tile_y: int = 32,
        overlap: Any = (1, 8, 8),
    ) -> Tensor:
        """The frames of a video's latents in tiles, as a network has them: [B, 3, T, H, W]."""
        return self.decode_tiled(samples, tile_x, tile_y, int(overlap[-1])).movedim(-1, 1)

    def vae_encode_crop_pixels(self, pixels: Tensor) -> Tensor:
        """Pictures [B, H, W, C] cut to a multiple of the ratio around their middle."""
        if not self.crop_input:
            return pixels
        return crop_to_multiple(pixels.movedim(-1, 1), self.spacial_compression_encode()).movedim(1, -1)

    def spacial_compression_encode(self) -> int:
        """How many pixels one latent cell is wide."""
        return _last(self.downscale_ratio)

    def spacial_compression_decode(self) -> int:
        """How many pixels one latent cell becomes."""
        return _last(self.upscale_ratio)

    def temporal_compression_decode(self) -> int | None:
        """How many frames one latent of a video becomes; None for pictures."""
        ratio = self.upscale_ratio
        return round(ratio[0](8192) / 8192) if isinstance(ratio, tuple | list) and callable(ratio[0]) else None

    def model_size(self) -> int:
        """Bytes of its weights."""
        if self.size is None:
            weights = self.get_sd().values()
            self.size = sum(tensor.numel() * tensor.element_size() for tensor in weights)
        return self.size

    def get_sd(self) -> dict[str, Tensor]:
        """Its weights as they are stored, by the network's own names."""
        if self.foreign is None and self.ours is not None:
            return dict(self.ours.part.weights)
        return {} if self.foreign is None else dict(self.foreign.state_dict())


class Foreign(nn.Module):
    """A module that a plugin put in the place of the autoencoder, as our Vae works with it."""

    def __init__(self, network: Any, owner: VAE) -> None:
        super().__init__()
        self._network = [network]  # in a list, so that it is not taken for ours to move about
        self._owner = [owner]
        self.downscale = owner.spacial_compression_encode()

    def encode(self, pixels: Tensor) -> Tensor:
        """Latents of pictures [B, 3, H, W] of -1 … 1."""
        found = self._network[0].encode(pixels)
        return found[0] if isinstance(found, tuple | list) else found

    def decode(self, latent: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] of -1 … 1."""
        found = self._network[0].decode(latent)
        return found[0] if isinstance(found, tuple | list) else found


def _last(ratio: Any) -> int:
    return int(ratio[-1]) if isinstance(ratio, tuple | list) else int(ratio)


def _in_frames(pictures: Tensor, latent: Tensor) -> Tensor:
    """A video's pictures by video: [B, T, H, W, C]."""
    if latent.ndim != 5:
        return pictures
    return pictures.reshape(latent.shape[0], math.prod(pictures.shape[:1]) // latent.shape[0], *pictures.shape[1:])
