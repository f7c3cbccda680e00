"""ComfyUI's `latent_preview`: a quick look at a latent on its way. Samplers look these functions up when they start.

`get_previewer` is what plugins replace to show a picture in their own way.
"""

from collections.abc import Callable, Sequence
from typing import Any

import comfy
import torch
from comfy.cli_args import LatentPreviewMethod, args
from PIL import Image
from torch import Tensor

from compat.host import host, is_installed
from compat.machine.previews import of_a_step
from compat.missing import missing
from engine.sampling.preview import guessed_colours

MAX_PREVIEW_RESOLUTION = 512

PreviewPicture = tuple[str, Image.Image, int]
"""Its format, the picture, and the longest side to show."""


def __getattr__(name: str) -> Any:
    if name == "TAESD":
        return comfy.taesd.taesd.TAESD
    raise missing(__name__, name)


def preview_to_image(latent_image: Tensor) -> Image.Image:
    """Colours of -1 … 1 as a picture. Shapes: latent_image [H, W, 3]."""
    pixels = ((latent_image + 1.0) / 2.0).clamp(0, 1).mul(255).to(device="cpu", dtype=torch.uint8)
    return Image.fromarray(pixels.numpy())


class LatentPreviewer:
    """Turns a denoiser's latent into a picture; subclasses say how."""

    def decode_latent_to_preview(self, x0: Tensor) -> Image.Image:
        """The first of a batch as a picture."""
        raise NotImplementedError(f"{type(self).__name__} does not say how a latent becomes a picture")

    def decode_latent_to_preview_image(self, preview_format: str, x0: Tensor) -> PreviewPicture:
        """The picture with its format and the longest side to show."""
        return ("JPEG", self.decode_latent_to_preview(x0), args.preview_size)


class Latent2RGBPreviewer(LatentPreviewer):
    """Mixes a latent's channels into colours.

    Shapes: latent_rgb_factors [C, 3]; bias [3].
    """

    def __init__(
        self,
        latent_rgb_factors: Sequence[Sequence[float]] | Tensor,
        latent_rgb_factors_bias: Sequence[float] | Tensor | None = None,
        latent_rgb_factors_reshape: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.latent_rgb_factors = torch.as_tensor(latent_rgb_factors, device="cpu").T
        bias = latent_rgb_factors_bias
        self.latent_rgb_factors_bias = None if bias is None else torch.as_tensor(bias, device="cpu")
        self.latent_rgb_factors_reshape = latent_rgb_factors_reshape

    def decode_latent_to_preview(self, x0: Tensor) -> Image.Image:
        """The first latent, of a video its first frame."""
        if self.latent_rgb_factors_reshape is not None:
            x0 = self.latent_rgb_factors_reshape(x0)
        first = (x0[0, :, 0] if x0.ndim == 5 else x0[0]).movedim(0, -1)
        factors = self.latent_rgb_factors.to(first)
        bias = None if self.latent_rgb_factors_bias is None else self.latent_rgb_factors_bias.to(first)
        return preview_to_image(torch.nn.functional.linear(first, factors, bias))


class TAESDPreviewerImpl(LatentPreviewer):
    """Decodes a latent with a small autoencoder."""

    def __init__(self, taesd: Any) -> None:
        self.taesd = taesd

    def decode_latent_to_preview(self, x0: Tensor) -> Image.Image:
        """The first latent, decoded."""
        return preview_to_image(self.taesd.decode(x0[:1])[0].movedim(0, -1))


class _Guess(LatentPreviewer):
    """For families whose colours nobody has measured."""

    def decode_latent_to_preview(self, x0: Tensor) -> Image.Image:
        first = x0[:1, :, 0] if x0.ndim == 5 else x0[:1]
        return preview_to_image(guessed_colours(first.float().cpu())[0] * 2 - 1)


def get_previewer(device: Any, latent_format: Any) -> LatentPreviewer | None:
    """Who shows latents of this format, by the prompt's wish or args.preview_method; None: nothing is to be shown."""
    run = host().run if is_installed() else None
    method = LatentPreviewMethod(run.preview_method) if run and run.preview_method else args.preview_method
    if method == LatentPreviewMethod.NoPreviews:
        return None
    if method == LatentPreviewMethod.TAESD:
        found = _small_autoencoder(device, latent_format)
        if found is not None:
            return found
    factors = getattr(latent_format, "latent_rgb_factors", None)
    if factors is None:
        return _Guess()
    bias = getattr(latent_format, "latent_rgb_factors_bias", None)
    return Latent2RGBPreviewer(factors, bias, getattr(latent_format, "latent_rgb_factors_reshape", None))


def _small_autoencoder(device: Any, latent_format: Any) -> LatentPreviewer | None:
    """The small autoencoder of this format, where its file is in models/vae_approx."""
    import folder_paths  # only with this method

    name = getattr(latent_format, "taesd_decoder_name", None)
    files = folder_paths.get_filename_list("vae_approx")
    file = next((each for each in files if name and each.startswith(name)), None)
    if file is None:
        return None
    path = folder_paths.get_full_path("vae_approx", file)
    taesd = comfy.taesd.taesd.TAESD(None, path, latent_channels=latent_format.latent_channels)
    return TAESDPreviewerImpl(taesd.to(device))


def prepare_callback(
    model: Any, steps: int, x0_output_dict: dict[str, Any] | None = None
) -> Callable[[int, Tensor, Tensor, int], None]:
    """What a sampler calls after every step: it tells the running node, with a preview where one is asked for.

    x0_output_dict: gets the latest denoised latent under "x0".
    """
    preview_format = "JPEG"
    # Through the module, where plugins put their own.
    previewer = globals()["get_previewer"](model.load_device, model.model.latent_format)
    bar = comfy.utils.ProgressBar(steps)

    def callback(step: int, x0: Tensor, x: Tensor, total_steps: int) -> None:
        if x0_output_dict is not None:
            x0_output_dict["x0"] = x0
        shown = None if previewer is None else previewer.decode_latent_to_preview_image(preview_format, x0)
        bar.update_absolute(step + 1, total_steps, of_a_step(shown))

    return callback
