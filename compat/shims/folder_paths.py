"""ComfyUI's `folder_paths`: where models, inputs and results are, over engine.folders.

The names below are plain variables that plugins read and write. `folder_names_and_paths` is the very registry that
our Folders read, and writing one of the three directories moves ours; compat.core_nodes.paths fills them in.
"""

import mimetypes
import os
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from compat.core_nodes.filenames import FileNames
from compat.host import host, is_installed
from engine.errors import PathError
from engine.folders import LEGACY_KINDS, WEIGHT_SUFFIXES, inside, split_annotation
from engine.saving import fill_in, next_place

supported_pt_extensions: set[str] = set(WEIGHT_SUFFIXES)
folder_names_and_paths: dict[str, tuple[list[str], set[str]]] = {}
filename_list_cache: dict[str, Any] = {}
extension_mimetypes_cache: dict[str, str] = {
    ".webp": "image",
    ".avif": "image",
    **dict.fromkeys((".fbx", ".glb", ".gltf", ".obj", ".ply", ".stl", ".usdz"), "model"),
}

base_path = ""
models_dir = ""
output_directory = ""
input_directory = ""
temp_directory = ""
user_directory = ""

_ROOTS = {"output_directory": "output", "input_directory": "input", "temp_directory": "temp", "user_directory": "user"}


class _Live(ModuleType):
    """The module's own class: a directory that is written here is moved in our Folders too."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in _ROOTS and is_installed():
            folders = host().folders
            setattr(folders, _ROOTS[name], Path(os.path.abspath(value)))
        elif name == "folder_names_and_paths" and is_installed():
            host().folders.registry = value


sys.modules[__name__].__class__ = _Live


def map_legacy(folder_name: str) -> str:
    """Today's name of a kind."""
    return LEGACY_KINDS.get(folder_name, folder_name)


def get_folder_paths(folder_name: str) -> list[str]:
    """The folders of a kind, in the order they are searched. Raises: KeyError for an unknown kind."""
    return [str(folder) for folder in _known(folder_name)]


def _known(folder_name: str) -> Sequence[Any]:
    try:
        return host().folders.folders(folder_name)
    except PathError as error:
        raise KeyError(str(error)) from error


def add_model_folder_path(folder_name: str, full_folder_path: str, is_default: bool = False) -> None:
    """Adds a folder to a kind, in front when it is the default, and the kind where it is new."""
    host().folders.add_folder(folder_name, full_folder_path, is_default=is_default)


class CacheHelper:
    """While it is entered, lists of files are read once."""

    def __init__(self) -> None:
        self.cache: dict[str, Any] = {}
        self.active = False

    def get(self, key: str, default: Any = None) -> Any:
        """What was kept, while the helper is active."""
        return self.cache.get(key, default) if self.active else default

    def set(self, key: str, value: Any) -> None:
        """Keeps a value, while the helper is active."""
        if self.active:
            self.cache[key] = value

    def clear(self) -> None:
        """Forgets everything."""
        self.cache.clear()

    def __enter__(self) -> "CacheHelper":
        self.active = True
        return self

    def __exit__(self, *_: object) -> None:
        self.active = False
        self.clear()


cache_helper = CacheHelper()


def get_filename_list(folder_name: str) -> list[str]:
    """The files of a kind, sorted, sub-folders included. Raises: KeyError for an unknown kind.

    Returns: a fresh FileNames, which still knows its kind when an author adds choices that are no files.
    """
    kind = map_legacy(folder_name)
    names = cache_helper.get(kind)
    if names is None:
        _known(kind)
        names = host().folders.list(kind)
        cache_helper.set(kind, names)
    return FileNames(names, kind)


def get_full_path(folder_name: str, filename: str) -> str | None:
    """Where a file of a kind is; None when there is none. A name cannot lead out of the kind's folders."""
    flattened = os.path.relpath(os.path.join(os.sep, filename), os.sep)
    try:
        return str(host().folders.path(folder_name, flattened))
    except PathError:
        return None


def get_full_path_or_raise(folder_name: str, filename: str) -> str:
    """Where a file of a kind is. Raises: FileNotFoundError."""
    found = get_full_path(folder_name, filename)
    if found is None:
        raise FileNotFoundError(f"Model in folder '{folder_name}' with filename '{filename}' not found.")
    return found


def get_output_directory() -> str:
    """Where results go."""
    return output_directory


def get_input_directory() -> str:
    """Where uploaded files are."""
    return input_directory


def get_temp_directory() -> str:
    """Where previews go; it is emptied at start and end, and may not exist yet."""
    return temp_directory


def get_user_directory() -> str:
    """Where settings and workflows of users are."""
    return user_directory


def get_system_user_directory(name: str = "system") -> str:
    """A plugin's own folder among those of users, which no client is served from (newer than 0.3.64)."""
    if not name or not name.replace("_", "").isalnum() or name.startswith("_"):
        raise ValueError(f"{name!r}: expected letters, digits and underscores, the first no underscore")
    return str(Path(get_user_directory()) / f"__{name}")


