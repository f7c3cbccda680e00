"""Marks for the annotations of a node's arguments: what kind of wire or widget an argument is.

    Image = Annotated[torch.Tensor, Wire("IMAGE")]
    width: Annotated[int, Widget(min=16, max=16384, step=8)] = 512

Options have ComfyUI's names, because they are what /object_info shows and saved plugins expect.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

from engine.errors import NodeTypeError

# fmt: off
_EVERY_TYPE = frozenset({
    "default", "tooltip", "forceInput", "defaultInput", "lazy", "rawLink", "socketless", "widgetType", "display_name",
    "advanced", "hidden",
})
_COMBO = frozenset({
    "options", "control_after_generate", "image_upload", "image_folder", "video_upload", "audio_upload", "mesh_upload",
    "file_upload", "allow_batch", "upload_subfolder", "animated_image_upload", "multi_select", "multiselect", "remote",
})
# fmt: on
_NUMBER = frozenset({"min", "max", "step", "round", "display", "control_after_generate"})
_BY_TYPE: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "INT": _NUMBER,
        "FLOAT": _NUMBER,
        "STRING": frozenset({"multiline", "dynamicPrompts", "placeholder", "defaultVal"}),
        "BOOLEAN": frozenset({"label_on", "label_off"}),
        "COMBO": _COMBO,
    }
)


Values = Sequence[str | int | float | bool] | Callable[[], Sequence[str]]


class Wire:
    """The argument comes over a wire of this type ("IMAGE"; "INT,FLOAT" for either)."""

    def __init__(self, type: str, **options: Any) -> None:
        self.type = type
        self.options = options


class Widget:
    """What the editor and validation should know about a number, text, switch or list: min, max, multiline …"""

    def __init__(self, **options: Any) -> None:
        self.options = options


class Choices:
    """One of these values: a fixed list, or a function that reads them anew each time."""

    def __init__(self, values: Values, **options: Any) -> None:
        self.values = values if callable(values) else tuple(values)
        self.options = options


class Files:
    """One of the files in a folder of models ("checkpoints", "loras"), or with "input" one of the uploaded pictures.

    "input:latent" (audio, video) are uploaded files of another kind.
    `also` are choices that are no files and come after them.
    """

    def __init__(self, kind: str, also: Sequence[str] = (), **options: Any) -> None:
        self.kind = kind
        self.also = tuple(also)
        self.options = options


class Each:
    """On `**name`: there is one such argument for each of these names, which need not be names of Python's."""

    def __init__(self, names: Sequence[str], default: Any) -> None:
        self.names = tuple(names)
        self.default = default


class Variants:
    """One of these choices, each of which brings inputs of its own: the fields of a dataclass.

    The function is handed an object of the chosen class.
    """

    def __init__(self, kinds: Mapping[str, type], **options: Any) -> None:
        self.kinds = dict(kinds)
        self.options = options


class Hidden:
    """The engine fills the argument in: UNIQUE_ID, PROMPT, EXTRA_PNGINFO, DYNPROMPT or RUN."""

    NAMES = ("UNIQUE_ID", "PROMPT", "EXTRA_PNGINFO", "DYNPROMPT", "RUN")

    def __init__(self, name: str) -> None:
        if name not in self.NAMES:
            raise NodeTypeError(f"Hidden({name!r}): the engine knows {', '.join(self.NAMES)}.")
        self.name = name


@runtime_checkable
class FileLists(Protocol):
    """Whoever can say which files there are now; engine.folders.Folders does."""

    def list(self, kind: str) -> Sequence[str]:
        """The model files of a kind."""

    def input_files(self, media: str = "image") -> Sequence[str]:
        """The uploaded files of a kind."""


@dataclass(frozen=True, slots=True)
class FileChoices:
    """The choices of a Files combo, read anew at each call."""

    lists: FileLists
    kind: str
    also: tuple[str, ...] = ()
    before: tuple[str, ...] = ()

    @property
    def is_input(self) -> bool:
        """Whether they are uploaded files and no models."""
        return self.kind.partition(":")[0] == "input"

    def __call__(self) -> tuple[str, ...]:
        return (*self.before, *self._files(), *self.also)

    def _files(self) -> Sequence[str]:
        if not self.is_input:
            return self.lists.list(self.kind)
        _, _, media = self.kind.partition(":")
        return self.lists.input_files(media) if media else self.lists.input_files()


class Remembered(tuple[Any, ...]):
    """The choices that an author's code listed when it was last asked, where that code is not: there may be others now.

    A value that is not among them is no mistake yet; the process that has the code is asked.
    """

    __slots__ = ()


def check_options(type_name: str, options: Mapping[str, Any]) -> None:
    """Refuses options the editor would not understand for this type.

    Raises: NodeTypeError naming the option and the nearest one there is.
    """
    known = _EVERY_TYPE | _BY_TYPE.get(type_name, frozenset())
    for option in options:
        if option not in known:
            near = difflib.get_close_matches(option, sorted(known), n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; it has {', '.join(sorted(known))}"
            raise NodeTypeError(f"{type_name} has no option {option!r}{hint}")
    low, high = options.get("min"), options.get("max")
    if low is not None and high is not None and not low <= high:
        raise NodeTypeError(f"min {low} is above max {high}; no value could be right")
