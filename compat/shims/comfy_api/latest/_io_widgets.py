"""The types that a person can type in: numbers, texts, switches and lists to choose from."""

from collections.abc import Sequence
from enum import Enum, StrEnum
from typing import Any

from comfy_api.latest._io_sockets import AnyOutput, ComfyTypeIO, WidgetInput, comfytype, plain


class NumberDisplay(StrEnum):
    """How a number's widget looks."""

    number = "number"
    slider = "slider"
    gradient_slider = "gradientslider"
    knob = "knob"
    color = "color"


class ControlAfterGenerate(StrEnum):
    """What becomes of a value after each run, as a widget starts out."""

    fixed = "fixed"
    increment = "increment"
    decrement = "decrement"
    randomize = "randomize"


class FolderType(StrEnum):
    """One of the three folders for files of graphs."""

    input = "input"
    output = "output"
    temp = "temp"


class UploadType(StrEnum):
    """What may be uploaded at a combo; its value is the option that says so."""

    image = "image_upload"
    audio = "audio_upload"
    video = "video_upload"
    model = "file_upload"


class RemoteOptions:
    """Choices that the browser fetches from a route. Units: refresh and timeout in milliseconds."""

    def __init__(
        self,
        route: str,
        refresh_button: bool,
        control_after_refresh: str = "first",
        timeout: int | None = None,
        max_retries: int | None = None,
        refresh: int | None = None,
        **more: Any,
    ) -> None:
        self.route = route
        self.refresh_button = refresh_button
        self.control_after_refresh = control_after_refresh
        self.timeout = timeout
        self.max_retries = max_retries
        self.refresh = refresh
        self.more = more

    def as_dict(self) -> dict[str, Any]:
        """The option as /object_info shows it."""
        every = {name: value for name, value in vars(self).items() if name != "more"} | self.more
        return {name: plain(value) for name, value in every.items() if value is not None}


@comfytype(io_type="BOOLEAN")
class Boolean(ComfyTypeIO):
    """True or false."""

    Type = bool

    class Input(WidgetInput):
        """A switch."""

        def __init__(
            self,
            id: str,
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            lazy: bool | None = None,
            default: bool | None = None,
            label_on: str | None = None,
            label_off: str | None = None,
            socketless: bool | None = None,
            force_input: bool | None = None,
            **more: Any,
        ) -> None:
            super().__init__(id, display_name, optional, tooltip, lazy, default, socketless, None, force_input, **more)
            self.label_on = label_on
            self.label_off = label_off

        def options(self) -> dict[str, Any]:
            return {**super().options(), "label_on": self.label_on, "label_off": self.label_off}


class _Number(WidgetInput):
    min: Any
    max: Any
    step: Any
    display_mode: Any

    def options(self) -> dict[str, Any]:
        mine = {"min": self.min, "max": self.max, "step": self.step, "display": self.display_mode}
        return {**super().options(), **mine}


@comfytype(io_type="INT")
class Int(ComfyTypeIO):
    """A whole number."""

    Type = int

    class Input(_Number):
        """A whole number's widget."""

        def __init__(
            self,
            id: str,
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            lazy: bool | None = None,
            default: int | None = None,
            min: int | None = None,
            max: int | None = None,
            step: int | None = None,
            control_after_generate: bool | ControlAfterGenerate | None = None,
            display_mode: NumberDisplay | None = None,
            socketless: bool | None = None,
            force_input: bool | None = None,
            **more: Any,
        ) -> None:
            super().__init__(id, display_name, optional, tooltip, lazy, default, socketless, None, force_input, **more)
            self.min, self.max, self.step = min, max, step
            self.control_after_generate = control_after_generate
            self.display_mode = display_mode

        def options(self) -> dict[str, Any]:
            return {**super().options(), "control_after_generate": self.control_after_generate}


@comfytype(io_type="FLOAT")
class Float(ComfyTypeIO):
    """A number."""

    Type = float

    class Input(_Number):
        """A number's widget."""

        def __init__(
            self,
            id: str,
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            lazy: bool | None = None,
            default: float | None = None,
            min: float | None = None,
            max: float | None = None,
            step: float | None = None,
            round: float | bool | None = None,
            display_mode: NumberDisplay | None = None,
            socketless: bool | None = None,
            force_input: bool | None = None,
            **more: Any,
        ) -> None:
            super().__init__(id, display_name, optional, tooltip, lazy, default, socketless, None, force_input, **more)
            self.min, self.max, self.step, self.round = min, max, step, round
            self.display_mode = display_mode

        def options(self) -> dict[str, Any]:
            return {**super().options(), "round": self.round}


