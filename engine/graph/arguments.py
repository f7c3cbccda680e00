"""From annotations to descriptions: a function's arguments become Inputs, what it returns becomes Outputs."""

import dataclasses
import inspect
import math
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Union

from engine.errors import NodeTypeError
from engine.graph import nodetype
from engine.graph.describe import input_config
from engine.graph.dynamic import DYNAMIC_COMBO
from engine.graph.marks import (
    Choices,
    Each,
    FileChoices,
    FileLists,
    Files,
    Hidden,
    Variants,
    Widget,
    Wire,
    check_options,
)
from engine.graph.nodetype import Blocked, Input, Output, Result
from engine.graph.run import Run

Services = Mapping[type, object]
SECTIONS = frozenset({"Shapes", "Units", "Returns", "Raises", "Source"})
"""What a docstring says to programmers, by the words it begins with."""
_PRIMITIVES: tuple[tuple[type, str], ...] = ((int, "INT"), (float, "FLOAT"), (str, "STRING"), (bool, "BOOLEAN"))


@dataclass(frozen=True, slots=True)
class Docstring:
    """What an author wrote for people: a description, and a tooltip for each argument or output named in it."""

    description: str
    tooltips: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of a node's function: what people see, what the engine fills in, what registration binds.

    `variants` are the classes that a choice stands for, by argument and choice.
    """

    inputs: tuple[Input, ...]
    hidden: Mapping[str, str]
    services: Mapping[str, object]
    variants: Mapping[str, Mapping[str, type]]


def read_docstring(text: str | None, names: Iterable[str]) -> Docstring:
    """The first paragraph, and the lines `name: text` (with the lines that follow them up to a blank one)."""
    known = set(names)
    tooltips: dict[str, list[str]] = {}
    description: list[str] = []
    current: list[str] | None = description
    for line in inspect.cleandoc(text or "").splitlines():
        head, colon, rest = line.partition(":")
        if colon and head in known:
            current = tooltips.setdefault(head, [])
            line = rest
        elif not line.strip() or (colon and head in SECTIONS):
            current = None
        if current is not None and line.strip():
            current.append(line.strip())
    return Docstring(" ".join(description), {name: " ".join(lines) for name, lines in tooltips.items()})


def read_hints(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of a function with their marks.

    Raises: NodeTypeError, when one names something that does not exist.
    """
    try:
        return typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError) as error:
        raise NodeTypeError(f"an annotation cannot be read: {error}") from error


def read_arguments(
    function: Callable[..., Any], hints: Mapping[str, Any], services: Services, *, input_is_list: bool = False
) -> Arguments:
    """The arguments of a node's function, in its order.

    Raises: NodeTypeError naming the argument and what to write instead.
    """
    inputs: list[Input] = []
    hidden: dict[str, str] = {}
    bound: dict[str, object] = {}
    variants: dict[str, Mapping[str, type]] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        is_many = parameter.kind is parameter.VAR_KEYWORD and _is_marked(hints.get(name), Each)
        if parameter.kind is not parameter.KEYWORD_ONLY and not is_many:
            raise NodeTypeError(f"{name}: arguments are keyword-only, in widget order; put `*,` before them")
        if name not in hints:
            raise NodeTypeError(f'{name}: has no annotation; write one, like `int` or `Annotated[…, Wire("IMAGE")]`')
        shape = _unwrapped(hints[name], input_is_list)
        each = shape.mark(Each)
        if each is not None:
            inputs += [_input(other, shape, each.default, services, input_is_list) for other in each.names]
            continue
        hidden_name = _hidden_name(shape)
        if hidden_name is not None:
            hidden[name] = hidden_name
        elif _is_service(shape, services):
            bound[name] = services[shape.base]
        else:
            chosen = shape.mark(Variants)
            if chosen is not None:
                variants[name] = chosen.kinds
            try:
                inputs.append(_input(name, shape, parameter.default, services, input_is_list))
            except NodeTypeError as error:
                raise NodeTypeError(f"{name}: {error}") from error
    return Arguments(tuple(inputs), hidden, bound, variants)


