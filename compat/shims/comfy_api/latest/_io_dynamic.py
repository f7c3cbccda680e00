"""Inputs of several types, and inputs that change with the graph; `engine.graph.dynamic` reads what they tell."""

from collections.abc import Iterable, Sequence
from typing import Any

from comfy_api.latest._io_sockets import AnyInput, AnyOutput, ComfyTypeI, ComfyTypeIO, WidgetInput, comfytype
from engine.graph.dynamic import AUTOGROW, DYNAMIC_COMBO, MATCH, MOST_MEMBERS

Types = type | Iterable[type]


def joined(types: Types) -> str:
    """The names of types in one text, as a wire writes a union."""
    each = [types] if isinstance(types, type) else [*types]
    return ",".join(dict.fromkeys(str(one.io_type) for one in each))  # type: ignore[attr-defined]


def sections(inputs: Iterable[AnyInput]) -> dict[str, dict[str, Any]]:
    """Inputs as /object_info shows them: by section, then by id."""
    made: dict[str, dict[str, Any]] = {"required": {}, "optional": {}}
    for each in inputs:
        made["optional" if each.optional else "required"][each.id] = (each.get_io_type(), each.as_dict())
    return {name: section for name, section in made.items() if section or name == "required"}


@comfytype(io_type="COMFY_MULTITYPED_V3")
class MultiType(ComfyTypeI):
    """An input that takes any of several types."""

    Type = Any

    class Input(AnyInput):
        """The first argument is an id, or a widget's input whose widget stays for when nothing is wired."""

        def __init__(
            self,
            id: str | AnyInput,
            types: Types,
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            lazy: bool | None = None,
            **more: Any,
        ) -> None:
            self.override = None if isinstance(id, str) else id
            if isinstance(id, AnyInput):
                display_name = id.display_name if display_name is None else display_name
                optional = id.optional or optional
                tooltip = id.tooltip if tooltip is None else tooltip
                lazy = id.lazy if lazy is None else lazy
                id = id.id
            super().__init__(id, display_name, optional, tooltip, lazy, **more)
            self.io_types = [types] if isinstance(types, type) else [*types]

        @property
        def widget(self) -> WidgetInput | None:
            """The widget it keeps."""
            return self.override if isinstance(self.override, WidgetInput) else None

        def get_io_type(self) -> str:
            own: list[type] = [self.override.Parent] if self.override is not None else []
            return joined([*own, *self.io_types])

        def as_dict(self) -> dict[str, Any]:
            if self.widget is None:
                return super().as_dict()
            kind = self.widget.widget_type or self.widget.get_io_type()
            return {**self.widget.as_dict(), **super().as_dict(), "widgetType": kind}


@comfytype(io_type=MATCH)
class MatchType(ComfyTypeIO):
    """Inputs and outputs that are all of one type, whichever is wired first."""

    Type = Any

    class Template:
        """What they share. allowed_types: one type or several; none means any."""

        def __init__(self, template_id: str, allowed_types: Types | None = None) -> None:
            from comfy_api.latest._io_wires import AnyType

            given = AnyType if allowed_types is None else allowed_types
            self.template_id = template_id
            self.allowed_types = [given] if isinstance(given, type) else [*given]

        def as_dict(self) -> dict[str, Any]:
            """The option as /object_info shows it."""
            return {"template_id": self.template_id, "allowed_types": joined(self.allowed_types)}

    class Input(AnyInput):
        """One of the inputs; id and template may come in either order."""

        def __init__(self, id: Any = None, template: Any = None, *rest: Any, **more: Any) -> None:
            id, self.template = _sorted(id, template)
            super().__init__(id, *rest, **more)

        def options(self) -> dict[str, Any]:
            return {"template": self.template.as_dict()}

    class Output(AnyOutput):
        """One of the outputs; id and template may come in either order."""

        def __init__(self, id: Any = None, template: Any = None, *rest: Any, **more: Any) -> None:
            id, self.template = _sorted(id, template)
            super().__init__(id, *rest, **more)


