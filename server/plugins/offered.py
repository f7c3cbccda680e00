"""What lies in plugins' folders for browsers: scripts, example workflows, texts in several languages.

Everything here touches the disk, so call it in a thread. No name leads out of a plugin's folder.
"""

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from engine.errors import PathError
from engine.folders import inside

EXAMPLES = ("example_workflows", "example", "examples", "workflow", "workflows")
"""Where example workflows may lie; the first that is there counts. Source: protocol.md, section 4."""

TEXTS = ("main", "commands", "nodeDefs", "settings")
"""Files of texts by language, without .json; what is in main stands at the top of the others. Source: the same."""

LARGEST = 16_000_000  # bytes of a file of texts
MOST_FILES = 5000  # scripts of one plugin

log = logging.getLogger(__name__)


def scripts(web: Mapping[str, Path]) -> list[str]:
    """The addresses of all scripts below /extensions."""
    return [
        f"/extensions/{quote(name)}/{quote(file)}" for name, folder in sorted(web.items()) for file in _scripts(folder)
    ]


def file(folder: Path, name: str) -> Path | None:
    """A file by its name below a folder; None when there is none, or the name leads out of it."""
    try:
        path = inside(folder, name)
        is_there = path.is_file() and path.resolve().is_relative_to(folder.resolve())
    except (PathError, OSError, ValueError):
        return None
    return path if is_there else None


def examples(plugins: Mapping[str, Path]) -> dict[str, list[str]]:
    """The names of the example workflows of each plugin, without .json."""
    found = {name: _examples(folder) for name, folder in plugins.items()}
    return {name: sorted(path.stem for path in paths) for name, paths in found.items() if paths}


def example(plugins: Mapping[str, Path], plugin: str, name: str) -> Path | None:
    """A file beside the example workflows of a plugin."""
    folder = plugins.get(plugin)
    place = None if folder is None else _example_folder(folder)
    return None if place is None else file(place, name)


def texts(plugins: Mapping[str, Path]) -> dict[str, Any]:
    """What plugins call their nodes, commands and settings, by language; of two words for one thing the last."""
    told: dict[str, Any] = {}
    for folder in plugins.values():
        for place in sorted((folder / "locales").glob("*/")):
            language = told.setdefault(place.name, {})
            for name in TEXTS:
                found = _read(place / f"{name}.json")
                if found:
                    _merge(language, found if name == "main" else {name: found})
    return {language: words for language, words in told.items() if words}


def _scripts(folder: Path) -> list[str]:
    found: list[str] = []
    for parent, _, names in os.walk(folder):
        found += [Path(parent, name).relative_to(folder).as_posix() for name in names if name.endswith(".js")]
        if len(found) > MOST_FILES:
            log.warning("%s: only the first %d scripts are listed", folder, MOST_FILES)
            break
    return sorted(found)[:MOST_FILES]


def _example_folder(plugin: Path) -> Path | None:
    return next((plugin / name for name in EXAMPLES if (plugin / name).is_dir()), None)


def _examples(plugin: Path) -> list[Path]:
    folder = _example_folder(plugin)
    return [] if folder is None else [each for each in folder.glob("*.json") if each.is_file()]


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"it is larger than {LARGEST:,} bytes")
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        log.warning("%s: these texts cannot be read (%s)", path, error)
        return {}
    return found if isinstance(found, dict) else {}


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        before = into.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            _merge(before, value)
        else:
            into[key] = value