def read_outputs(returns: Any) -> tuple[Output, ...]:
    """The outputs that a return annotation (or the `outputs=` of `@node`) describes.

    Raises: NodeTypeError, when part of it has no wire type.
    """
    if isinstance(returns, Mapping):
        return tuple(_output(name, annotation) for name, annotation in returns.items())
    if isinstance(returns, list | tuple):
        return tuple(each if isinstance(each, Output) else _output(None, each) for each in returns)
    if typing.get_origin(returns) in (Union, types.UnionType):
        kept = [each for each in typing.get_args(returns) if each not in (types.NoneType, Result, Blocked)]
        if len(kept) > 1:
            raise NodeTypeError(f"returns one of several types ({returns}); annotate the wire's type with Wire(…)")
        return read_outputs(kept[0]) if kept else ()
    if returns in (None, types.NoneType, Result, Blocked):
        return ()
    if isinstance(returns, type) and issubclass(returns, tuple) and hasattr(returns, "_fields"):
        fields = read_hints(returns)
        return tuple(_output(name, fields[name]) for name in returns._fields if name in fields)
    if typing.get_origin(returns) is tuple:
        return tuple(_output(None, each) for each in typing.get_args(returns))
    return (_output(None, returns),)


@dataclass(frozen=True, slots=True)
class _Shape:
    """An annotation taken apart: the bare type inside, the marks on it, and whether None is allowed."""

    base: Any
    marks: Sequence[Any] = field(default_factory=tuple)
    is_optional: bool = False

    def mark(self, kind: type) -> Any:
        return next((each for each in self.marks if isinstance(each, kind)), None)


def _unwrapped(annotation: Any, input_is_list: bool) -> _Shape:
    marks: list[Any] = []
    is_optional = False
    while True:
        origin = typing.get_origin(annotation)
        if origin is Annotated:
            annotation, *outer = typing.get_args(annotation)
            marks = [*outer, *marks]
        elif origin in (Union, types.UnionType):
            members = typing.get_args(annotation)
            kept = [each for each in members if each is not types.NoneType]
            is_optional = is_optional or len(kept) < len(members)
            if len(kept) > 1:
                return _Shape(annotation, marks, is_optional)
            annotation = kept[0]
        elif origin is list and input_is_list and not any(isinstance(each, Wire) for each in marks):
            (annotation,) = typing.get_args(annotation)
        else:
            return _Shape(annotation, marks, is_optional)


def _is_marked(annotation: Any, kind: type) -> bool:
    return any(isinstance(each, kind) for each in getattr(annotation, "__metadata__", ()))


def _hidden_name(shape: _Shape) -> str | None:
    if shape.base is Run:
        return "RUN"
    mark = shape.mark(Hidden)
    return None if mark is None else str(mark.name)


def _is_service(shape: _Shape, services: Services) -> bool:
    return not shape.marks and isinstance(shape.base, type) and shape.base in services


def _input(name: str, shape: _Shape, default: Any, services: Services, input_is_list: bool) -> Input:
    variants = shape.mark(Variants)
    if variants is not None:
        return _choice_of_variants(name, shape, variants, default, services, input_is_list)
    type_name, choices = _type_and_choices(shape, services)
    options: dict[str, Any] = {}
    for mark in shape.marks:
        if isinstance(mark, Wire | Widget | Choices | Files):
            options.update(mark.options)
    if input_is_list and isinstance(default, list) and len(default) == 1:
        default = default[0]
    is_widget = type_name in nodetype.WIDGET_TYPES
    if default is not inspect.Parameter.empty and default is not None:
        if not is_widget and not shape.mark(Widget):
            raise NodeTypeError(f"a {type_name} wire has no default; write `| None = None` if it may stay unconnected")
        options.setdefault("default", default)
    if default is None and not shape.is_optional:
        raise NodeTypeError("its default is None; say so in the type: `… | None = None`")
    # A mark without a widget type (COLOR and other types of the editor's own) may carry any option.
    if is_widget or not shape.mark(Widget):
        check_options(type_name, options)
    if "default" in options:
        options["default"] = _checked_default(type_name, options, choices)
    return Input(name, type_name, required=not shape.is_optional, choices=choices, options=options)


def _choice_of_variants(
    name: str, shape: _Shape, variants: Variants, default: Any, services: Services, input_is_list: bool
) -> Input:
    if input_is_list:
        raise NodeTypeError("Variants are not for nodes that take lists (input_is_list)")
    if default not in (inspect.Parameter.empty, None):
        raise NodeTypeError("Variants have no default: the first of them is shown; put that one first")
    options = [{"key": key, "inputs": _brought(key, kind, services)} for key, kind in variants.kinds.items()]
    return Input(name, DYNAMIC_COMBO, not shape.is_optional, options={**variants.options, "options": options})


