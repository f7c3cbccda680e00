"""What a plugin's files say about it without being run: its version, its name, its folder for browsers."""

import ast
import itertools
import os
import tomllib
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

MOST_READ = 200
"""Files of a plugin that are read for the names of its nodes."""

LONGEST_READ = 1_000_000  # bytes of such a file


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


def written_folders(before: Mapping[str, str], now: Mapping[Any, Any]) -> tuple[dict[str, str], list[str]]:
    """What a plugin wrote into nodes.EXTENSION_WEB_DIRS. Returns: folders by name; a line for each that is none."""
    folders, problems = {}, []
    for name, given in now.items():
        if given is before.get(name) and name in before:
            continue
        if isinstance(given, str | os.PathLike) and str(given) and Path(given).is_dir():
            folders[str(name)] = str(Path(given).resolve())
        else:
            problems.append(f"EXTENSION_WEB_DIRS[{name!r}]: expected a folder, got {given!r:.200}")
    return folders, problems


def version(path: Path, module: types.ModuleType) -> str:
    """What the plugin calls its version, "" when it does not."""
    said = _table(pyproject(path), "project").get("version") if path.is_dir() else None
    said = said or getattr(module, "__version__", None)
    return said if isinstance(said, str) else ""


def named_nodes(path: Path) -> list[str]:
    """The ids of nodes that a plugin's code names, found without running it: for plugins that cannot be imported.

    Keys of NODE_CLASS_MAPPINGS, `node_id=` of schemas, and what `@node` is given.
    """
    files = itertools.islice(sorted(path.rglob("*.py")), MOST_READ) if path.is_dir() else [path]
    found: set[str] = set()
    for file in files:
        try:
            text = file.read_text(encoding="utf-8") if file.stat().st_size < LONGEST_READ else ""
            found.update(_named_in(ast.parse(text)))
        except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
            continue  # a file that cannot be read names nothing
    return sorted(found)


def _named_in(tree: ast.Module) -> Iterator[str]:
    for each in ast.walk(tree):
        match each:
            case ast.Assign(targets=[ast.Name(id="NODE_CLASS_MAPPINGS")], value=ast.Dict(keys=keys)):
                yield from (key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str))
            case ast.AnnAssign(target=ast.Name(id="NODE_CLASS_MAPPINGS"), value=ast.Dict(keys=keys)):
                yield from (key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str))
            case ast.Subscript(value=ast.Name(id="NODE_CLASS_MAPPINGS"), slice=ast.Constant(value=str(id))):
                yield id
            case ast.keyword(arg="node_id", value=ast.Constant(value=str(id))):
                yield id
            case ast.Call(func=ast.Name(id="node"), args=[ast.Constant(value=str(id)), *_]):
                yield id


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
