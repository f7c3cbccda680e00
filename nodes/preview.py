"""Pictures in the making: what a node shows while it samples."""

import io
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from PIL import Image
from torch import Tensor

from engine.graph.run import Run
from engine.images import to_pil
from engine.settings import Settings

SECONDS_BETWEEN = 0.25  # A person sees no more than a few changes a second, and each costs bandwidth.
QUALITY = 85


@dataclass
class Watcher:
    """Tells the run of every step, and shows a small picture a few times a second where the settings ask for it.

    `paint` turns the denoiser's latent [B, C, h, w] into [B, h, w, 3] of 0..1, or None where it cannot.
    """

    run: Run
    settings: Settings
    paint: Callable[[Tensor], Tensor | None]
    _shown_at: float = field(default=float("-inf"), repr=False)

    def __call__(self, index: int, total: int, denoised: Tensor) -> None:
        """Step `index` of `total` is done. Raises: Cancelled."""
        self.run.progress(index + 1, total)
        if self.settings.preview_method == "none" or time.monotonic() - self._shown_at < SECONDS_BETWEEN:
            return
        self._shown_at = time.monotonic()
        picture = self.paint(denoised[:1])
        if picture is not None:
            self.run.preview(as_jpeg(picture[0], self.settings.preview_size))


def as_jpeg(image: Tensor, longest_side: int) -> bytes:
    """A picture as a JPEG file, enlarged to a size one can see. Shapes: image [H, W, 3]."""
    picture = to_pil(image)
    scale = longest_side / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    buffer = io.BytesIO()
    picture.resize(size, Image.Resampling.BILINEAR).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()
