"""The ground of V3's types: what an input and an output are, and how a type gets its own of each.

A type is a class with `io_type` (its name on the wire), `Input` and `Output`. `comfytype` makes one.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, ClassVar, TypeAlias, TypeVar

OPTION_NAMES = {
    "raw_link": "rawLink",
    "force_input": "forceInput",
    "widget_type": "widgetType",
    "display_mode": "display",
    "dynamic_prompts": "dynamicPrompts",
}
"""What keyword arguments are called among the options of /object_info, where the names differ."""


def plain(value: Any) -> Any:
    """An author's value as the options of /object_info hold it: members of an Enum by their value."""
    return value.value if isinstance(value, Enum) else value


class Socket:
    """What inputs and outputs have in common. `Parent` is the type they belong to."""

    Parent: ClassVar[type]

    @property
    def io_type(self) -> str:
        """The name of the type on the wire."""
        return str(getattr(self, "_io_type", None) or getattr(self.Parent, "io_type"))  # noqa: B009 -- any class

    @io_type.setter
    def io_type(self, value: str) -> None:
        self._io_type = value

    def get_io_type(self) -> str:
        """The same as a call."""
        return self.io_type


class Input(Socket):
    """One input of a node; for values that come over a wire. What an option means is in `as_dict`'s names.

    Keyword arguments that nobody has heard of yet are kept as options under their own names.
    """

    def __init__(
        self,
        id: str,
        display_name: str | None = None,
        optional: bool = False,
        tooltip: str | None = None,
        lazy: bool | None = None,
        extra_dict: Mapping[str, Any] | None = None,
        raw_link: bool | None = None,
        advanced: bool | None = None,
        **more: Any,
    ) -> None:
        self.id = id
        self.display_name = display_name
        self.optional = optional
        self.tooltip = tooltip
        self.lazy = lazy
        self.extra_dict = dict(extra_dict or {})
        self.rawLink = raw_link
        self.advanced = advanced
        self.more = more

    def options(self) -> dict[str, Any]:
        """What a kind of input adds to the options; None is left out."""
        return {}

    def as_dict(self) -> dict[str, Any]:
        """The options as /object_info shows them."""
        every = {
            "display_name": self.display_name,
            "tooltip": self.tooltip,
            "lazy": self.lazy,
            "rawLink": self.rawLink,
            "advanced": self.advanced,
            **self.options(),
            **{OPTION_NAMES.get(name, name): value for name, value in self.more.items()},
            **self.extra_dict,
        }
        return {name: plain(value) for name, value in every.items() if value is not None}

    def get_all(self) -> list["Input"]:
        """This input, and those it holds."""
        return [self]

    def validate(self) -> None:
        """Raises: ValueError, for what can be no input."""
        if not isinstance(self.id, str) or not self.id:
            raise ValueError(f"an input's id is a text, not {self.id!r}")


class WidgetInput(Input):
    """An input that a person can type in. `as_dict` may name a `widgetType` and that it stays a socket."""

    def __init__(
        self,
        id: str,
        display_name: str | None = None,
        optional: bool = False,
        tooltip: str | None = None,
        lazy: bool | None = None,
        default: Any = None,
        socketless: bool | None = None,
        widget_type: str | None = None,
        force_input: bool | None = None,
        extra_dict: Mapping[str, Any] | None = None,
        raw_link: bool | None = None,
        advanced: bool | None = None,
        **more: Any,
    ) -> None:
        super().__init__(id, display_name, optional, tooltip, lazy, extra_dict, raw_link, advanced, **more)
        self.default = default
        self.socketless = socketless
        self.widget_type = widget_type
        self.force_input = force_input

    def options(self) -> dict[str, Any]:
        return {
            "default": self.default,
            "socketless": self.socketless,
            "widgetType": self.widget_type,
            "forceInput": self.force_input,
        }


class Output(Socket):
    """One output of a node. Without an id it is called after its place and type."""

    def __init__(
        self,
        id: str | None = None,
        display_name: str | None = None,
        tooltip: str | None = None,
        is_output_list: bool = False,
        **more: Any,
    ) -> None:
        self.id = id
        self.display_name = display_name if display_name else id
        self.tooltip = tooltip
        self.is_output_list = is_output_list
        self.more = more

    def as_dict(self) -> dict[str, Any]:
        """What is said of it besides its type."""
        every = {"display_name": self.display_name, "tooltip": self.tooltip, "is_output_list": self.is_output_list}
        return {name: value for name, value in {**every, **self.more}.items() if value is not None}


AnyInput: TypeAlias = Input
AnyOutput: TypeAlias = Output
"""The same by names that the classes within types do not hide."""


class ComfyTypeI:
    """A type that has inputs only."""

    io_type: ClassVar[str]
    Type: Any = Any

    class Input(AnyInput):
        """An input of this type."""


class ComfyTypeIO(ComfyTypeI):
    """A type that has inputs and outputs."""

    class Output(AnyOutput):
        """An output of this type."""


ComfyType = ComfyTypeIO
Kind = TypeVar("Kind", bound=type)


def comfytype(io_type: str, **more: Any) -> Callable[[Kind], Kind]:
    """Makes a class a type of this name: with `Input` and `Output` of its own, its or plain ones."""

    def mark(cls: Kind) -> Kind:
        cls.io_type = io_type  # type: ignore[attr-defined]
        for name, value in more.items():
            setattr(cls, name, value)
        for part, general in (("Input", Input), ("Output", Output)):
            own: Any = cls.__dict__.get(part)
            if own is None:
                inherited = getattr(cls, part, None) or general
                own = type(part, (inherited,), {"__module__": cls.__module__, "__doc__": inherited.__doc__})
                own.__qualname__ = f"{cls.__qualname__}.{part}"
                setattr(cls, part, own)
            own.Parent = cls
        return cls

    return mark


def Custom(io_type: str) -> type[ComfyTypeIO]:
    """A type of an author's own name."""
    made = type("Custom", (ComfyTypeIO,), {"__doc__": f"The type {io_type}."})
    return comfytype(io_type=io_type)(made)
