"""Which public workflows run completely, by the node classes they use. Run it as a program for a report.

`classes.json` has a row per class, in the order in which they are worth building: its name, and how many public
workflows of three sets use it (Stable Diffusion 1, 2 and XL: 166; with SD3 and Flux: 227; all core image workflows:
432). They were counted in 2,045 files of 35 public collections. `workflows.json` has a row per workflow of the
ComfyUI_examples collection: its name, whether it is of the Stable Diffusion family, and how often it uses which class.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from nodes import all_nodes

HERE = Path(__file__).resolve().parent
SD_CLASSES = 95
"""So many classes from the top make every workflow of the Stable Diffusion family run."""


@dataclass(frozen=True)
class Class:
    """A node class and how many workflows of each set use it."""

    name: str
    sd: int
    sd_and_flux: int
    all: int


@dataclass(frozen=True)
class Workflow:
    """A public workflow: its name, whether it is of the Stable Diffusion family, and how often it uses which class."""

    name: str
    is_sd: bool
    classes: Mapping[str, int]


def classes() -> list[Class]:
    """Every class that public workflows use, the most wanted first."""
    return [Class(*row) for row in json.loads((HERE / "classes.json").read_text())]


def workflows() -> list[Workflow]:
    """The workflows whose lists of nodes are known one by one."""
    rows = json.loads((HERE / "workflows.json").read_text())
    return [Workflow(name, family == "sd", used) for name, family, used in rows]


def built_in() -> set[str]:
    """The classes that are here without a plugin."""
    return {each.node_definition.id for each in all_nodes()}  # type: ignore[attr-defined]


def complete(among: Collection[Workflow], have: Collection[str]) -> list[Workflow]:
    """Those that use nothing which is missing."""
    return [each for each in among if set(each.classes) <= set(have)]


def report(have: Collection[str]) -> str:
    """Shares and what is missing where there are these classes, as text."""
    ordered, known = classes(), workflows()
    sd = [each for each in known if each.is_sd]
    missing = [each.name for each in ordered[:SD_CLASSES] if each.name not in have]
    uses, served = sum(each.sd for each in ordered), sum(each.sd for each in ordered if each.name in have)
    lines = [
        f"classes of the Stable Diffusion family: {SD_CLASSES - len(missing)} of {SD_CLASSES}",
        f"their uses in 166 workflows: {served} of {uses}",
        f"example workflows of the family that run completely: {len(complete(sd, have))} of {len(sd)}",
        f"example workflows of all families: {len(complete(known, have))} of {len(known)}",
    ]
    if missing:
        lines.append(f"missing: {', '.join(missing)}")
    for each in sd:
        if lacking := sorted(set(each.classes) - have):
            lines.append(f"{each.name} waits for {', '.join(lacking)}")
    return "\n".join(lines)


if __name__ == "__main__":
    import sys

    sys.stdout.write(report(built_in()) + "\n")
