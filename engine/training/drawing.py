"""Art from a package to a square picture: SVG or webp bytes to RGBA pixels, cut to the drawing and centred."""

import io

import numpy as np
import resvg_py
from PIL import Image

FILL = 0.9  # The long side of a drawing, as a part of the square (embedded_model.md).
OVERSAMPLE = 2


def svg(body: str, width: float, height: float, side: int) -> Image.Image:
    """Draw an icon's SVG body at about `side` pixels, transparent behind it.

    Shapes: the result is RGBA; its long side is `side`.
    """
    scale = side / max(width, height)
    document = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {width} {height}" color="black">{body}</svg>'
    )
    png = resvg_py.svg_to_bytes(
        svg_string=document.replace("currentColor", "#000000"),
        width=round(width * scale),
        height=round(height * scale),
    )
    return Image.open(io.BytesIO(bytes(png))).convert("RGBA")


def webp(content: bytes) -> Image.Image:
    """Open a picture that is stored as pixels."""
    return Image.open(io.BytesIO(content)).convert("RGBA")


def centred(drawing: Image.Image, side: int) -> np.ndarray:
    """Cut a drawing to what can be seen of it and put it in the middle of a square.

    Pillow resizes RGBA premultiplied; Hamming has no negative lobes, so no white halo appears at the edges.

    Returns: uint8 [side, side, 4], not premultiplied; all transparent when there was nothing to see.
    """
    square = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    box = drawing.getchannel("A").point(lambda alpha: 255 if alpha > 8 else 0).getbbox()
    if box is None:
        return np.asarray(square)
    drawing = drawing.crop(box)
    scale = FILL * side / max(drawing.size)
    size = (max(1, round(drawing.width * scale)), max(1, round(drawing.height * scale)))
    resized = drawing.resize(size, Image.Resampling.HAMMING)
    square.paste(resized, ((side - size[0]) // 2, (side - size[1]) // 2))
    return np.asarray(square)
