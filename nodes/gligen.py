"""Nodes that say what is where in the picture: phrases in boxes.

Source: node_behaviour.md 1.2 and F.2.
"""

import logging
from collections.abc import Callable
from typing import Annotated, Any

from torch import Tensor

from engine.checkpoints.load import Loader
from engine.errors import SamplingError
from engine.folders import Folders
from engine.graph.define import Files, Widget, node
from engine.graph.run import Run
from engine.models.gligen import MOST
from engine.shapes import CELL
from nodes.convert import naming, need_clip
from nodes.text import Prompt
from nodes.types import MAX_SIDE, Clip, Conditioning, Gligen

log = logging.getLogger(__name__)

GligenName = Annotated[str, Files("gligen", tooltip="A file of models/gligen.")]
Side = Annotated[int, Widget(min=8, max=MAX_SIDE, step=8, tooltip="In pixels.")]
Offset = Annotated[int, Widget(min=0, max=MAX_SIDE, step=8, tooltip="In pixels, from the left or the top.")]


@node("GLIGENLoader", category="loaders")
def gligen_loader(*, gligen_name: GligenName, folders: Folders, loader: Loader) -> Gligen:
    """Load a GLIGEN, which draws phrases in boxes."""
    with naming("gligen_name"):
        return loader.gligen(folders.path("gligen", gligen_name))


@node("GLIGENTextBoxApply", category="conditioning/gligen")
def gligen_text_box_apply(
    *,
    conditioning_to: Conditioning,
    clip: Clip,
    gligen_textbox_model: Gligen,
    text: Prompt,
    width: Side = 64,
    height: Side = 64,
    x: Offset = 0,
    y: Offset = 0,
    run: Run,
) -> Conditioning:
    """Have something drawn in a box, besides what is said of the picture and in the boxes before."""
    vector = _summary(clip, text, run.stop_if_cancelled)
    _check(gligen_textbox_model, vector)
    box = (vector, height // CELL, width // CELL, y // CELL, x // CELL)
    made = []
    for tokens, known, *_ in conditioning_to:
        boxes = [*(known.get("gligen") or (None, None, ()))[2], box]
        if len(boxes) > MOST:
            log.warning("a GLIGEN knows %d boxes, this is the %dth; it is left out", MOST, len(boxes))
        made.append([tokens, {**known, "gligen": ("position", gligen_textbox_model, boxes)}])
    return made


def _summary(clip: Any, text: str, check: Callable[[], None]) -> Tensor:
    """The summary of a text before its projection, [1, P]."""
    encoder = need_clip(clip)
    own = getattr(encoder, "unprojected", None)
    if own is not None:
        return own(text)
    return encoder.encode_chunks(encoder.tokenize(text), check, projected=False)[1]


def _check(gligen: Any, vector: Tensor) -> None:
    """Raises: SamplingError, when the text encoder is not the one that the net was trained with."""
    wanted = getattr(gligen, "text_width", vector.shape[-1])
    if vector.shape[-1] != wanted:
        raise SamplingError(
            f"clip: this GLIGEN reads summaries of {wanted} features, this text encoder makes {vector.shape[-1]}; "
            "it was made for another model family"
        )
