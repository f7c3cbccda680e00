"""Where files are: model folders by kind, and the roots for input, output, temporary and user files.

Built once in `main.py` and handed to whoever needs files. A name that comes from a graph is joined to a folder here and
nowhere else, so it cannot climb out of it.
"""

import builtins
import mimetypes
import os
import re
import site
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

import yaml

from engine.errors import PathError, SettingsError

WEIGHT_SUFFIXES = frozenset({".ckpt", ".pt", ".pt2", ".bin", ".pth", ".safetensors", ".pkl", ".sft"})
"""What a weights file may be called. Source: ComfyUI's supported extensions (node_behaviour.md, 0.7)."""

LEGACY_KINDS = {"clip": "text_encoders", "unet": "diffusion_models"}
"""Old names of kinds that saved files and plugins still use."""

MODEL_FOLDERS: Mapping[str, tuple[str, ...]] = {
    "checkpoints": ("checkpoints",),
    "configs": ("configs",),
    "loras": ("loras",),
    "vae": ("vae",),
    "text_encoders": ("text_encoders", "clip"),
    "diffusion_models": ("unet", "diffusion_models"),
    "clip_vision": ("clip_vision",),
    "style_models": ("style_models",),
    "embeddings": ("embeddings",),
    "diffusers": ("diffusers",),
    "vae_approx": ("vae_approx",),
    "controlnet": ("controlnet", "t2i_adapter"),
    "gligen": ("gligen",),
    "upscale_models": ("upscale_models",),
    "hypernetworks": ("hypernetworks",),
    "photomaker": ("photomaker",),
    "ipadapter": ("ipadapter",),
    "classifiers": ("classifiers",),
    "model_patches": ("model_patches",),
    "audio_encoders": ("audio_encoders",),
    "geometry_estimation": ("geometry_estimation",),
}
"""Kind -> folders of `models/`, in the order they are searched. Source: node_behaviour.md, 0.7; the last one, ComfyUI's
public documentation of LoadDA3Model."""

STANDARD_SUFFIXES: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(MODEL_FOLDERS, WEIGHT_SUFFIXES),
    "configs": frozenset({".yaml"}),
    "diffusers": frozenset({"folder"}),
}
"""Kind -> how its files end; of `diffusers` whole folders are listed. Source: node_behaviour.md, 0.7."""

Entry = tuple[list[str], set[str]]
"""The folders of a kind, in the order they are searched, and the suffixes of its files."""

VAE_AND_SMALL = "vae:small"
"""A kind to list only: the autoencoders, and behind them the small ones of which both halves are there."""

SMALL_VAES = ("taesd", "taesdxl", "taesd3", "taef1")
HALVES = ("encoder", "decoder")
"""Source: node_behaviour.md 6, VAELoader."""

EMBEDDED = Path("checkpoints", "latentwire_icons.safetensors")
"""The checkpoint that comes with the program, below its models folder."""

FROM_OUTPUT = ("checkpoints", "text_encoders", "vae", "diffusion_models", "loras")
"""Kinds that saving nodes write below the output folder; what they wrote can be loaded again at once."""

MAX_NAME_BYTES = 255  # of one file or folder; the limit of nearly every file system
MAX_PATH_CHARACTERS = 1000
MAX_DEPTH = 32
_ANNOTATION = re.compile(r"(?s)(?P<name>.*)\[(?P<root>input|output|temp)\]")
_FRESH_SECONDS = 2.0  # a folder changed this short a time before it was read may change again under the same mtime


def embedded_models() -> Path:
    """The models that come with this program, found wherever the base directory is: in its folder, or as installed."""
    return shipped("models", EMBEDDED)


def shipped(folder: str, mark: str | Path) -> Path:
    """A folder that comes with this program: beside it, or where it was installed. `mark` is a file it must hold."""
    home = Path(__file__).resolve().parent.parent
    # In site-packages a folder of that name may be anybody's. `--target` puts share/ beside the packages; `--user` and
    # virtual environments have it in the prefix.
    shares = [Path(each, "share", "latentwire") for each in (sys.prefix, site.getuserbase(), home)]
    places = [home / folder, *(share / folder for share in shares)]
    return next((place for place in places if (place / mark).is_file()), places[1])


def inside(root: Path, name: str) -> Path:
    """Joins a name to a root, or refuses a name that could lead out of it.

    Raises: PathError for an empty name, a NUL, an absolute path, a drive letter, a `..`, or a name too long or deep.
    """
    if not isinstance(name, str) or not name or "\0" in name or not _can_be_spelled(name):
        raise PathError(f"{name!r:.200} is not a file name; give the name of a file below {root}")
    refuse_long(name)
    parts = re.split(r"[/\\]", name)
    if not parts[0] or (":" in name and PureWindowsPath(name).drive) or ".." in parts:
        raise PathError(f"{name!r} leads out of {root}; give a name below it, without '..' and not absolute")
    return root / name


