"""ComfyUI's core nodes between pixels and latents, as classes; any object with a VAE's methods will do.

Source: node_behaviour.md 3.
"""

from typing import Any

from torch import Tensor

from compat.core_nodes.widgets import whole, wires
from engine.pictures import inpainting
from nodes.convert import need_mask

_TEMPORAL = {"temporal_size": whole(64, 8, 4096, 4), "temporal_overlap": whole(8, 4, 4096, 4)}


class VAEDecode:
    """Turns latents into pictures."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "decode"
    CATEGORY = "latent"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": wires(samples="LATENT", vae="VAE")}

    def decode(self, vae: Any, samples: dict[str, Any]) -> tuple[Tensor]:
        """The pictures; a video's frames one after the other."""
        return (_flat(vae.decode(samples["samples"])),)


class VAEDecodeTiled:
    """The same in tiles, where the whole does not fit into memory."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "decode"
    CATEGORY = "_for_testing"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        tiles = {"tile_size": whole(512, 64, 4096, 32), "overlap": whole(64, 0, 4096, 32)}
        return {"required": {**wires(samples="LATENT", vae="VAE"), **tiles, **_TEMPORAL}}

    def decode(
        self,
        vae: Any,
        samples: dict[str, Any],
        tile_size: int,
        overlap: int = 64,
        temporal_size: int = 64,
        temporal_overlap: int = 8,
    ) -> tuple[Tensor]:
        """The pictures. Units: tile_size and overlap in pixels."""
        overlap = tile_size // 4 if tile_size < overlap * 4 else overlap
        cell = _asked(vae, "spacial_compression_decode") or 8
        frames = _asked(vae, "temporal_compression_decode")
        length = None if frames is None else max(2, temporal_size // frames)
        shared = None if length is None or frames is None else max(1, min(length // 2, temporal_overlap // frames))
        made = vae.decode_tiled(
            samples["samples"],
            tile_x=tile_size // cell,
            tile_y=tile_size // cell,
            overlap=overlap // cell,
            tile_t=length,
            overlap_t=shared,
        )
        return (_flat(made),)


class VAEEncode:
    """Turns pictures into latents."""

    RETURN_TYPES = ("LATENT",)
    FUNCTION = "encode"
    CATEGORY = "latent"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": wires(pixels="IMAGE", vae="VAE")}

    def encode(self, vae: Any, pixels: Tensor) -> tuple[dict[str, Any]]:
        """The latents of the first three channels."""
        return ({"samples": vae.encode(pixels[..., :3])},)

    @staticmethod
    def vae_encode_crop_pixels(pixels: Tensor) -> Tensor:
        """Pictures cut evenly to multiples of 8 pixels; old versions had it."""
        return inpainting.cut(pixels, 8)


class VAEEncodeTiled:
    """The same in tiles."""

    RETURN_TYPES = ("LATENT",)
    FUNCTION = "encode"
    CATEGORY = "_for_testing"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        tiles = {"tile_size": whole(512, 64, 4096, 64), "overlap": whole(64, 0, 4096, 32)}
        return {"required": {**wires(pixels="IMAGE", vae="VAE"), **tiles, **_TEMPORAL}}

    def encode(
        self,
        vae: Any,
        pixels: Tensor,
        tile_size: int,
        overlap: int = 64,
        temporal_size: int = 64,
        temporal_overlap: int = 8,
    ) -> tuple[dict[str, Any]]:
        """The latents. Units: tile_size and overlap in pixels."""
        made = vae.encode_tiled(
            pixels[..., :3],
            tile_x=tile_size,
            tile_y=tile_size,
            overlap=overlap,
            tile_t=temporal_size,
            overlap_t=temporal_overlap,
        )
        return ({"samples": made},)


class VAEEncodeForInpaint:
    """Turns pictures into latents whose masked part will be drawn from nothing."""

    RETURN_TYPES = ("LATENT",)
    FUNCTION = "encode"
    CATEGORY = "latent/inpaint"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": {**wires(pixels="IMAGE", vae="VAE", mask="MASK"), "grow_mask_by": whole(6, 0, 64)}}

    def encode(self, vae: Any, pixels: Tensor, mask: Tensor, grow_mask_by: int = 6) -> tuple[dict[str, Any]]:
        """The latents, and the mask grown by so many pixels."""
        multiple = _asked(vae, "spacial_compression_encode") or 8
        pixels, masks = inpainting.fitted(pixels, need_mask(mask, "mask"), multiple)
        latent = vae.encode(inpainting.greyed(pixels, masks)[..., :3])
        return ({"samples": latent, "noise_mask": inpainting.widened(masks, grow_mask_by).round()},)


def _asked(vae: Any, question: str) -> int | None:
    """What a VAE answers; None where it has no such method, as a plugin's may not."""
    method = getattr(vae, question, None)
    return None if method is None else method()


def _flat(pictures: Tensor) -> Tensor:
    """[B, T, H, W, C] as [B·T, H, W, C]."""
    return pictures.reshape(-1, *pictures.shape[-3:]) if pictures.ndim == 5 else pictures
