"""The workflows that ship with this program, to start from: what they are called, and the pictures they load.

Everything here touches the disk, so call it in a thread.
"""

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine import files_beside, folders
from engine.graph.registry import Registry

SUFFIX = ".editor.json"
FIRST = "text_to_image"
"""The one that every installation has, and that stands first."""

WITH_OWN_FILES = "with_your_files"
"""Beside them, the folder of those that need files of the person's own; their README says which."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Template:
    """A workflow file of the editor.

    inputs: names of the pictures beside it that it loads from the input folder.
    needs: files of the person's own, each by its folder below models and a usual name.
    """

    file: Path
    title: str
    description: str
    order: float = 0.0
    inputs: Sequence[str] = field(default_factory=tuple)
    needs: Sequence[str] = field(default_factory=tuple)

    @property
    def name(self) -> str:
        """What clients call it."""
        return self.file.name.removesuffix(SUFFIX)

    @property
    def picture(self) -> Path:
        """What it draws, small; beside it."""
        return self.file.with_name(f"{self.name}.webp")


def shipped() -> Path:
    """The folder of the workflows that ship."""
    return folders.shipped("workflows", f"{FIRST}{SUFFIX}")


def read_all(folder: Path) -> list[Template]:
    """The templates in a folder, in their order: first those that run at once, then those that need people's own files.

    Files that are no templates are left out.
    """
    files = [*sorted(folder.glob(f"*{SUFFIX}")), *sorted((folder / WITH_OWN_FILES).glob(f"*{SUFFIX}"))]
    found = [_read(file) for file in files]
    known = (each for each in found if each is not None)
    return sorted(known, key=lambda each: (len(each.needs) > 0, each.order, each.name))


def lay_out(template: Template, target: Path) -> None:
    """Puts the pictures a template loads into the input folder. A file that has the name already stays as it is."""
    files_beside.lay_out(template.inputs, template.file.parent, target)


def supply(prompt: Mapping[str, Any], registry: Registry, folder: Path, target: Path) -> None:
    """The same for a prompt in API JSON that loads what belongs to the templates in a folder."""
    wanted = [each for each in files_beside.named(prompt, registry) if os.path.isfile(folder / each)]
    if any(not (target / each).exists() for each in wanted):
        for template in read_all(folder):
            files_beside.lay_out(set(wanted) & set(template.inputs), template.file.parent, target)


def _read(file: Path) -> Template | None:
    try:
        about = json.loads(file.read_bytes())["extra"]["latentwire"]
        return Template(
            file=file,
            title=str(about["title"]),
            description=str(about["description"]),
            order=float(about.get("order", 0)),
            inputs=tuple(_plain_names(about.get("inputs", ()))),
            needs=tuple(each for each in about.get("needs", ()) if isinstance(each, str)),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        _log.warning("%s: is no template (%r); it needs a title and a description in extra.latentwire", file, error)
        return None


def _plain_names(names: Sequence[Any]) -> list[str]:
    return [each for each in names if isinstance(each, str) and Path(each).name == each]
