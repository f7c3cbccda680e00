"""Which plugins there are on the disk, and whether their files have changed. Nothing is imported here.

An entry of a `custom_nodes` folder is a plugin: a package, or a single .py file. `stamp` tells one state of its files
from another, by their names, sizes and times.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from engine.folders import Folders
from engine.settings import Settings

CODE = frozenset({".py", ".pyd", ".so", ".toml", ".json", ".yaml", ".yml"})
"""What a plugin's nodes may depend on. Pictures, weights and scripts for browsers are read when they are needed."""

MOST_FILES = 20_000
"""Of one plugin; what lies beyond is not looked at."""

_PASSED_OVER = frozenset({"__pycache__", "node_modules"})


@dataclass(frozen=True, slots=True)
class Found:
    """An entry of a plugin folder. reason: why it is not imported, "" when it is."""

    name: str
    path: Path
    reason: str = ""

    @property
    def file(self) -> Path:
        """What is imported."""
        return self.path / "__init__.py" if self.path.is_dir() else self.path

    @property
    def title(self) -> str:
        """The name under which its nodes and its web files are known: without .py."""
        return self.name.removesuffix(".py")


def find(folders: Folders, settings: Settings) -> list[Found]:
    """Every plugin there is, in the order in which they are imported; those that are left out with the reason."""
    return [each for folder in folders.folders("custom_nodes") for each in _entries(folder, settings)]


def stamp(path: Path) -> str:
    """A short text that changes with the plugin's files."""
    told = blake2b(digest_size=10)
    files = _files(path) if path.is_dir() else [path]
    for count, file in enumerate(sorted(files)):
        try:
            about = file.stat()
        except OSError:  # it goes away at this moment
            continue
        told.update(f"{file}\0{about.st_size}\0{about.st_mtime_ns}\0".encode("utf-8", "surrogatepass"))
        if count == MOST_FILES:
            break
    return told.hexdigest()


def stamps(found: Iterable[Found]) -> dict[str, str]:
    """The stamps of plugins by their paths; those that are not imported have an empty one."""
    return {str(each.path): "" if each.reason else stamp(each.path) for each in found}


def _entries(folder: Path, settings: Settings) -> Iterator[Found]:
    try:
        paths = sorted(folder.iterdir(), key=lambda path: path.name)
    except OSError:  # there is no such folder, which is usual
        return
    for path in paths:
        if path.name.startswith(".") or path.name in _PASSED_OVER:
            continue
        bare = path.name.removesuffix(".disabled")
        is_package, is_file = path.is_dir(), path.suffix == ".py" or bare.endswith(".py")
        if is_package or is_file:
            yield Found(path.name, path, _why_not(path, is_package=is_package, settings=settings))


def _why_not(path: Path, *, is_package: bool, settings: Settings) -> str:
    if path.name.endswith(".disabled"):
        return "its name ends in .disabled"
    if settings.disable_all_custom_nodes and not _is_listed(path.name, settings.whitelist_custom_nodes):
        return "--disable-all-custom-nodes, and --whitelist-custom-nodes does not name it"
    if is_package and not (path / "__init__.py").is_file():
        return "it is a folder without __init__.py"
    return ""


def _is_listed(name: str, listed: Sequence[str]) -> bool:
    return name in listed or name.removesuffix(".py") in listed


def _files(folder: Path) -> list[Path]:
    found: list[Path] = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [each for each in folders if each not in _PASSED_OVER and not each.startswith(".")]
        found += [Path(parent, each) for each in files if os.path.splitext(each)[1].lower() in CODE]
        if len(found) > MOST_FILES:
            break
    return found
