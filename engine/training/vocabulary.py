"""What people call the subjects: names, other names and keywords, out of the emoji packages."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.training.iconsets import subject_of
from engine.training.packages import DATA, Packages

KEYWORDS = 8  # Later keywords of the packages say less and less about the picture.


@dataclass(frozen=True)
class Concept:
    """One subject in words. `names` begins with the one that captions use most."""

    subject: str
    names: tuple[str, ...]
    keywords: tuple[str, ...] = ()


def core_subjects(path: Path = DATA / "icon_core_hex.json") -> tuple[str, ...]:
    """The 1,239 subjects worth drawing: flags, clock faces, keycaps and most people variants are left out."""
    return tuple(json.loads(path.read_text("utf-8")))


def reduced_concepts(path: Path = DATA / "reduced_subjects.json") -> tuple[Concept, ...]:
    """The everyday subjects of the reduced recipe, under the names that people type."""
    table = json.loads(path.read_text("utf-8"))
    return tuple(Concept(subject, tuple(names)) for subject, names in table.items())


def concepts(packages: Packages, subjects: tuple[str, ...]) -> tuple[Concept, ...]:
    """Names and keywords of subjects; the everyday names of the reduced recipe come first where there are any."""
    labels = labels_of(packages)
    entries: Any = packages.json("emojibase-data", "en/data.json")
    tags = {subject_of(entry["hexcode"]): entry.get("tags", []) for entry in entries}
    library: Any = packages.json("emojilib", "dist/emoji-en-US.json")
    slugs = {_subject(emoji): words for emoji, words in library.items()}
    everyday = {concept.subject: concept.names for concept in reduced_concepts()}
    result = []
    for subject in subjects:
        label = labels.get(subject, "")
        first = slugs.get(subject, [""])[0].replace("_", " ")
        names = _unique([*everyday.get(subject, ()), label, first, label.removesuffix(" face")])
        words = _unique([*tags.get(subject, []), *(word.replace("_", " ") for word in slugs.get(subject, [])[1:])])
        result.append(Concept(subject, names, tuple(word for word in words if word not in names)[:KEYWORDS]))
    return tuple(result)


def labels_of(packages: Packages) -> Mapping[str, str]:
    """The official English name of every emoji."""
    table: Any = packages.json("unicode-emoji-json", "data-by-emoji.json")
    return {_subject(emoji): entry["name"].lower() for emoji, entry in table.items()}


def _subject(emoji: str) -> str:
    return subject_of("-".join(f"{ord(character):04X}" for character in emoji))


def _unique(words: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for word in words if word))
