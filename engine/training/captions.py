"""What is asked and what is shown: scenes drawn by chance, each with the caption a person might type for it.

A `Picture` says what to draw and holds no pixels; compositions.py draws it. Two scenes may share a picture.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engine.training.vocabulary import Concept

Colour = tuple[int, int, int]

COLOURS: Mapping[str, Colour] = {
    "black": (20, 20, 24),
    "gray": (150, 152, 158),
    "red": (222, 49, 54),
    "orange": (250, 150, 50),
    "yellow": (255, 222, 80),
    "green": (70, 175, 85),
    "teal": (30, 150, 150),
    "blue": (60, 130, 235),
    "navy": (26, 42, 96),
    "purple": (132, 78, 190),
    "pink": (255, 170, 200),
    "brown": (135, 90, 60),
}
HUES: Mapping[str, float] = {
    "red": 0,
    "orange": 30,
    "yellow": 55,
    "green": 120,
    "blue": 220,
    "purple": 280,
    "pink": 330,
}
PLACES: Mapping[str, tuple[float, float]] = {
    "on the left": (0.29, 0.5),
    "on the right": (0.71, 0.5),
    "at the top": (0.5, 0.29),
    "at the bottom": (0.5, 0.71),
}
NUMBERS = {2: "two", 3: "three", 4: "four"}
FINISHES = ("sticker", "drop shadow", "black and white", "pixel art", "ink outline")
FAULTS = ("blurry", "low quality")
WHITE: Colour = (255, 255, 255)


@dataclass(frozen=True)
class Placed:
    """One icon in a picture: its number among the icons, where its middle is and how large, in parts of the side."""

    icon: int
    x: float = 0.5
    y: float = 0.5
    size: float = 1.0
    hue: float | None = None


@dataclass(frozen=True)
class Picture:
    """What is drawn: icons from back to front, a background from top to bottom colour, a finish and a fault."""

    icons: tuple[Placed, ...]
    top: Colour = WHITE
    bottom: Colour = WHITE
    finish: str | None = None
    fault: str | None = None


@dataclass(frozen=True)
class Scene:
    """A caption and its picture."""

    caption: str
    picture: Picture


@dataclass(frozen=True)
class Mix:
    """How often each kind of scene comes up; what is left is one icon by its name."""

    keywords: float = 0.05
    recolour: float = 0.12
    beside: float = 0.13
    above: float = 0.05
    count: float = 0.08
    place: float = 0.08
    background: float = 0.35
    finish: float = 0.08
    fault: float = 0.03
    without_style: float = 0.15


REDUCED_MIX = Mix(keywords=0, recolour=0, beside=0, above=0, count=0, place=0.04, background=0.28, finish=0, fault=0)


@dataclass(frozen=True)
class Catalogue:
    """What may be drawn: the number of each icon by style and subject, the words for both, and what is kept back."""

    icons: Mapping[tuple[str, str], int]
    concepts: Mapping[str, Concept]
    phrases: Mapping[str, tuple[str, ...]]
    dominant: Mapping[int, str] = field(default_factory=dict)
    kept_back_cells: frozenset[tuple[str, str]] = frozenset()
    kept_back_pairs: frozenset[tuple[str, str]] = frozenset()

    def cells(self) -> list[tuple[str, str]]:
        """The style and subject of every icon that training may see."""
        return [cell for cell in self.icons if cell not in self.kept_back_cells]


def scenes(catalogue: Catalogue, mix: Mix, count: int, seed: int) -> list[Scene]:
    """Scenes by chance, the same for the same seed; every icon comes up equally often."""
    chance = random.Random(seed)
    cells = catalogue.cells()
    order: list[tuple[str, str]] = []
    while len(order) < count:
        order += chance.sample(cells, len(cells))
    return [_scene(catalogue, mix, cell, chance) for cell in order[:count]]


def with_article(name: str) -> str:
    """ "an apple", "a fox", but "grapes"."""
    if name.endswith("s") and not name.endswith(("ss", "us", "bus")):
        return name
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def plural(name: str) -> str:
    """More than one of it."""
    if name.endswith("s") and not name.endswith("ss"):
        return name
    if name.endswith(("s", "x", "ch", "sh")):
        return name + "es"
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        return name[:-1] + "ies"
    return name + "s"


def _scene(catalogue: Catalogue, mix: Mix, cell: tuple[str, str], chance: random.Random) -> Scene:
    kinds = ("keywords", "recolour", "beside", "above", "count", "place")
    weights = [getattr(mix, kind) for kind in kinds]
    (kind,) = chance.choices([*kinds, "one"], [*weights, max(0.0, 1 - sum(weights))])
    words, icons = _content(kind, catalogue, cell, chance)
    finish = chance.choice(FINISHES) if chance.random() < mix.finish else None
    fault = chance.choice(FAULTS) if chance.random() < mix.fault else None
    top, bottom, behind = _background(mix, chance)
    style = None if chance.random() < mix.without_style else _phrase(catalogue.phrases[cell[0]], chance)
    caption = _caption(words, style, finish, behind, fault, chance)
    return Scene(caption, Picture(icons, top, bottom, finish, fault))


def _content(
    kind: str, catalogue: Catalogue, cell: tuple[str, str], chance: random.Random
) -> tuple[str, tuple[Placed, ...]]:
    _style, subject = cell
    icon, concept = catalogue.icons[cell], catalogue.concepts[subject]
    name = _name(concept, chance)
    if kind == "keywords" and concept.keywords:
        return " ".join(chance.sample(concept.keywords, min(3, len(concept.keywords)))), (Placed(icon),)
    if kind == "recolour" and icon in catalogue.dominant:
        colour = chance.choice([hue for hue in HUES if hue != catalogue.dominant[icon]])
        return with_article(f"{colour} {_bare(name)}"), (Placed(icon, hue=HUES[colour]),)
    if kind in ("beside", "above"):
        return _pair(kind, catalogue, cell, name, chance)
    if kind == "count":
        number = chance.choice(list(NUMBERS))
        spots = {2: ((0.27, 0.5), (0.73, 0.5)), 3: ((0.27, 0.7), (0.73, 0.7), (0.5, 0.27))}.get(
            number, ((0.27, 0.27), (0.73, 0.27), (0.27, 0.73), (0.73, 0.73))
        )
        return f"{NUMBERS[number]} {plural(name)}", tuple(Placed(icon, x, y, 0.48) for x, y in spots)
    if kind == "place":
        if chance.random() < 0.4:
            return with_article(f"small {name}"), (Placed(icon, size=0.5),)
        place, (x, y) = chance.choice(list(PLACES.items()))
        return f"{with_article(name)} {place}", (Placed(icon, x, y, 0.52),)
    return _alone(name, chance), (Placed(icon),)


def _pair(
    kind: str, catalogue: Catalogue, cell: tuple[str, str], name: str, chance: random.Random
) -> tuple[str, tuple[Placed, ...]]:
    style, subject = cell
    others = [
        other
        for other_style, other in catalogue.cells()
        if other_style == style and other != subject and (subject, other) not in catalogue.kept_back_pairs
    ]
    other = chance.choice(others)
    other_name = _name(catalogue.concepts[other], chance)
    first, second = catalogue.icons[cell], catalogue.icons[style, other]
    a, b = with_article(name), with_article(other_name)
    if kind == "above":
        words = chance.choice((f"{a} above {b}", f"{b} under {a}"))
        return words, (Placed(first, 0.5, 0.27, 0.48), Placed(second, 0.5, 0.73, 0.48))
    words = chance.choice((f"{a} and {b}", f"{a} next to {b}", f"{a} to the left of {b}", f"{b} to the right of {a}"))
    return words, (Placed(first, 0.27, 0.5, 0.48), Placed(second, 0.73, 0.5, 0.48))


def _background(mix: Mix, chance: random.Random) -> tuple[Colour, Colour, str | None]:
    if chance.random() >= mix.background:
        return WHITE, WHITE, "on a white background" if chance.random() < 0.1 else None
    name, colour = chance.choice(list(COLOURS.items()))
    if chance.random() < 0.8:
        return colour, colour, f"on {with_article(name)} background"
    other, second = chance.choice(list(COLOURS.items()))
    return colour, second, f"on {with_article(name)} to {other} gradient background"


def _caption(
    words: str, style: str | None, finish: str | None, behind: str | None, fault: str | None, chance: random.Random
) -> str:
    if behind and chance.random() < 0.5:
        words, behind = f"{words} {behind}", None
    if behind and chance.random() < 0.3:
        behind = behind.split(" ", 2)[2]
    if style and not finish and chance.random() < 0.15:
        return ", ".join(part for part in (f"{style} of {words}", behind, fault) if part)
    return ", ".join(part for part in (words, style, finish, behind, fault) if part)


def _alone(name: str, chance: random.Random) -> str:
    forms = (name, with_article(name), f"a picture of {with_article(name)}", f"an icon of {with_article(name)}")
    return chance.choices(forms, (0.45, 0.4, 0.08, 0.07))[0]


def _name(concept: Concept, chance: random.Random) -> str:
    """The first name half of the time, so that it is learned best."""
    if len(concept.names) == 1 or chance.random() < 0.6:
        return concept.names[0]
    return chance.choice(concept.names[1:])


def _phrase(phrases: Sequence[str], chance: random.Random) -> str:
    return phrases[0] if len(phrases) == 1 or chance.random() < 0.85 else chance.choice(phrases[1:])


def _bare(name: str) -> str:
    """The name without its own colour: "red apple" is no good start for "a blue red apple"."""
    return " ".join(word for word in name.split() if word not in COLOURS) or name