@comfytype(io_type="STRING")
class String(ComfyTypeIO):
    """A text."""

    Type = str

    class Input(WidgetInput):
        """A field for a text, of one line or several."""

        def __init__(
            self,
            id: str,
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            lazy: bool | None = None,
            multiline: bool = False,
            placeholder: str | None = None,
            default: str | None = None,
            dynamic_prompts: bool | None = None,
            socketless: bool | None = None,
            force_input: bool | None = None,
            **more: Any,
        ) -> None:
            super().__init__(id, display_name, optional, tooltip, lazy, default, socketless, None, force_input, **more)
            self.multiline = multiline
            self.placeholder = placeholder
            self.dynamic_prompts = dynamic_prompts

        def options(self) -> dict[str, Any]:
            mine = {
                "multiline": self.multiline,
                "placeholder": self.placeholder,
                "dynamicPrompts": self.dynamic_prompts,
            }
            return {**super().options(), **mine}


Choices = Sequence[str] | Sequence[int] | type[Enum] | None


def listed(options: Choices) -> list[Any]:
    """The choices as a list; those of an Enum are the values of its members."""
    return [plain(each) for each in options or ()]


class _ComboInput(WidgetInput):
    """A list to choose from."""

    multiselect = False

    def __init__(
        self,
        id: str,
        options: Choices = None,
        display_name: str | None = None,
        optional: bool = False,
        tooltip: str | None = None,
        lazy: bool | None = None,
        default: Any = None,
        control_after_generate: bool | ControlAfterGenerate | None = None,
        upload: UploadType | None = None,
        image_folder: FolderType | None = None,
        remote: RemoteOptions | None = None,
        socketless: bool | None = None,
        **more: Any,
    ) -> None:
        super().__init__(id, display_name, optional, tooltip, lazy, default, socketless, **more)
        self.choices = options
        self.control_after_generate = control_after_generate
        self.upload = upload
        self.image_folder = image_folder
        self.remote = remote

    def options(self) -> dict[str, Any]:
        mine = {
            "multiselect": self.multiselect,
            "options": listed(self.choices),
            "control_after_generate": self.control_after_generate,
            **({str(plain(self.upload)): True} if self.upload is not None else {}),
            "image_folder": self.image_folder,
            "remote": self.remote.as_dict() if self.remote is not None else None,
        }
        return {**super().options(), **mine}


@comfytype(io_type="COMBO")
class Combo(ComfyTypeIO):
    """One of a list."""

    Type = str

    class Input(_ComboInput):
        """A list to choose one from: `options` are its values, or an Enum."""

    class Output(AnyOutput):
        """One of a list, for a combo with the same choices."""

        def __init__(
            self,
            id: str | None = None,
            display_name: str | None = None,
            options: Choices = None,
            tooltip: str | None = None,
            is_output_list: bool = False,
            **more: Any,
        ) -> None:
            super().__init__(id, display_name, tooltip, is_output_list, **more)
            self.options = listed(options)


@comfytype(io_type="COMBO")
class MultiCombo(ComfyTypeIO):
    """Several of a list."""

    Type = list[str]

    class Input(_ComboInput):
        """A list to choose several from; chip shows each as a label of its own."""

        multiselect = True

        def __init__(
            self,
            id: str,
            options: Choices = None,
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            lazy: bool | None = None,
            default: Sequence[str] | None = None,
            placeholder: str | None = None,
            chip: bool | None = None,
            control_after_generate: bool | ControlAfterGenerate | None = None,
            socketless: bool | None = None,
            **more: Any,
        ) -> None:
            super().__init__(
                id,
                options,
                display_name,
                optional,
                tooltip,
                lazy,
                None if default is None else listed(default),
                control_after_generate,
                socketless=socketless,
                **more,
            )
            self.placeholder = placeholder
            self.chip = chip

        def options(self) -> dict[str, Any]:
            shown = {"placeholder": self.placeholder, "chip": self.chip}
            return {**super().options(), "multi_select": {k: v for k, v in shown.items() if v is not None}}


@comfytype(io_type="COLOR")
class Color(ComfyTypeIO):
    """A colour as a text, "#rrggbb"."""

    Type = str

    class Input(WidgetInput):
        """A field that opens a palette."""