def refuse_long(name: str) -> None:
    """Raises: PathError for a name no file system takes, before it costs anything; the message shows its start."""
    parts = re.split(r"[/\\]", name[: MAX_PATH_CHARACTERS + 1])
    if len(name) > MAX_PATH_CHARACTERS or len(parts) > MAX_DEPTH:
        limits = f"{MAX_PATH_CHARACTERS:,} characters and {MAX_DEPTH} folders are accepted"
        raise PathError(f"'{name[:40]}…' is too long for a file name; at most {limits}")
    if max(len(part.encode("utf-8", "surrogatepass")) for part in parts) > MAX_NAME_BYTES:
        raise PathError(f"'{name[:40]}…' is too long for a file name; at most {MAX_NAME_BYTES} bytes are accepted")


def _can_be_spelled(name: str) -> bool:
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True


def split_annotation(name: str) -> tuple[str, str | None]:
    """Splits "a.png [output]" into its name and its root: "input", "output", "temp", or None where none is said."""
    found = _ANNOTATION.fullmatch(name)
    if found is None:
        return name, None
    # ComfyUI: the one character before the bracket is cut, whatever it is.
    return found["name"][:-1], found["root"]


@dataclass(frozen=True, slots=True)
class _Listing:
    """The names below some folders, and what those folders looked like when they were read."""

    names: tuple[str, ...]
    folders: tuple[Path, ...]
    suffixes: frozenset[str]
    changed: Mapping[str, int]
    read_at: float


