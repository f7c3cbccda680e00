"""Redrawing part of a picture: masks for any network, and the further channels of networks made for it."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from engine.errors import SamplingError
from engine.models.latent_format import LatentFormat
from engine.sampling import small_pictures
from engine.sampling.fitting import Fitted
from engine.sampling.prediction import Prediction
from engine.shapes import fitted_picture, spread_over_batch

# The scaled latent of a grey picture, which inpainting networks were trained to take as "nothing given".
GREY = (0.8223, -0.6876, 0.6364, 0.1380)

COLOURS = 3
"""How many channels a small picture has."""

Both = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True, eq=False)
class Redraw:
    """A denoiser that only redraws where a mask says so; elsewhere the picture stays.

    Shapes: mask [B, 1, h, w], 1 = redraw; latent (scaled) and noise [B, C, h, w].
    """

    both: Both
    prediction: Prediction
    mask: Tensor
    latent: Tensor
    noise: Tensor
    mask_at: Callable[[Tensor, Tensor], Tensor] | None = None

    def __call__(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """The guided and the unconditional answer, the first with the kept part put back.

        Raises: SamplingError, for a latent that changed its size on its way.
        """
        if x.shape[-2:] != self.mask.shape[-2:]:
            raise SamplingError(
                f"the latent changed its size on its way, to {x.shape[-2]}×{x.shape[-1]} cells, and its noise mask has "
                f"{self.mask.shape[-2]}×{self.mask.shape[-1]}; take KSamplerSelect's lcm instead of SamplerLCMUpscale, "
                "or no mask"
            )
        mask = self.mask if self.mask_at is None else self.mask_at(sigma, self.mask)
        kept = self.prediction.noised(self.latent, self.noise, sigma)
        guided, unconditional = self.both(x * mask + kept * (1.0 - mask), sigma)
        return guided * mask + self.latent * (1.0 - mask), unconditional


@dataclass(frozen=True, eq=False)
class FurtherChannels:
    """What networks with more input channels than the latent has are shown besides it.

    One more than twice the latent's: an inpainting network, shown the mask and the picture around it. Twice: an
    editing network, shown the picture to edit, as the autoencoder made it or (`is_scaled`) as the network draws. One
    more: a network that is shown how far away everything is, by the mask (Stable Diffusion 2 depth). Three more: a
    network that is shown the small picture it makes larger, with noise of the run's `seed` on it (the x4 upscaler).

    Shapes: latent [B, C, h, w], scaled; mask [B, 1, h, w].
    """

    count: int
    latent_format: LatentFormat
    latent: Tensor
    mask: Tensor | None = None
    is_scaled: bool = False
    seed: int = 0
    _shown: dict[tuple[int, float], tuple[Tensor, Tensor]] = field(default_factory=dict, repr=False)

    def __call__(self, fitted: Fitted) -> Tensor | None:
        """The channels for one condition, about the whole picture. Returns: [B, count, h, w]."""
        if self.count == 0:
            return None
        if self.count == self.latent.shape[1]:
            return self._picture(fitted, scaled=self.is_scaled)
        if self.count == 1:
            return self._depth(fitted)
        if self.count == COLOURS:
            return self._small_picture(fitted)
        return self._inpainting(fitted)

    def _small_picture(self, fitted: Fitted) -> Tensor:
        """The picture of a condition at the latent's size, noised once a run. Raises: SamplingError, when none fits."""
        given, amount = fitted.condition.concat_image, fitted.condition.image_noise
        if given is None:
            raise SamplingError(
                "this model makes a picture larger and was given none; put one on both conditionings with "
                "SD_4XUpscale_Conditioning, and draw on its latent"
            )
        if given.ndim != 4 or given.shape[1] != COLOURS:
            raise SamplingError(
                f"this model makes a picture of {COLOURS} colours larger, [batch, {COLOURS}, height, width], but its "
                f"concat_image is {list(given.shape)}; take the conditionings of SD_4XUpscale_Conditioning"
            )
        key = (id(given), amount)
        if key not in self._shown:
            # The picture is kept beside what was made of it, so that its number stays its own.
            sized = (
                given.float()
                if given.shape[-2:] == self._size
                else fitted_picture(given.float(), self._size, "bilinear")
            )
            self._shown[key] = (given, small_pictures.noised(sized, amount, self.seed).to(self.latent))
        return spread_over_batch(self._shown[key][1], len(self.latent))

    def _depth(self, fitted: Fitted) -> Tensor:
        """The depth map of a condition, stretched to -1 … 1 as in training. Raises: SamplingError, when there is none.

        Source: the depth2img configuration of github.com/Stability-AI/stablediffusion.
        """
        mask = fitted.condition.concat_mask
        if mask is None:
            raise SamplingError(
                "this model is guided by depth; put a depth map (1 is near) on both conditionings with "
                "InpaintModelConditioning, as its mask, with noise_mask off"
            )
        found = self._shaped(mask)
        low, high = found.amin(dim=(1, 2, 3), keepdim=True), found.amax(dim=(1, 2, 3), keepdim=True)
        return spread_over_batch(2.0 * (found - low) / (high - low).clamp(min=1e-6) - 1.0, len(self.latent))

    def _shaped(self, mask: Tensor) -> Tensor:
        shaped = mask.float().reshape(-1, 1, *mask.shape[-2:]).to(self.latent)
        return fitted_picture(shaped, self._size, "bilinear")

    def _inpainting(self, fitted: Fitted) -> Tensor:
        mask = fitted.condition.concat_mask
        if mask is not None:
            found = self._shaped(mask)
        elif self.mask is not None:
            found = self.mask[:, :1]
        else:
            grey = torch.tensor(GREY).to(self.latent).view(1, -1, 1, 1).expand_as(self.latent)
            return torch.cat([torch.ones_like(self.latent[:, :1]), grey], dim=1)
        given = fitted.condition.concat_latent is not None
        picture = self._picture(fitted, scaled=True) if given else self.latent
        return torch.cat([spread_over_batch(found, len(self.latent)).round(), picture], dim=1)

    def _picture(self, fitted: Fitted, scaled: bool) -> Tensor:
        given = fitted.condition.concat_latent
        if given is None:
            return torch.zeros_like(self.latent)
        given = self.latent_format.to_model(given.to(self.latent)) if scaled else given.to(self.latent)
        if given.shape[-2:] != self._size:
            given = fitted_picture(given, self._size, "bilinear")
        return spread_over_batch(given, len(self.latent))

    @property
    def _size(self) -> tuple[int, int]:
        height, width = self.latent.shape[-2:]
        return height, width
