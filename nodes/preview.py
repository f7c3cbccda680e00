"""Pictures in the making: what a node shows while it samples."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from engine.graph.run import Run
from engine.settings import Settings

SECONDS_BETWEEN = 0.25  # A person sees no more than a few changes a second, and each costs bandwidth.


@dataclass
class Watcher:
    """Tells the run of every step, and shows a small picture a few times a second where the settings ask for it.

    `paint` turns the denoiser's latent [B, C, h, w] into a JPEG whose sides are no longer than a number of pixels.
    """

    run: Run
    settings: Settings
    paint: Callable[[Tensor, int], bytes]
    _shown_at: float = field(default=float("-inf"), repr=False)

    def __call__(self, index: int, total: int, denoised: Tensor) -> None:
        """Step `index` of `total` is done. Raises: Cancelled."""
        self.run.stop_if_cancelled()
        # ComfyUI: the picture of a step comes before its number; clients show both when the number comes.
        self._show(denoised)
        self.run.progress(index + 1, total)

    def _show(self, denoised: Tensor) -> None:
        method = self.run.preview_method or self.settings.preview_method
        if method == "none" or time.monotonic() - self._shown_at < SECONDS_BETWEEN:
            return
        self._shown_at = time.monotonic()
        picture = self.paint(denoised, self.settings.preview_size)
        self.run.preview(picture, is_asked=self.run.preview_method is not None)


@dataclass
class Last:
    """Hands every step on, and keeps the last one's clean latent as the denoiser has it; None before the first."""

    watcher: Watcher
    denoised: Tensor | None = None

    def __call__(self, index: int, total: int, denoised: Tensor) -> None:
        """Step `index` of `total` is done. Raises: Cancelled."""
        self.denoised = denoised
        self.watcher(index, total, denoised)