class Folders:
    """Model folders by kind, and the roots for input, output, temp and user files.

    base: holds models/, input/, output/, temp/, user/ and custom_nodes/; a ComfyUI folder is one.
    output, input, temp, user: take the place of those below base.
    registry: kind -> (folders, suffixes of its files; none means any). Plain and read anew each time, because plugins
    write into it.
    extra: files in the format of ComfyUI's extra_model_paths.yaml; the one in base is read without being named.
    """

    def __init__(
        self,
        base: Path | str,
        *,
        output: Path | str | None = None,
        input: Path | str | None = None,  # ComfyUI's word for it
        temp: Path | str | None = None,
        user: Path | str | None = None,
        extra: Sequence[Path | str] = (),
        embedded: Path | None = None,
    ) -> None:
        self.base = _absolute(base)
        self.models = self.base / "models"
        self.output = _absolute(output or self.base / "output")
        self.input = _absolute(input or self.base / "input")
        self.temp = _absolute(temp or self.base / "temp")
        self.user = _absolute(user or self.base / "user")
        self._lock = threading.Lock()
        self._listings: dict[str, _Listing] = {}
        self.registry: dict[str, Entry] = {}
        for kind, folders in _standard_kinds(self.base, self.output, embedded or embedded_models()).items():
            self.registry[kind] = ([str(folder) for folder in folders], set(STANDARD_SUFFIXES.get(kind, ())))
        beside = self.base / "extra_model_paths.yaml"
        for file in [*([beside] if beside.is_file() else []), *extra]:
            for kind, folder, is_default in read_extra_model_paths(Path(file)):
                self.add_folder(kind, folder, is_default=is_default)

    def kinds(self) -> builtins.list[str]:
        """The kinds of model folders there are, current names only."""
        return list(self.registry)

    def folders(self, kind: str) -> tuple[Path, ...]:
        """Where files of a kind are looked for, in that order. Raises: PathError for an unknown kind."""
        return tuple(_absolute(folder) for folder in _texts(self._entry(kind)[0]))

    def suffixes(self, kind: str) -> frozenset[str]:
        """How files of a kind may end; empty for any. Raises: PathError for an unknown kind."""
        return frozenset(_texts(self._entry(kind)[1]))

    def described(self) -> dict[str, tuple[builtins.list[str], builtins.list[str]]]:
        """Every kind with its folders and suffixes as plain data, for `adopt` in another process."""
        return {kind: ([*map(str, self.folders(kind))], sorted(self.suffixes(kind))) for kind in self.kinds()}

    def adopt(self, described: Mapping[str, Sequence[Sequence[str]]]) -> None:
        """Takes over the kinds that another process described, where plugins may have added some."""
        for kind, (folders, suffixes) in described.items():
            self.registry[kind] = ([*folders], set(suffixes))

    def _entry(self, kind: str) -> tuple[object, object]:
        kind = LEGACY_KINDS.get(kind, kind)
        entry = self.registry.get(kind)
        if entry is None:
            known = ", ".join(sorted(self.registry))
            raise PathError(f"{kind!r} is no kind of model folder; there are {known}")
        folders, suffixes = (*entry, (), ())[:2]
        return folders, suffixes

    def add_folder(self, kind: str, folder: Path | str, *, is_default: bool = False) -> None:
        """Adds a folder to a kind (before the others when it is the default), and the kind itself when it is new."""
        kind, added = LEGACY_KINDS.get(kind, kind), str(_absolute(folder))
        with self._lock:
            folders, _ = self.registry.setdefault(kind, ([], set()))
            if added in folders and is_default:
                folders.remove(added)
            if added not in folders:
                folders.insert(0 if is_default else len(folders), added)

    def list(self, kind: str) -> list[str]:
        """The names of all files of a kind, sorted, with their sub-folders; read anew when a folder has changed.

        A kind without known suffixes lists every file; `diffusers` lists the folders that hold a model_index.json.
        Raises: PathError for an unknown kind.
        """
        kind = LEGACY_KINDS.get(kind, kind)
        if kind == VAE_AND_SMALL:
            return [*self.list("vae"), *(name for name in SMALL_VAES if all(self.small_vae(name)))]
        folders, suffixes = self.folders(kind), self.suffixes(kind)
        listing = self._listings.get(kind)
        if listing is None or (listing.folders, listing.suffixes) != (folders, suffixes) or not _is_current(listing):
            listing = _read_listing(folders, suffixes, whole_folders=kind == "diffusers")
            with self._lock:
                self._listings[kind] = listing
        return [*listing.names]

    def small_vae(self, name: str) -> tuple[str | None, str | None]:
        """The files of a small autoencoder's encoder and decoder, by their listed names; None for one not there."""
        names = self.list("vae_approx")
        found = [next((each for each in names if each.startswith(f"{name}_{half}.")), None) for half in HALVES]
        return found[0], found[1]

    def path(self, kind: str, name: str) -> Path:
        """The file of a kind by its listed name, in the first folder that has it.

        A link inside a model folder may lead anywhere: people keep their models on other disks. A name may not.
        Raises: PathError when there is none, or the name leads out of the folder.
        """
        folders = self.folders(kind)
        for folder in folders:
            try:
                candidate = inside(folder, name)
            except PathError as error:
                raise PathError(f"{kind}: {error}") from None
            if _exists(candidate, as_folder=kind == "diffusers"):
                return candidate
        looked = ", ".join(map(str, folders))
        raise PathError(f"{kind}: no file {name!r}; looked in {looked}. Put it there or choose one of those listed")

    def root(self, kind: str) -> Path:
        """The folder behind "input", "output" or "temp". Raises: PathError for another word."""
        roots = {"input": self.input, "output": self.output, "temp": self.temp}
        if kind not in roots:
            raise PathError(f"{kind!r} is no folder of files; expected input, output or temp")
        return roots[kind]

    def input_file(self, name: str, root: str = "input") -> Path:
        """The file a node names, such as "a.png", "sub/a.png" or "a.png [output]"; `root` where the name says none.

        Raises: PathError when there is none, or it lies outside that folder, even by way of a link.
        """
        if not isinstance(name, str):  # a wire may bring anything
            raise PathError(f"expected the name of a file, got {name!r:.200}")
        plain, annotated = split_annotation(name)
        kind = annotated or root
        folder = self.root(kind)
        try:
            path = inside(folder, plain)
        except PathError as error:
            raise PathError(f"{kind}: {error}") from None
        if not _exists(path):
            raise PathError(f"{kind}: no file {plain!r}; looked in {folder}. Put it there or choose another")
        if not path.resolve().is_relative_to(folder.resolve()):
            raise PathError(f"{kind}: {plain!r} is a link that leads out of {folder}; copy the file into the folder")
        return path

    def input_files(self, media: str = "image") -> builtins.list[str]:
        """The names of the files at the top of the input folder that are of a kind: image, audio, video, latent."""
        try:
            with os.scandir(self.input) as entries:
                names = [each.name for each in entries if each.is_file()]
        except OSError:
            return []
        return sorted(name for name in names if _media(name) == media)


def read_extra_model_paths(file: Path) -> Iterator[tuple[str, Path, bool]]:
    """Reads ComfyUI's extra_model_paths.yaml: (kind, folder, is it the default) in the order of the file.

    Sections hold `base_path` and `is_default`, both optional, and one or more lines of folders per kind. Relative
    folders start at base_path, and a relative base_path at the folder of the file.
    Raises: SettingsError when the file is missing or not of this form.
    """
    try:
        sections = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"{file}: cannot be read as a list of model folders ({error})") from error
    if not isinstance(sections, dict):
        raise SettingsError(f"{file}: expected sections of 'kind: folder' lines, got {type(sections).__name__}")
    for title, section in sections.items():
        if section is None:
            continue
        if not isinstance(section, dict):
            raise SettingsError(f"{file}: section {title!r} should hold 'kind: folder' lines, not {section!r}")
        yield from _extra_section(file, section)


