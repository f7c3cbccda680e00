"""What INPUT_TYPES says, as Inputs: every spelling authors use, shown to clients as they wrote it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from compat.host import host
from engine.errors import NodeTypeError
from engine.graph.marks import FileChoices
from engine.graph.nodetype import Choices, Input
from engine.graph.sockets import Anything, of_author

PROBE = "latentwire_undeclared_input"
"""No author declares an input of this name; a section that has it has every name."""


_UPLOADS = ("image_upload", "video_upload", "audio_upload", "file_upload", "mesh_upload", "animated_image_upload")
"""Options of a combo that shows the input folder."""


@dataclass(frozen=True, slots=True)
class Declared:
    """The inputs of a class. others: what those are like that it takes without declaring them."""

    inputs: tuple[Input, ...]
    hidden: Mapping[str, str] = field(default_factory=dict)
    others: Input | None = None


@dataclass(frozen=True, slots=True)
class AuthorChoices:
    """The choices of a combo as its author lists them now: INPUT_TYPES is asked anew."""

    cls: type
    section: str
    name: str
    first: tuple[Any, ...]

    def __call__(self) -> tuple[Any, ...]:
        config = _sections(input_types(self.cls)).get(self.section, {}).get(self.name)
        listed = None if config is None else _listed(_pair(self.name, config))
        return self.first if listed is None else tuple(listed)


def input_types(cls: Any) -> Any:
    """What the class says now. Raises: NodeTypeError, and whatever the author's code does."""
    if not hasattr(cls, "INPUT_TYPES"):
        raise NodeTypeError("it has no INPUT_TYPES, a classmethod that returns {'required': {name: (type, options)}}")
    types = cls.INPUT_TYPES()
    if not isinstance(types, Mapping):
        raise NodeTypeError(f"INPUT_TYPES returned {type(types).__name__}; expected {{'required': {{…}}, …}}")
    return types


def read(cls: type) -> Declared:
    """The inputs of a class. Raises: NodeTypeError naming the input, and whatever the author's code does."""
    types = input_types(cls)
    sections = _sections(types)
    inputs = [
        _input(cls, section, str(name), config)
        for section in ("required", "optional")
        for name, config in sections[section].items()
    ]
    hidden = {str(name): _kind(name, config) for name, config in sections["hidden"].items()}
    others = _others(types.get("optional")) or _others(get_input_info(cls).get("optional"))
    return Declared(tuple(inputs), hidden, others)


def get_input_info(cls: Any, *, again: bool = True) -> Mapping[str, Any]:
    """What the class says when it is asked about one input."""
    # ComfyUI: plugins look whether a function of this name is on the stack, above the caller of INPUT_TYPES, and offer
    # an input of any name only then.
    return get_input_info(cls, again=False) if again else input_types(cls)


def _sections(types: Mapping[str, Any]) -> dict[str, Mapping[Any, Any]]:
    """The three sections; one that can only be asked for names, and not say which it has, declares none."""
    found: dict[str, Mapping[Any, Any]] = {}
    for name in ("required", "optional", "hidden"):
        section = types.get(name)
        if section is None or (not isinstance(section, Mapping) and hasattr(section, "__getitem__")):
            section = {} if not isinstance(section, str | list | tuple) else section
        if not isinstance(section, Mapping):
            raise NodeTypeError(
                f"{name!r} of its INPUT_TYPES is {type(section).__name__}; expected {{name: (type, …)}}"
            )
        found[name] = section
    return found


def _pair(name: Any, config: Any) -> tuple[Any, dict[str, Any] | None]:
    """An input's type and options; None where its author gave none."""
    if isinstance(config, str):  # the comma was forgotten
        return config, None
    if not isinstance(config, list | tuple) or not config:
        raise NodeTypeError(f"input {name} is {config!r:.80}; expected (type, options)")
    given = config[1] if len(config) > 1 else None
    return config[0], {str(key): value for key, value in given.items()} if isinstance(given, Mapping) else None


def _listed(pair: tuple[Any, Mapping[str, Any] | None]) -> Iterable[Any] | None:
    """The choices of a combo, in the old spelling or the new; None for other inputs."""
    kind, options = pair
    if isinstance(kind, str):
        listed = options.get("options") if options and of_author(kind) == "COMBO" else None
        return None if isinstance(listed, str) or not isinstance(listed, Iterable) else listed
    return kind if isinstance(kind, Iterable) else None


def _input(cls: type, section: str, name: str, config: Any) -> Input:
    pair = _pair(name, config)
    kind, options = pair
    shown = dict(options or {})
    listed = _listed(pair)
    if listed is not None:
        choices = _choices(cls, section, name, listed, shown)
        if not isinstance(kind, str):
            return Input(name, "COMBO", section == "required", choices, shown, "" if options is not None else "bare")
        shown.pop("options")
        return Input(name, of_author(kind), section == "required", choices, shown, "combo")
    if not isinstance(kind, str):
        raise NodeTypeError(f"input {name} is of type {kind!r:.80}; expected the name of a type or a list of choices")
    return Input(name, of_author(kind), section == "required", None, shown, "" if options is not None else "bare")


def _choices(cls: type, section: str, name: str, listed: Iterable[Any], options: Mapping[str, Any]) -> Choices:
    """The choices, read anew at each call: by us where they are the files of a folder, else by their author."""
    now = tuple(listed)
    kind = getattr(listed, "kind", "")
    if not kind and any(options.get(upload) for upload in _UPLOADS):
        kind = "input"  # most authors list that folder themselves
    if kind:
        also, before = getattr(listed, "also", ()), getattr(listed, "before", ())
        files = FileChoices(host().folders, kind, tuple(also), tuple(before))
        if _is_now(files, now):
            return files
    return AuthorChoices(cls, section, name, now)


def _is_now(files: FileChoices, now: tuple[Any, ...]) -> bool:
    try:
        return files() == now
    except Exception:  # noqa: BLE001 -- a folder that only the author's code can read
        return False


def _kind(name: Any, config: Any) -> str:
    """What a hidden input is filled with: "UNIQUE_ID", or ("UNIQUE_ID",)."""
    kind = config[0] if isinstance(config, list | tuple) and config else config
    if not isinstance(kind, str):
        raise NodeTypeError(f"hidden input {name} is {config!r:.80}; expected a name such as 'UNIQUE_ID'")
    return str.__str__(kind)


def _others(optional: Any) -> Input | None:
    """What an input of any other name is like, where the section says that it has all names."""
    if optional is None or type(optional) is dict or PROBE not in optional:
        return None
    kind, options = _pair(PROBE, optional[PROBE])
    return Input("", Anything(str.__str__(kind) if isinstance(kind, str) else "*"), False, None, dict(options or {}))
