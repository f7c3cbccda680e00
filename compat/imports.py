"""How ComfyUI's module names are imported: as any module, but what is not here is said in a sentence that names it.

Python alone would say `No module named 'comfy.context_windows'`, or `cannot import name 'X' from 'comfy.sd'` with the
path of a file, which tells whoever installed a plugin nothing.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from compat.missing import missing, sentence


class Names(MetaPathFinder):
    """Finds the modules below one folder, and refuses names below its packages that are not there."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self._own = {each.stem for each in root.iterdir() if each.is_dir() or each.suffix == ".py"} - {"__pycache__"}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module. Raises: ModuleNotFoundError, where an import asks for one that is not there."""
        top, _, below = fullname.partition(".")
        if top not in self._own:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None and below and _is_import():
            raise ModuleNotFoundError(sentence(fullname), name=fullname)
        if spec is not None and spec.origin and spec.origin.startswith(self.root):
            spec.loader = _Loader(fullname, spec.origin)
        return spec


class _Loader(SourceFileLoader):
    """Loads a module, and lets it answer for members that it does not have."""

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        name = module.__name__

        def look_up(member: str) -> Any:
            raise missing(name, member)

        module.__dict__.setdefault("__getattr__", look_up)


def _is_import() -> bool:
    """Whether a module is to be imported, and not only looked for by importlib.util.find_spec."""
    return sys._getframe(3).f_code.co_name == "_find_and_load_unlocked"


def offer(root: Path) -> None:
    """Makes the modules below a folder importable, after those that are on the path already."""
    if str(root) not in sys.path:
        sys.path.append(str(root))
    if not any(isinstance(each, Names) and each.root == str(root) for each in sys.meta_path):
        sys.meta_path.insert(0, Names(root))