def get_public_user_directory(user_id: str) -> str | None:
    """A user's folder; None for names that are plugins' own (newer than 0.3.64)."""
    return None if user_id.startswith("__") else str(Path(get_user_directory()) / user_id)


def set_output_directory(output_dir: str) -> None:
    """Moves the folder for results."""
    setattr(sys.modules[__name__], "output_directory", output_dir)  # noqa: B010 -- a plain `global` would move nothing


def set_input_directory(input_dir: str) -> None:
    """Moves the folder for uploaded files."""
    setattr(sys.modules[__name__], "input_directory", input_dir)  # noqa: B010


def set_temp_directory(temp_dir: str) -> None:
    """Moves the folder for previews."""
    setattr(sys.modules[__name__], "temp_directory", temp_dir)  # noqa: B010


def set_user_directory(user_dir: str) -> None:
    """Moves the folder for users' files."""
    setattr(sys.modules[__name__], "user_directory", user_dir)  # noqa: B010


def get_directory_by_type(type_name: str) -> str | None:
    """The folder behind "output", "temp" or "input"; None for another word."""
    known = {"output": get_output_directory, "temp": get_temp_directory, "input": get_input_directory}
    return known[type_name]() if type_name in known else None


def annotated_filepath(name: str) -> tuple[str, str | None]:
    """Splits "a.png [output]" into its name and that folder; None where the name says none."""
    plain, root = split_annotation(name)
    return plain, None if root is None else get_directory_by_type(root)


def get_annotated_filepath(name: str, default_dir: str | None = None) -> str:
    """The path behind a name such as "a.png [output]"; it need not exist.

    Raises: PathError for a name that leads out of its folder.
    """
    plain, folder = annotated_filepath(name)
    return str(inside(Path(folder or default_dir or get_input_directory()), plain))


def exists_annotated_filepath(name: str) -> bool:
    """Whether there is such a file."""
    try:
        return os.path.exists(get_annotated_filepath(name))
    except PathError:
        return False


def get_input_subfolders() -> list[str]:
    """The folders below the input folder, sorted, however deep."""
    root = get_input_directory()
    found = (os.path.join(parent, each) for parent, folders, _ in os.walk(root) for each in folders)
    return sorted(os.path.relpath(each, root).replace(os.sep, "/") for each in found)


def get_save_image_path(
    filename_prefix: str, output_dir: str, image_width: int = 0, image_height: int = 0
) -> tuple[str, str, int, str, str]:
    """Where to write the next file of a prefix; the folder is made, the number is free.

    Returns: folder, stem, counter, sub-folder, and the prefix with its %words% filled in.
    Raises: PathError for a prefix that leads out of output_dir.
    """
    # Filled in once: the seconds must not differ between the answer's parts.
    prefix = fill_in(filename_prefix, width=image_width, height=image_height)
    _, stem, counter = next_place(Path(output_dir), prefix)
    subfolder = os.path.dirname(os.path.normpath(prefix))
    return os.path.join(output_dir, subfolder) if subfolder else str(output_dir), stem, counter, subfolder, prefix


def filter_files_extensions(files: Iterable[str], extensions: Iterable[str]) -> list[str]:
    """The files with one of these suffixes, sorted; all of them where none is given."""
    allowed = [*extensions]
    return sorted(name for name in files if not allowed or os.path.splitext(name)[1].lower() in allowed)


def filter_files_content_types(files: Iterable[str], content_types: Sequence[str]) -> list[str]:
    """The files that hold "image", "video", "audio" or (three-dimensional) "model"s, judged by their names."""
    return [name for name in files if _content_type(name) in content_types]


def _content_type(name: str) -> str:
    suffix = os.path.splitext(name)[1].lower()
    guessed = mimetypes.guess_type(name, strict=False)[0] or ""
    return extension_mimetypes_cache.get(suffix) or guessed.partition("/")[0]


def recursive_search(
    directory: str, excluded_dir_names: Sequence[str] | None = None
) -> tuple[list[str], dict[str, float]]:
    """Every file below a folder, and when each folder changed; nothing where there is no such folder."""
    files: list[str] = []
    changed: dict[str, float] = {}
    seen: set[str] = set()  # links can form a ring
    for parent, folders, names in os.walk(directory, followlinks=True):
        seen.add(os.path.realpath(parent))
        folders[:] = [each for each in folders if each not in (excluded_dir_names or ())]
        folders[:] = [each for each in folders if os.path.realpath(os.path.join(parent, each)) not in seen]
        changed[os.path.abspath(parent)] = os.path.getmtime(parent)
        files += [os.path.relpath(os.path.join(parent, name), directory) for name in names]
    return files, changed


def get_filename_list_(folder_name: str) -> tuple[list[str], dict[str, float], float]:
    """The files of a kind, when each of its folders changed, and the time now."""
    changed = {folder: os.path.getmtime(folder) for folder in get_folder_paths(folder_name) if os.path.isdir(folder)}
    return get_filename_list(folder_name), changed, time.perf_counter()
