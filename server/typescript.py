"""The shapes of server/protocol as TypeScript: `python -m server.typescript` writes web/src/api/wire.ts.

For developers only; nothing in the server imports this. Libraries that were looked at read dataclasses or pydantic
models and no TypedDicts (py-ts-interfaces, pydantic-to-typescript), or are GPL (python2ts); this needs one page.
"""

import ast
import inspect
import sys
import types
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from server.protocol import files, jobs, messages, nodes, plugins, prompts, system

MODULES = (prompts, messages, jobs, nodes, plugins, files, system)
TARGET = Path(__file__).resolve().parents[1] / "web" / "src" / "api" / "wire.ts"
COMMAND = "python -m server.typescript"

HEADER = f"""/**
 * What is sent to the server and what it answers. Made from server/protocol by `{COMMAND}`; do not edit.
 *
 * Whole numbers inside prompts and workflows may be larger than a double can hold (seeds have 64 bits): read and write
 * those with `format/json`. All other numbers are exact as doubles.
 */
"""

FOOTER = """
/** A text frame of the socket. Stored messages have a number, which rises over all jobs. */
export type Message = {
  readonly [Type in keyof Messages]: { readonly type: Type; readonly data: Messages[Type]; readonly id?: number };
}[keyof Messages];
"""

WIDTH = 120

_PRIMITIVES: Mapping[object, str] = {
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    type(None): "null",
    Any: "unknown",
}


def typescript(modules: Sequence[types.ModuleType] = MODULES) -> str:
    """Every TypedDict and every named alias of these modules, as Prettier would write them."""
    own = [(module, name, value) for module in modules for name, value in _shapes(module)]
    names = {_key(value): name for _, name, value in own if not is_typeddict(value)}
    parts = [HEADER]
    for module, name, value in own:
        if is_typeddict(value):
            parts.append(_interface(value, _parents(module, name), names))
        else:
            parts.append(_alias(module, name, value, names))
    return "\n".join(parts) + FOOTER


def _shapes(module: types.ModuleType) -> Iterator[tuple[str, Any]]:
    """What a module itself defines, in its order."""
    for statement in _tree(module).body:
        if isinstance(statement, ast.ClassDef):
            yield statement.name, getattr(module, statement.name)
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            yield statement.target.id, getattr(module, statement.target.id)


def _parents(module: types.ModuleType, name: str) -> list[type]:
    """What a TypedDict inherits from; at run time it does not know (before Python 3.12)."""
    found = next(each for each in _tree(module).body if isinstance(each, ast.ClassDef) and each.name == name)
    bases = [getattr(module, base.id) for base in found.bases if isinstance(base, ast.Name)]
    return [each for each in bases if is_typeddict(each)]


def _interface(shape: type, parents: Sequence[type], names: Mapping[str, str]) -> str:
    inherited = {name for parent in parents for name in get_type_hints(parent)}
    extends = f" extends {', '.join(each.__name__ for each in parents)}" if parents else ""
    head = f"{_comment(inspect.getdoc(shape))}export interface {shape.__name__}{extends} {{"
    hints = {name: hint for name, hint in get_type_hints(shape).items() if name not in inherited}
    optional: frozenset[str] = shape.__optional_keys__  # type: ignore[attr-defined]
    fields = [
        f"  readonly {name}{'?' if name in optional else ''}: {_type(hint, names)};" for name, hint in hints.items()
    ]
    return "\n".join([head, *fields, "}\n"])


def _alias(module: types.ModuleType, name: str, value: Any, names: Mapping[str, str]) -> str:
    text = f"export type {name} = {_type(value, {key: each for key, each in names.items() if each != name})};"
    if len(text) > WIDTH:
        raise ValueError(f"{name}: expected at most {WIDTH} characters of TypeScript, got {len(text)}; split it")
    return f"{_comment(_text_below(module, name))}{text}\n"


def _type(hint: Any, names: Mapping[str, str]) -> str:
    """A type as TypeScript writes it. Raises: TypeError, for one that JSON does not have."""
    if _key(hint) in names:
        return names[_key(hint)]
    if is_typeddict(hint):
        return str(hint.__name__)
    if hint in _PRIMITIVES:
        return _PRIMITIVES[hint]
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return " | ".join(f'"{each}"' for each in inner)
    if origin in (Union, types.UnionType):
        return " | ".join(_type(each, names) for each in inner)
    if origin is tuple:
        return f"readonly [{', '.join(_type(each, names) for each in inner)}]"
    if origin in (list, Sequence):
        item = _type(inner[0], names)
        return f"readonly ({item})[]" if " " in item else f"readonly {item}[]"
    if origin in (dict, Mapping) and inner[0] is str:
        return f"Readonly<Record<string, {_type(inner[1], names)}>>"
    raise TypeError(f"expected a type that JSON has, got {hint!r}")


def _key(hint: Any) -> str:
    """Equal for the same type; bool and int literals aside, `repr` tells all of them apart."""
    return repr(hint)


def _comment(text: str | None) -> str:
    lines = (text or "").strip().splitlines()
    if len(lines) <= 1:
        return f"/** {lines[0]} */\n" if lines else ""
    return "\n".join(["/**", *(f" * {line}".rstrip() for line in lines), " */\n"])


def _text_below(module: types.ModuleType, name: str) -> str | None:
    """The text that stands below an assignment."""
    body = _tree(module).body
    for statement, below in pairwise(body):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            is_text = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            if statement.target.id == name and is_text:
                return str(below.value.value)  # type: ignore[attr-defined]
    return None


def _tree(module: types.ModuleType) -> ast.Module:
    return ast.parse(inspect.getsource(module))


if __name__ == "__main__":
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(typescript(), encoding="utf-8")
    sys.stdout.write(f"{TARGET}\n")
