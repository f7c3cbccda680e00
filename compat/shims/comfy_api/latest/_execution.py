"""`ComfyAPI().execution`: what a node says of its progress."""

from io import BytesIO
from typing import Any

import torch
from PIL import Image

from compat.host import host
from engine.errors import LatentwireError
from engine.graph.events import Progress
from engine.graph.run import Run
from engine.images import to_pil

JPEG_QUALITY = 95


class ExecutionSync:
    """Progress and previews of the node that runs."""

    def set_progress(
        self,
        value: float,
        max_value: float,
        node_id: str | None = None,
        preview_image: Any = None,
        ignore_size_limit: bool = False,
    ) -> None:
        """Tells how far the node is, with a picture of what is being made; stops it when the run was cancelled.

        node_id: another node than the one that runs. preview_image: a PIL picture, or a tensor [1, H, W, C] or
        [H, W, C]. ignore_size_limit: show it as large as it is, and not as --preview-size says.
        Raises: LatentwireError, when no node runs; Cancelled.
        """
        run = host().run
        if run is None:
            raise LatentwireError("set_progress tells of the node that runs, and none does; call it inside execute()")
        if preview_image is not None:
            # ComfyUI: the picture of a step comes before its number; clients show both when the number comes.
            _of(run, node_id).preview(_jpeg(preview_image, ignore_size_limit))
        run.emit(Progress(node_id or run.node_id, value, max_value))
        run.stop_if_cancelled()


class Execution:
    """The same, to be awaited."""

    async def set_progress(
        self,
        value: float,
        max_value: float,
        node_id: str | None = None,
        preview_image: Any = None,
        ignore_size_limit: bool = False,
    ) -> None:
        """See ExecutionSync.set_progress."""
        ExecutionSync().set_progress(value, max_value, node_id, preview_image, ignore_size_limit)


def _of(run: Run, node_id: str | None) -> Run:
    return run if node_id is None else Run(node_id, run.emit, run.is_cancelled)


def _jpeg(preview: Any, ignore_size_limit: bool) -> bytes:
    if isinstance(preview, torch.Tensor):
        preview = to_pil(preview[0] if preview.ndim == 4 else preview)
    if not isinstance(preview, Image.Image):
        raise TypeError(f"preview_image must be a PIL picture or a tensor, not a {type(preview).__name__}")
    picture = preview.convert("RGB")
    if not ignore_size_limit:
        size = host().settings.preview_size
        picture.thumbnail((size, size), Image.Resampling.LANCZOS)
    data = BytesIO()
    picture.save(data, "JPEG", quality=JPEG_QUALITY)
    return data.getvalue()
