"""Pictures about the training: sheets of samples, and the losses over time."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

MARGIN = 4
LINE = 12
PLOT = (900, 320)
MEASURES = {"autoencoder": "reconstruction", "text_tower": "loss", "denoiser": "loss", "decoder": "reconstruction"}


def sheet(pictures: Sequence[Tensor], labels: Sequence[str], path: Path, columns: int = 10) -> None:
    """Write pictures in rows, each with its label below.

    Shapes: each [3, H, W]. Units: 0 … 1.
    """
    side = pictures[0].shape[-1]
    rows = -(-len(pictures) // columns)
    page = Image.new("RGB", (columns * (side + MARGIN), rows * (side + LINE + MARGIN)), "white")
    pen = ImageDraw.Draw(page)
    for number, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        left, top = number % columns * (side + MARGIN), number // columns * (side + LINE + MARGIN)
        page.paste(_image(picture), (left, top))
        pen.text((left + 2, top + side), label[: side // 6], fill="black")
    path.parent.mkdir(parents=True, exist_ok=True)
    page.save(path)


def losses(log: Path) -> dict[str, list[tuple[float, float]]]:
    """The log of a training as curves: for each phase, seconds and loss."""
    curves: dict[str, list[tuple[float, float]]] = {}
    for line in log.read_text("utf-8").splitlines():
        record = json.loads(line)
        measure = MEASURES.get(record["phase"], "loss")
        curves.setdefault(record["phase"], []).append((record["seconds"], record[measure]))
    return curves


def plot(curves: dict[str, list[tuple[float, float]]], path: Path) -> None:
    """Draw each curve in a frame of its own, the loss on a logarithmic axis."""
    width, height = PLOT
    page = Image.new("RGB", (width, height * max(1, len(curves))), "white")
    pen = ImageDraw.Draw(page)
    for number, (name, points) in enumerate(curves.items()):
        _frame(pen, name, sorted(points), number * height)
    path.parent.mkdir(parents=True, exist_ok=True)
    page.save(path)


def _frame(pen: ImageDraw.ImageDraw, name: str, points: list[tuple[float, float]], top: int) -> None:
    width, height = PLOT
    left, right, upper, lower = 60, width - 20, top + 30, top + height - 30
    seconds = np.array([point[0] for point in points])
    values = np.log10(np.array([max(point[1], 1e-9) for point in points]))
    high, low = values.max(), min(values.min(), values.max() - 0.01)
    across = left + (right - left) * seconds / max(seconds.max(), 1e-9)
    down = upper + (lower - upper) * (high - values) / (high - low)
    pen.rectangle((left, upper, right, lower), outline="gray")
    pen.line(list(zip(across.tolist(), down.tolist(), strict=True)), fill="navy", width=2)
    pen.text((left, top + 10), f"{name}: loss over {seconds.max():.0f} seconds of training", fill="black")
    pen.text((4, upper - 5), f"{10**high:.3g}", fill="black")
    pen.text((4, lower - 5), f"{10**low:.3g}", fill="black")


def _image(picture: Tensor) -> Image.Image:
    return Image.fromarray((picture.clamp(0, 1) * 255).round().byte().movedim(0, -1).cpu().numpy())
