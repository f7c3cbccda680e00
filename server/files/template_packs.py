"""Workflows to start from, as ComfyUI's web page lists them: those that ship, and those of ComfyUI's own packages.

The packages (comfyui-workflow-templates and its parts, on PyPI) are found where they are installed and never imported.
Everything here touches the disk, so call it in a thread.
"""

import json
import logging
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

from server.files import templates
from server.files.templates import Template

PACKAGES = "comfyui_workflow_templates*"
DISTRIBUTION = "comfyui-workflow-templates"
INDEX = re.compile(r"index(\.[A-Za-z]{2}(-[A-Za-z]{2,4})?)?\.json")
LOGOS = "index_logo.json"

OWN = "latentwire_"
"""What the names of the workflows that ship begin with, so that they meet no other's."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Packs:
    """The files of the packages that are installed, by their address below /templates/."""

    files: Mapping[str, Path]
    version: str | None


@cache
def installed() -> Packs:
    """The packages that were there when this was first asked."""
    return find(sys.path)


def find(places: Sequence[str]) -> Packs:
    """The packages in folders that Python imports from."""
    found: dict[str, Path] = {}
    for place in places:
        for folder in sorted(Path(place or ".").glob(f"{PACKAGES}/templates")):
            for parent, _, names in os.walk(folder):
                for path in (Path(parent, name) for name in names):
                    found.setdefault(path.relative_to(folder).as_posix(), path)
    try:
        version = metadata.version(DISTRIBUTION) if found else None
    except metadata.PackageNotFoundError:
        version = None
    return Packs(MappingProxyType(found), version)


def index(name: str, shipped: Path, packs: Packs) -> list[Any]:
    """The list of workflows in a language: those that ship first, since they need no further models."""
    own = {
        "moduleName": "default",
        "title": "Latentwire",
        "category": "Latentwire",
        "type": "image",
        "templates": [_entry(each) for each in templates.read_all(shipped) if not each.needs],
    }
    return [own, *_listed(packs.files.get(name) or packs.files.get("index.json"))]


def own_template(name: str, shipped: Path) -> Template | None:
    """The workflow that ships under a file's name (x.json, or x-1.webp of its picture); None, when it is none."""
    found = re.fullmatch(rf"{OWN}(.+?)(\.json|-1\.webp)", name)
    if found is None:
        return None
    return next((each for each in templates.read_all(shipped) if each.name == found[1]), None)


def _entry(template: Template) -> dict[str, Any]:
    return {
        "name": f"{OWN}{template.name}",
        "title": template.title,
        "description": template.description,
        "mediaType": "image",
        "mediaSubtype": "webp",
        "tags": [],
        "models": ["Latentwire Icons"],
        "openSource": True,
        "size": 0,
    }


def _listed(file: Path | None) -> list[Any]:
    if file is None:
        return []
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        log.warning("%s: the list of templates cannot be read (%s)", file, error)
        return []
    return found if isinstance(found, list) else []
