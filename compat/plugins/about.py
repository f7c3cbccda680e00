"""What a plugin's files say about it without being run: its version, its name, its folder for browsers."""

import tomllib
import types
from pathlib import Path
from typing import Any


def web_folders(title: str, path: Path, module: types.ModuleType) -> dict[str, str]:
    """The names below /extensions and the folders behind them: of pyproject.toml, and of WEB_DIRECTORY."""
    found: dict[str, str] = {}
    if not path.is_dir():
        path = path.parent
    else:
        named = _table(pyproject(path), "tool", "comfy").get("web")
        if isinstance(named, str) and named and (path / named).is_dir():
            name = _table(pyproject(path), "project").get("name")
            found[name if isinstance(name, str) and name else title] = str((path / named).resolve())
    given = getattr(module, "WEB_DIRECTORY", None)
    if isinstance(given, str) and given and (path / given).is_dir():
        found[title] = str((path / given).resolve())
    return found


def version(path: Path, module: types.ModuleType) -> str:
    """What the plugin calls its version, "" when it does not."""
    said = _table(pyproject(path), "project").get("version") if path.is_dir() else None
    said = said or getattr(module, "__version__", None)
    return said if isinstance(said, str) else ""


def pyproject(path: Path) -> dict[str, Any]:
    """A package's pyproject.toml; empty where it has none that can be read."""
    try:
        return tomllib.loads((path / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _table(values: dict[str, Any], *keys: str) -> dict[str, Any]:
    for key in keys:
        found = values.get(key)
        values = found if isinstance(found, dict) else {}
    return values
