"""LTX Video's tokens and their places. Source: Lightricks/LTX-Video, symmetric_patchifier.py."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from compat.missing import missing


def latent_to_pixel_coords(latent_coords: Tensor, scale_factors: Sequence[int], causal_fix: bool = False) -> Tensor:
    """Places in a latent as places in the video.

    With causal_fix the first frame stands alone, as its latent frame is of that one frame.

    Shapes: latent_coords [B, 3, T] (frame, row, column); three scale factors.
    """
    scale = torch.tensor(scale_factors, device=latent_coords.device).view(1, -1, 1)
    pixels = latent_coords * scale.to(latent_coords.dtype)
    if causal_fix:
        first = (pixels[:, 0] + 1 - scale_factors[0]).clamp(min=0)
        pixels = torch.cat([first[:, None], pixels[:, 1:]], dim=1)
    return pixels


class SymmetricPatchifier:
    """A video latent as tokens, each one cell (or a patch of cells), and back."""

    def __init__(self, patch_size: int, start_end: bool = False) -> None:
        self._patch_size = (1, patch_size, patch_size)
        self.start_end = start_end

    @property
    def patch_size(self) -> tuple[int, int, int]:
        """Frames, rows and columns of a patch."""
        return self._patch_size

    def patchify(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens and their places. Shapes: [B, C, f, h, w] → [B, T, C·p·p] and [B, 3, T]."""
        batch, channels, frames, height, width = latents.shape
        _, p, q = self._patch_size
        cut = latents.reshape(batch, channels, frames, height // p, p, width // q, q)
        tokens = cut.permute(0, 2, 3, 5, 1, 4, 6).flatten(4).flatten(1, 3)
        return tokens, self.get_latent_coords(frames, height, width, batch, latents.device)

    def unpatchify(
        self,
        latents: Tensor,
        output_height: int,
        output_width: int,
        output_num_frames: int,
        out_channels: int,
    ) -> Tensor:
        """The way back."""
        _, p, q = self._patch_size
        rows, columns = output_height // p, output_width // q
        cut = latents.reshape(len(latents), output_num_frames, rows, columns, out_channels, p, q)
        whole = cut.permute(0, 4, 1, 2, 5, 3, 6)
        return whole.reshape(len(latents), out_channels, output_num_frames, output_height, output_width)

    def get_latent_coords(
        self, latent_num_frames: int, latent_height: int, latent_width: int, batch_size: int, device: Any
    ) -> Tensor:
        """Where each patch begins. Returns: [B, 3, T]."""
        sizes = (latent_num_frames, latent_height, latent_width)
        axes = [torch.arange(0, size, step, device=device) for size, step in zip(sizes, self._patch_size, strict=True)]
        grid = torch.stack(torch.meshgrid(*axes, indexing="ij")).flatten(1)
        return grid.unsqueeze(0).repeat(batch_size, 1, 1)


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
