"""A plugin's Python modules: imported under ComfyUI's names, taken out of the interpreter, put back."""

import importlib.util
import sys
import types
from contextlib import suppress
from pathlib import Path

from engine.plugin_files import Found


def module_name(path: Path) -> str:
    """The name a plugin's module has: its path, where a dot would make it a sub-package of something."""
    # ComfyUI: each "." of a package's path becomes "_x_"; plugins find each other in sys.modules by that.
    return str(path.with_suffix("") if path.is_file() else path).replace(".", "_x_")


def execute(found: Found) -> types.ModuleType:
    """Imports a plugin. Raises: whatever its code raises; then none of its modules stays behind."""
    name = module_name(found.path)
    places = [str(found.path)] if found.path.is_dir() else None
    spec = importlib.util.spec_from_file_location(name, found.file, submodule_search_locations=places)
    if spec is None or spec.loader is None:
        raise ImportError(f"{found.file} cannot be imported as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        take_out(found.path)
        raise
    return module


def run_script(file: Path) -> None:
    """Runs a prestartup_script.py. Raises: whatever it raises."""
    spec = importlib.util.spec_from_file_location(module_name(file), file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} cannot be run as Python")
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


def take_out(path: Path) -> dict[str, types.ModuleType]:
    """Takes a plugin's modules out of the interpreter, also those it imported by way of sys.path. Returns: them."""
    name = module_name(path)
    taken = {
        each: module
        for each, module in [*sys.modules.items()]
        if each == name or each.startswith(f"{name}.") or _lies_in(module, path)
    }
    for each in taken:
        sys.modules.pop(each, None)
    return taken


def put_back(modules: dict[str, types.ModuleType]) -> None:
    """What was taken out is there again."""
    sys.modules.update(modules)


def forget_bytecode(path: Path) -> None:
    """Has a plugin's files compiled anew: Python would not notice a change of the same length within a second."""
    importlib.invalidate_caches()
    for file in path.rglob("*.py") if path.is_dir() else [path]:
        with suppress(OSError, NotImplementedError):
            Path(importlib.util.cache_from_source(str(file))).unlink(missing_ok=True)


def _lies_in(module: types.ModuleType, path: Path) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and path.is_dir() and Path(file).is_relative_to(path)