def _extra_section(file: Path, section: Mapping[str, object]) -> Iterator[tuple[str, Path, bool]]:
    here = _absolute(file).parent
    start = here / _expand(_text(file, "base_path", section.get("base_path") or ""))
    is_default = bool(section.get("is_default", False))
    for kind, lines in section.items():
        if kind in ("base_path", "is_default") or lines is None:
            continue
        for line in _text(file, str(kind), lines).splitlines():
            # In a block of lines YAML keeps comments as text, and ComfyUI's own example file has one there.
            folder = re.sub(r"\s#.*", "", line).strip()
            if folder:
                yield str(kind), start / _expand(folder), is_default


def _text(file: Path, key: str, value: object) -> str:
    """A value of the file that has to be a path. Raises: SettingsError naming the file and the key."""
    if not isinstance(value, str) or "\0" in value:
        raise SettingsError(f"{file}: {key}: expected a folder, or folders on lines of their own, got {value!r:.200}")
    return value


def _texts(value: object) -> tuple[str, ...]:
    """The words of a registry entry, whatever collection a plugin keeps them in."""
    if isinstance(value, str | os.PathLike):
        return (os.fspath(value),)
    return tuple(os.fspath(each) for each in value) if isinstance(value, Iterable) else ()


def _expand(path: object) -> str:
    return os.path.expandvars(os.path.expanduser(str(path)))


def _absolute(path: Path | str) -> Path:
    return Path(os.path.abspath(_expand(path)))


def _standard_kinds(base: Path, output: Path, embedded: Path) -> dict[str, list[Path]]:
    kinds = {kind: [base / "models" / name for name in names] for kind, names in MODEL_FOLDERS.items()}
    for kind in FROM_OUTPUT:
        # ComfyUI: saved text encoders go to output/clip, the kind's old name.
        kinds[kind].append(output / ("clip" if kind == "text_encoders" else kind))
    if embedded != base / "models":
        for kind, names in MODEL_FOLDERS.items():
            kinds[kind].extend(embedded / name for name in names)
    return {**kinds, "custom_nodes": [base / "custom_nodes"]}


def _is_current(listing: _Listing) -> bool:
    for folder, changed in listing.changed.items():
        if _mtime(folder) != changed or listing.read_at - changed / 1e9 < _FRESH_SECONDS:
            return False
    return True


def _mtime(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return 0


def _read_listing(folders: tuple[Path, ...], suffixes: frozenset[str], *, whole_folders: bool) -> _Listing:
    read_at, changed, names = time.time(), {}, set[str]()
    for folder in folders:
        changed[str(folder)] = _mtime(str(folder))
        for parent, files in _walk(str(folder), changed):
            below = os.path.relpath(parent, folder)
            if whole_folders:
                names.update([below] if "model_index.json" in files else [])
                continue
            kept = (name for name in files if not suffixes or os.path.splitext(name)[1].lower() in suffixes)
            names.update(name if below == "." else os.path.join(below, name) for name in kept)
    return _Listing(tuple(sorted(names)), folders, suffixes, changed, read_at)


def _walk(root: str, changed: dict[str, int]) -> Iterator[tuple[str, list[str]]]:
    """Every folder below a root with its files, through links, each real folder once: links can form a ring."""
    waiting, seen = [root], set[str]()
    while waiting:
        folder = waiting.pop()
        real = os.path.realpath(folder)
        if real in seen:
            continue
        seen.add(real)
        try:
            changed[folder] = _mtime(folder)
            with os.scandir(folder) as found:
                entries = list(found)
        except OSError:
            continue
        yield folder, [each.name for each in entries if each.is_file()]
        waiting.extend(each.path for each in entries if each.name != ".git" and each.is_dir())


def _exists(path: Path, *, as_folder: bool = False) -> bool:
    try:
        return path.is_dir() if as_folder else path.is_file()
    except (OSError, ValueError):  # a name too long, or one this file system cannot spell
        return False


def _media(name: str) -> str:
    if name.lower().endswith(".latent"):
        return "latent"
    guessed = mimetypes.guess_type(name, strict=False)[0] or ""
    # Python 3.11's table lacks WebP unless the system has a mime.types.
    return "image" if name.lower().endswith((".webp", ".avif")) else guessed.partition("/")[0]
