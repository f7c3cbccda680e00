"""The icon sets: which package draws which style, and how its files are matched to Unicode code points.

A subject is known by its code points in hexadecimal, joined by dashes, without variation selectors: "1F34E", "2764".
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from engine.training import drawing
from engine.training.packages import Packages


@dataclass(frozen=True)
class IconSet:
    """One style: the package that draws it, and what people call it. `is_held_out` sets teach a LoRA, not the model."""

    style: str
    package: str
    phrases: tuple[str, ...]
    is_held_out: bool = False


ICON_SETS = (
    IconSet("fluent3d", "@lobehub/fluent-emoji-3d", ("3d render", "glossy 3d icon", "fluent 3d style")),
    IconSet("fluentflat", "@iconify-json/fluent-emoji-flat", ("flat vector", "flat icon", "fluent flat style")),
    IconSet("fluenthc", "@iconify-json/fluent-emoji-high-contrast", ("line icon", "black and white line icon")),
    IconSet("noto", "@iconify-json/noto", ("shaded", "noto style")),
    IconSet("blob", "@iconify-json/noto-v1", ("blob", "blob style")),
    IconSet("twemoji", "@iconify-json/twemoji", ("bold flat", "twemoji style")),
    IconSet("emojione", "@iconify-json/emojione", ("bright flat", "emojione style")),
    IconSet("streamline", "@iconify-json/streamline-emojis", ("cartoon outline sticker",), is_held_out=True),
    IconSet("fxemoji", "@iconify-json/fxemoji", ("firefox style",), is_held_out=True),
)

# Seen by eye on 2026-11-21, beside Noto and Twemoji: "cricket" is the game in these sets, not the insect.
WRONG_MATCHES: Mapping[str, frozenset[str]] = {"blob": frozenset({"1F997"}), "emojione": frozenset({"1F997"})}

Name = Mapping[str, str]


def icon_set(style: str) -> IconSet:
    """The set that draws a style."""
    return next(found for found in ICON_SETS if found.style == style)


def drawings(
    packages: Packages, found: IconSet, wanted: frozenset[str], names: Name, side: int
) -> Iterator[tuple[str, Image.Image]]:
    """The art of one set, for those of the wanted subjects that it has: subject and drawing.

    `names` gives the English name of each subject, by which sets without code points are matched.
    """
    if found.package.startswith("@iconify-json/"):
        yield from _vectors(packages, found, wanted, names, side)
        return
    for path, content in packages.files(found.package, ".webp"):
        subject = subject_of(path.rsplit("/", 1)[-1].removesuffix(".webp"))
        if subject in wanted:
            yield subject, drawing.webp(content)


def subject_of(code_points: str) -> str:
    """The subject of a file name such as "2764-fe0f": upper case, variation selectors dropped."""
    return "-".join(part for part in code_points.upper().split("-") if part != "FE0F")


def slug(name: str) -> str:
    """A name as icon sets spell it: "Woman’s hat" becomes "womans-hat"."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower().replace("’", "").replace("'", "")).strip("-")


def _vectors(
    packages: Packages, found: IconSet, wanted: frozenset[str], names: Name, side: int
) -> Iterator[tuple[str, Image.Image]]:
    table: Any = packages.json(found.package, "icons.json")
    characters: Any = packages.json(found.package, "chars.json")
    by_code = {subject_of(code): name for code, name in characters.items()}
    icons, aliases = table["icons"], table.get("aliases", {})
    squeezed = {name.replace("-", ""): name for name in icons}
    for subject in sorted(wanted):
        name = by_code.get(subject) if by_code else slug(names.get(subject, ""))
        alias = aliases.get(name, {})
        icon = icons.get(alias.get("parent", name)) or icons.get(squeezed.get(str(name).replace("-", ""), ""))
        if icon is None or subject in WRONG_MATCHES.get(found.style, ()):
            continue
        width, height = (icon.get(key, table.get(key, 16)) for key in ("width", "height"))
        picture = drawing.svg(icon["body"], width, height, drawing.OVERSAMPLE * side)
        if alias.get("hFlip"):
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        yield subject, picture
