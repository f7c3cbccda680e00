"""Node types from annotated functions: the signature is the schema.

A built-in node is a function with keyword-only arguments, in widget order. `@node` notes what the signature cannot say;
`node_type(function, services)` makes the NodeType, once the services (folders, loaders …) exist. An argument may be:

* `Annotated[X, Wire("IMAGE")]`: comes over a wire of that type;
* `int`, `float`, `str`, `bool`; `Annotated[int, Widget(min=1)]` where the editor should know more;
* `Literal["a", "b"]`, `Annotated[str, Choices(NAMES)]`, `Annotated[str, Files("vae")]`: one of a list;
* `**name: Annotated[float, Each(NAMES, default=1.0)]`: one such input for each name;
* `Annotated[A | B, Variants({"a": A, "b": B})]`: a choice that brings inputs, the fields of the dataclass A or B;
* any of these `| None = None`: an optional input; inside `list[...]` with `input_is_list=True`;
* `Run`, or `Annotated[..., Hidden("UNIQUE_ID")]`: filled in by the engine;
* a class that is among the services: bound when the node is registered.
"""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from engine import file_checks
from engine.errors import NodeTypeError
from engine.graph.arguments import (
    Arguments,
    Docstring,
    Services,
    read_arguments,
    read_docstring,
    read_hints,
    read_outputs,
)
from engine.graph.marks import Choices, Each, Files, Hidden, Variants, Widget, Wire
from engine.graph.nodetype import Input, NodeType, Output
from engine.graph.variants import gathered

__all__ = [
    "Choices",
    "Definition",
    "Each",
    "Files",
    "Hidden",
    "Variants",
    "Widget",
    "Wire",
    "definition",
    "node",
    "node_type",
]

_ATTRIBUTE: Final = "node_definition"
Function = TypeVar("Function", bound=Callable[..., Any])
Hook = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Definition:
    """What `@node` was told about a function beyond its signature."""

    id: str
    category: str
    display_name: str
    outputs: Any
    is_output: bool
    input_is_list: bool
    not_idempotent: bool
    yields: bool
    is_deprecated: bool
    is_experimental: bool
    is_api: bool
    python_module: str
    fingerprint: Hook | None
    validate: Hook | None
    check_lazy: Hook | None


def node(
    id: str,
    *,
    category: str,
    display_name: str = "",
    outputs: Any = None,
    is_output: bool = False,
    input_is_list: bool = False,
    not_idempotent: bool = False,
    yields: bool = False,
    is_deprecated: bool = False,
    is_experimental: bool = False,
    is_api: bool = False,
    python_module: str = "nodes",
    fingerprint: Hook | None = None,
    validate: Hook | None = None,
    check_lazy: Hook | None = None,
) -> Callable[[Function], Function]:
    """Marks a function as a node; the function itself stays callable as it was.

    `outputs` states the outputs where the return type cannot (a function that returns a Result): a NamedTuple, a type,
    or a sequence of types or Outputs. `fingerprint`, `validate` and `check_lazy` take inputs by name; see NodeType. Of
    Variants they get the name of the choice.
    """
    made = Definition(
        id=id,
        category=category,
        display_name=display_name,
        outputs=outputs,
        is_output=is_output,
        input_is_list=input_is_list,
        not_idempotent=not_idempotent,
        yields=yields,
        is_deprecated=is_deprecated,
        is_experimental=is_experimental,
        is_api=is_api,
        python_module=python_module,
        fingerprint=fingerprint,
        validate=validate,
        check_lazy=check_lazy,
    )

    def remember(function: Function) -> Function:
        setattr(function, _ATTRIBUTE, made)
        return function

    return remember


def definition(function: Callable[..., Any]) -> Definition:
    """What `@node` was told about this function.

    Raises: NodeTypeError, when it was never marked.
    """
    found = getattr(function, _ATTRIBUTE, None)
    if not isinstance(found, Definition):
        raise NodeTypeError(f"{_where(function)} is no node; put @node(id, category=…) above it.")
    return found


def node_type(function: Callable[..., Any], services: Services | None = None) -> NodeType:
    """The NodeType of a function marked with `@node`, its services bound.

    Raises: NodeTypeError naming the function, the argument, and what to write instead.
    """
    made = definition(function)
    try:
        return _node_type(function, made, services or {})
    except NodeTypeError as error:
        raise NodeTypeError(f"node {made.id!r} ({_where(function)}): {error}") from error