def _brought(key: str, kind: type, services: Services) -> dict[str, dict[str, Any]]:
    """The inputs that a choice brings, as sections of /object_info: the fields of its dataclass."""
    if not dataclasses.is_dataclass(kind):
        raise NodeTypeError(
            f"choice {key!r} stands for {_name(kind)}, which is no dataclass; write @dataclass above it"
        )
    hints = read_hints(kind)
    tooltips = read_docstring(kind.__doc__, hints).tooltips
    sections: dict[str, dict[str, Any]] = {}
    for each in dataclasses.fields(kind):
        default = inspect.Parameter.empty if each.default is dataclasses.MISSING else each.default
        try:
            made = _input(each.name, _unwrapped(hints[each.name], False), default, services, False)
        except NodeTypeError as error:
            raise NodeTypeError(f"choice {key!r}: {each.name}: {error}") from error
        if made.type == DYNAMIC_COMBO or callable(made.choices):
            raise NodeTypeError(f"choice {key!r}: {each.name}: neither Variants nor lists that change may be inside")
        if each.name in tooltips:
            made = dataclasses.replace(made, options={"tooltip": tooltips[each.name], **made.options})
        sections.setdefault("required" if made.required else "optional", {})[each.name] = input_config(made)
    return sections


def _type_and_choices(shape: _Shape, services: Services) -> tuple[str, nodetype.Choices | None]:
    wire, choices, files = shape.mark(Wire), shape.mark(Choices), shape.mark(Files)
    if files is not None:
        lists = next((each for each in services.values() if isinstance(each, FileLists)), None)
        if lists is None:
            raise NodeTypeError(f"Files({files.kind!r}) needs the folders; give Folders among the services")
        return "COMBO", FileChoices(lists, files.kind, files.also)
    if choices is not None:
        return ("COMBO" if wire is None else wire.type), choices.values
    if wire is not None:
        return wire.type, None
    if typing.get_origin(shape.base) is Literal:
        return "COMBO", typing.get_args(shape.base)
    for kind, type_name in _PRIMITIVES:
        if shape.base is kind:
            return type_name, None
    have = ", ".join(each.__name__ for each in services) or "none"
    raise NodeTypeError(
        f'{_name(shape.base)} is no wire (Annotated[…, Wire("TYPE")]), no widget (int, float, str, bool, Literal, '
        f"Choices, Files), and no service; services here: {have}"
    )


def _checked_default(type_name: str, options: Mapping[str, Any], choices: nodetype.Choices | None) -> Any:
    default = options["default"]
    expected: dict[str, tuple[type, ...]] = {
        "INT": (int,),
        "FLOAT": (int, float),
        "STRING": (str,),
        "BOOLEAN": (bool,),
    }
    if type_name == "COMBO":
        if choices is not None and not callable(choices) and not isinstance(default, list) and default not in choices:
            raise NodeTypeError(f"its default {default!r} is not among its choices {list(choices)}")
        return default
    kinds = expected.get(type_name)
    if kinds is None:
        return default
    if not isinstance(default, kinds) or (isinstance(default, bool) and type_name != "BOOLEAN"):
        raise NodeTypeError(f"its default {default!r} is no {type_name}")
    if isinstance(default, int | float) and not isinstance(default, bool):
        if not math.isfinite(default):
            raise NodeTypeError(f"its default {default!r} is no number a graph can hold")
        low, high = options.get("min"), options.get("max")
        if (low is not None and default < low) or (high is not None and default > high):
            raise NodeTypeError(f"its default {default!r} is outside its range {low} … {high}")
        return float(default) if type_name == "FLOAT" else default
    return default


def _output(name: str | None, annotation: Any) -> Output:
    is_list = typing.get_origin(annotation) is list
    shape = _unwrapped(typing.get_args(annotation)[0] if is_list else annotation, False)
    wire = shape.mark(Wire)
    if wire is not None:
        type_name = wire.type
    elif typing.get_origin(shape.base) is Literal or shape.mark(Choices) or shape.mark(Files):
        type_name = "COMBO"
    else:
        type_name = next((each for kind, each in _PRIMITIVES if shape.base is kind), "")
    if not type_name:
        where = f"output {name}" if name else "what it returns"
        raise NodeTypeError(
            f'{where}: {_name(shape.base)} is no wire; annotate it, like Annotated[…, Wire("IMAGE")], or give outputs='
        )
    tooltip = str(wire.options.get("tooltip", "")) if wire is not None else ""
    return Output(type_name if name is None else name, type_name, is_list, tooltip)


def _name(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else re.sub(r"\btyping\.", "", str(annotation))
