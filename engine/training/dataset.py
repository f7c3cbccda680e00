"""The rendered icons: subjects × styles, kept as one file so that they are drawn only once."""

import io
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from engine.training.drawing import centred
from engine.training.iconsets import drawings, icon_set
from engine.training.packages import Packages
from engine.training.vocabulary import labels_of


@dataclass(frozen=True)
class Icons:
    """Icons and what they show.

    Shapes: pixels uint8 [N, side, side, 4], not premultiplied; styles and subjects N long.
    """

    pixels: np.ndarray
    styles: tuple[str, ...]
    subjects: tuple[str, ...]

    def layers(self) -> Tensor:
        """The icons ready to be laid over something: premultiplied RGB and alpha.

        Shapes: [N, 4, side, side]. Units: 0 … 1.
        """
        layers = torch.from_numpy(self.pixels).permute(0, 3, 1, 2).float() / 255
        layers[:, :3] *= layers[:, 3:]
        return layers.contiguous()

    def only(self, subjects: Iterable[str], styles: Iterable[str]) -> "Icons":
        """Those icons that show one of the subjects in one of the styles."""
        subjects, styles = frozenset(subjects), frozenset(styles)
        keep = [
            i
            for i, key in enumerate(zip(self.styles, self.subjects, strict=True))
            if key[0] in styles and key[1] in subjects
        ]
        return Icons(self.pixels[keep], tuple(self.styles[i] for i in keep), tuple(self.subjects[i] for i in keep))

    def save(self, path: Path) -> None:
        """Write the icons as lossless webp files in a row, under a temporary name first."""
        files = [_encode(picture) for picture in self.pixels]
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(path.name + ".unfinished.npz")
        np.savez(
            unfinished,
            data=np.frombuffer(b"".join(files), np.uint8),
            ends=np.cumsum([len(file) for file in files]),
            styles=np.array(self.styles),
            subjects=np.array(self.subjects),
        )
        os.replace(unfinished, path)


def load(path: Path) -> Icons:
    """Read what `Icons.save` wrote."""
    with np.load(path) as table:
        data, ends = table["data"].tobytes(), table["ends"]
        starts = [0, *ends[:-1]]
        pixels = [
            np.asarray(Image.open(io.BytesIO(data[a:b])).convert("RGBA")) for a, b in zip(starts, ends, strict=True)
        ]
        return Icons(np.stack(pixels), tuple(map(str, table["styles"])), tuple(map(str, table["subjects"])))


def render(packages: Packages, subjects: Iterable[str], styles: Iterable[str], side: int = 128) -> Icons:
    """Draw every subject in every style whose set has it."""
    names, wanted = labels_of(packages), frozenset(subjects)
    pixels, drawn = [], []
    for style in styles:
        for subject, picture in drawings(packages, icon_set(style), wanted, names, side):
            pixels.append(centred(picture, side))
            drawn.append((style, subject))
    order = sorted(range(len(drawn)), key=lambda i: drawn[i])
    return Icons(
        np.stack([pixels[i] for i in order]), tuple(drawn[i][0] for i in order), tuple(drawn[i][1] for i in order)
    )


def prepared(folder: Path, packages: Packages, subjects: Iterable[str], styles: Iterable[str], side: int) -> Icons:
    """The icons of these styles from `folder`, each style drawn and kept there when it is not there yet."""
    parts = []
    for style in styles:
        path = folder / f"{style}_{side}.npz"
        if not path.exists():
            render(packages, subjects, [style], side).save(path)
        parts.append(load(path))
    return Icons(
        np.concatenate([part.pixels for part in parts]),
        sum((part.styles for part in parts), ()),
        sum((part.subjects for part in parts), ()),
    )


def dominant_hues(icons: Icons, hues: Mapping[str, float]) -> dict[int, str]:
    """The one hue that rules an icon, for those icons that have one: by number, the hue's name.

    Units: hues in degrees.
    """
    names, degrees = list(hues), np.array(list(hues.values()))
    found = {}
    for number, picture in enumerate(icons.pixels):
        seen = Image.fromarray(picture[..., :3]).convert("HSV")
        hue, saturation, value = np.moveaxis(np.asarray(seen).astype(float), -1, 0)
        solid = picture[..., 3] > 128
        colourful = solid & (saturation > 90) & (value > 60)
        if colourful.sum() < 0.5 * max(1, solid.sum()):
            continue
        apart = np.abs((hue[colourful][:, None] * 360 / 255 - degrees + 180) % 360 - 180)
        shares = np.bincount(apart.argmin(axis=1), minlength=len(names)) / colourful.sum()
        if shares.max() > 0.75:
            found[number] = names[int(shares.argmax())]
    return found


def _encode(picture: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "WEBP", lossless=True, method=1, exact=False)
    return stream.getvalue()