def _node_type(function: Callable[..., Any], made: Definition, services: Services) -> NodeType:
    hints = read_hints(function)
    arguments = read_arguments(function, hints, services, input_is_list=made.input_is_list)
    _check_order(arguments)
    outputs = _outputs(made, hints)
    names = [each.name for each in arguments.inputs]
    words = read_docstring(function.__doc__, [*names, *(each.name for each in outputs)])
    called = functools.partial(function, **arguments.services) if arguments.services else function
    fingerprint, fingerprint_inputs = _hook("fingerprint", made.fingerprint, names, services)
    validate, validate_inputs = _hook("validate", made.validate, names, services)
    return NodeType(
        id=made.id,
        function=gathered(called, arguments.variants) if arguments.variants else called,
        inputs=tuple(_with_tooltip(each, words) for each in arguments.inputs),
        outputs=tuple(replace(each, tooltip=each.tooltip or words.tooltips.get(each.name, "")) for each in outputs),
        hidden=arguments.hidden,
        display_name=made.display_name or made.id,
        category=made.category,
        description=words.description,
        python_module=made.python_module,
        is_output=made.is_output,
        input_is_list=made.input_is_list,
        is_deprecated=made.is_deprecated,
        is_experimental=made.is_experimental,
        is_api=made.is_api,
        not_idempotent=made.not_idempotent,
        yields=made.yields,
        fingerprint=fingerprint,
        fingerprint_inputs=fingerprint_inputs,
        validate=validate,
        validate_inputs=validate_inputs,
        file_check=file_checks.name_of(made.validate),
        check_lazy=_lazy_hook(made.check_lazy, arguments, services),
    )


def _check_order(arguments: Arguments) -> None:
    # Saved workflows hold widget values by position, required inputs first.
    last_optional = ""
    for each in arguments.inputs:
        if not each.required:
            last_optional = each.name
        elif last_optional:
            raise NodeTypeError(f"{each.name} is required but comes after optional {last_optional}; put it before")


def _outputs(made: Definition, hints: Mapping[str, Any]) -> tuple[Output, ...]:
    if made.outputs is None and "return" not in hints:
        raise NodeTypeError("does not say what it returns; annotate it (`-> Image`, a NamedTuple, or `-> None`)")
    outputs = read_outputs(hints["return"] if made.outputs is None else made.outputs)
    if not outputs and not made.is_output:
        raise NodeTypeError("has no outputs and is no output node, so it could never run; give one or is_output=True")
    return outputs


def _with_tooltip(each: Input, words: Docstring) -> Input:
    tooltip = words.tooltips.get(each.name)
    if not tooltip or "tooltip" in each.options:
        return each
    return replace(each, options={**each.options, "tooltip": tooltip})


def _hook(
    kind: str, hook: Hook | None, names: Sequence[str], services: Services
) -> tuple[Hook | None, tuple[str, ...] | None]:
    """An author's function with its services bound. Returns: it, and the inputs it takes (None: every one)."""
    if hook is None:
        return None, ()
    hints = read_hints(hook)
    bound: dict[str, object] = {}
    taken: list[str] = []
    takes_all = False
    for name, parameter in inspect.signature(hook).parameters.items():
        annotation = hints.get(name)
        if parameter.kind is parameter.VAR_KEYWORD:
            takes_all = True
        elif name in names or (name == "input_types" and kind == "validate"):
            taken.append(name)
        elif isinstance(annotation, type) and annotation in services:
            bound[name] = services[annotation]
        else:
            raise NodeTypeError(f"its {kind} takes {name!r}, which is no input ({', '.join(names)}) and no service")
    return (functools.partial(hook, **bound) if bound else hook), (None if takes_all else tuple(taken))


def _lazy_hook(hook: Hook | None, arguments: Arguments, services: Services) -> Hook | None:
    lazy = [each.name for each in arguments.inputs if each.is_lazy]
    if hook is None:
        if lazy:
            raise NodeTypeError(f"{lazy[0]} is lazy, but nothing says when it is needed; give check_lazy=")
        return None
    if not lazy:
        raise NodeTypeError("has check_lazy, but no lazy input; mark one with lazy=True")
    offered = [*(each.name for each in arguments.inputs), *arguments.hidden]
    function, taken = _hook("check_lazy", hook, offered, services)
    if function is None or taken is None:
        return function
    return _Narrowed(function, frozenset(taken))


@dataclass(frozen=True, slots=True)
class _Narrowed:
    """A function that is handed every input and passes on the ones it takes."""

    function: Hook
    names: frozenset[str]

    def __call__(self, **inputs: Any) -> Any:
        return self.function(**{name: value for name, value in inputs.items() if name in self.names})


def _where(function: Callable[..., Any]) -> str:
    module = getattr(function, "__module__", "?")
    return f"{module}.{getattr(function, '__qualname__', repr(function))}"