def _sorted(one: Any, other: Any) -> tuple[Any, MatchType.Template]:
    for id, template in ((one, other), (other, one)):
        if isinstance(template, MatchType.Template):
            return id, template
    raise ValueError(f"MatchType needs a MatchType.Template, got {one!r} and {other!r}")


class DynamicInput(AnyInput):
    """An input that stands for several. `members` are those it may become."""

    def members(self) -> list[AnyInput]:
        """The inputs it holds, as their author wrote them."""
        return []

    def get_all(self) -> list[AnyInput]:
        return [self, *self.members()]


@comfytype(io_type=AUTOGROW)
class Autogrow(ComfyTypeI):
    """A group of like inputs that has one more whenever the last is wired; `execute` gets {name: value}."""

    Type = dict[str, Any]

    class TemplateNames:
        """A group whose members have these names; the first `min` are required."""

        def __init__(self, input: AnyInput, names: Sequence[str], min: int = 1) -> None:
            self.input = input
            self.names = [*names]
            self.min = min
            self.cached_inputs = dict.fromkeys(self.names, input)

        def as_dict(self) -> dict[str, Any]:
            """The option as /object_info shows it."""
            return {"input": sections([self.input]), "names": self.names, "min": self.min}

    class TemplatePrefix:
        """A group whose members are called prefix0, prefix1 …; the first `min` are required."""

        def __init__(self, input: AnyInput, prefix: str, min: int = 1, max: int = 10) -> None:
            if not 0 <= min <= max <= MOST_MEMBERS:
                raise ValueError(f"Autogrow: 0 ≤ min ≤ max ≤ {MOST_MEMBERS}, got min={min} and max={max}")
            self.input = input
            self.prefix = prefix
            self.min = min
            self.max = max
            self.cached_inputs = {f"{prefix}{n}": input for n in range(max)}

        def as_dict(self) -> dict[str, Any]:
            """The option as /object_info shows it."""
            return {"input": sections([self.input]), "prefix": self.prefix, "min": self.min, "max": self.max}

    class Input(DynamicInput):
        """The group."""

        def __init__(
            self,
            id: str,
            template: "Autogrow.TemplateNames | Autogrow.TemplatePrefix",
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            lazy: bool | None = None,
            extra_dict: Any = None,
            **more: Any,
        ) -> None:
            super().__init__(id, display_name, optional, tooltip, lazy, extra_dict, **more)
            self.template = template

        def members(self) -> list[AnyInput]:
            return [self.template.input]

        def options(self) -> dict[str, Any]:
            return {"template": self.template.as_dict()}


@comfytype(io_type=DYNAMIC_COMBO)
class DynamicCombo(ComfyTypeI):
    """A combo whose choice brings inputs along; `execute` gets {id: key, input: value …}."""

    Type = dict[str, Any]

    class Option:
        """One choice: its text, and the inputs it brings."""

        def __init__(self, key: str, inputs: Sequence[AnyInput] = ()) -> None:
            self.key = key
            self.inputs = [*inputs]

        def as_dict(self) -> dict[str, Any]:
            """One of the options as /object_info shows it."""
            return {"key": self.key, "inputs": sections(self.inputs)}

    class Input(DynamicInput):
        """The combo."""

        def __init__(
            self,
            id: str,
            options: Sequence["DynamicCombo.Option"],
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            lazy: bool | None = None,
            extra_dict: Any = None,
            **more: Any,
        ) -> None:
            super().__init__(id, display_name, optional, tooltip, lazy, extra_dict, **more)
            self.choices = [*options]

        def members(self) -> list[AnyInput]:
            return [each for option in self.choices for each in option.inputs]

        def options(self) -> dict[str, Any]:
            return {"options": [each.as_dict() for each in self.choices]}
