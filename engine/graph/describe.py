"""Node types as plain data: the JSON of /object_info, and back.

`describe` makes exactly the entry ComfyUI's clients expect. `snapshot` adds, under one key of our own, what a process
without the author's code must know to validate a prompt. `read` takes either.
"""

import functools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from engine import file_checks
from engine.errors import NodeTypeError
from engine.folders import Folders
from engine.graph.marks import FileChoices, FileLists, Remembered
from engine.graph.nodetype import Input, NodeType, Output
from engine.graph.sockets import Anything, Judged, Undecided, is_anything

FLAGS = "latentwire"

_OURS = "RUN"  # the one hidden input that ComfyUI's clients have never heard of


def object_info(node_types: Iterable[NodeType]) -> dict[str, Any]:
    """The answer of /object_info; node types whose author's code cannot list its choices now are left out."""
    return _each(node_types, describe)


def snapshots(node_types: Iterable[NodeType]) -> dict[str, Any]:
    """The snapshots of node types by id, for a process that has none of their code; the same ones are left out."""
    return _each(node_types, snapshot)


def _each(node_types: Iterable[NodeType], entry: Callable[[NodeType], dict[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for node_type in node_types:
        try:
            result[node_type.id] = entry(node_type)
        except Exception:  # noqa: BLE001 - a plugin's function lists the choices; it must not take the others along
            continue
    return result


def describe(node_type: NodeType) -> dict[str, Any]:
    """The entry of one node type in /object_info; file lists are read now."""
    if node_type.entry is None:
        return _described(node_type)
    return {str(key): _plain(value) for key, value in node_type.entry().items()}


def _described(node_type: NodeType) -> dict[str, Any]:
    sections: dict[str, dict[str, Any]] = {
        "required": {each.name: input_config(each) for each in node_type.inputs if each.required},
        "optional": {each.name: input_config(each) for each in node_type.inputs if not each.required},
        "hidden": {name: kind for name, kind in node_type.hidden.items() if kind != _OURS},
    }
    shown = {name: section for name, section in sections.items() if section or name == "required"}
    entry: dict[str, Any] = {
        "input": shown,
        "input_order": {name: list(section) for name, section in shown.items()},
        "is_input_list": node_type.input_is_list,
        "output": [_text(each.type) for each in node_type.outputs],
        "output_is_list": [each.is_list for each in node_type.outputs],
        "output_name": [each.name for each in node_type.outputs],
        "name": node_type.id,
        "display_name": node_type.display_name or node_type.id,
        "description": node_type.description,
        "python_module": node_type.python_module,
        "category": node_type.category,
        "output_node": node_type.is_output,
    }
    if any(each.tooltip for each in node_type.outputs):
        entry["output_tooltips"] = [each.tooltip for each in node_type.outputs]
    flags = {
        "deprecated": node_type.is_deprecated,
        "experimental": node_type.is_experimental,
        "api_node": node_type.is_api,
    }
    shown_too = {name: _plain(value) for name, value in node_type.shown.items()}
    return {**entry, **{name: True for name, is_set in flags.items() if is_set}, **shown_too}


def input_config(each: Input) -> list[Any]:
    """An input as [type, options]; a combo as [[choices…], options], the form that every client reads."""
    options = {str(name): _plain(value) for name, value in each.options.items() if not _is_endless(value)}
    if each.spelling == "bare" and not options:
        return [_text(each.type) if each.choices is None else [_plain(value) for value in each.current_choices()]]
    if each.choices is None:
        return [_text(each.type), options]
    choices = [_plain(value) for value in each.current_choices()]
    if each.type == "COMBO" and each.spelling != "combo":
        return [choices, options]
    return [_text(each.type), {**options, "options": choices}]


def snapshot(node_type: NodeType) -> dict[str, Any]:
    """The entry of /object_info, and what validation needs besides where the author's code is not.

    That is: which inputs the author's hooks take, the name of a hook that only looks at files, which combos list the
    files of a folder, and where the run goes.
    """
    files = {each.name: each.choices for each in node_type.inputs if isinstance(each.choices, FileChoices)}
    return {
        **describe(node_type),
        FLAGS: {
            "display_name": node_type.display_name,
            "not_idempotent": node_type.not_idempotent,
            "validate_inputs": _listed(node_type.validate_inputs),
            "file_check": node_type.file_check,
            "fingerprint_inputs": _listed(node_type.fingerprint_inputs),
            "run": [name for name, kind in node_type.hidden.items() if kind == _OURS],
            "files": {name: [choices.kind, *choices.also] for name, choices in files.items()},
            **_flags(node_type, files),
            **_beyond_json(node_type),
        },
    }


def _flags(node_type: NodeType, files: Mapping[str, FileChoices]) -> dict[str, Any]:
    """What plugins alone have need of; only what is set."""
    hook = node_type.validate is not None or node_type.is_checked_elsewhere
    kept = {
        "files_before": {name: list(choices.before) for name, choices in files.items() if choices.before},
        "listed": [each.name for each in node_type.inputs if _is_listed_by_author(each)],
        "checked": hook and not node_type.file_check,
        "takes_link_types": node_type.takes_link_types,
        "others": None if node_type.others is None else input_config(node_type.others),
        "shown": list(node_type.shown),
        "judged_in": [each.name for each in node_type.inputs if _is_judged(each.type)],
        "judged_out": [slot for slot, each in enumerate(node_type.outputs) if _is_judged(each.type)],
    }
    return {name: value for name, value in kept.items() if value}


def _is_listed_by_author(each: Input) -> bool:
    is_asked = callable(each.choices) and not isinstance(each.choices, FileChoices)
    return is_asked or isinstance(each.choices, Remembered)


def _is_judged(type_name: str) -> bool:
    return isinstance(type_name, Judged | Undecided)


def _beyond_json(node_type: NodeType) -> dict[str, Any]:
    """Which types take anything, as their text does not say; and our own description beside an author's entry."""
    kept = {
        "anything_in": [each.name for each in node_type.inputs if is_anything(each.type)],
        "anything_out": [slot for slot, each in enumerate(node_type.outputs) if is_anything(each.type)],
        "described": _described(node_type) if node_type.entry is not None else None,
    }
    return {name: value for name, value in kept.items() if value}


def read(entry: Mapping[str, Any], lists: FileLists | None = None) -> NodeType:
    """A node type without its functions, from an entry of /object_info (old combos or new) or from a snapshot.

    `lists` makes the combos that show files read them anew; without it they keep the files of the entry. When it is
    the Folders themselves, hooks that only look at files are there to be called; any other `validate` is None, with
    `validate_inputs` saying that there is one.
    Raises: NodeTypeError, when the entry is not of that shape.
    """
    try:
        return _read(entry, lists)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        name = entry.get("name") if isinstance(entry, Mapping) else None
        raise NodeTypeError(f"the description of node type {name!r} cannot be read: {error!r}") from error


def _read(entry: Mapping[str, Any], lists: FileLists | None) -> NodeType:
    flags = entry.get(FLAGS, {})
    shown = {key: value for key, value in entry.items() if key != FLAGS} if "described" in flags else None
    entry = flags.get("described", entry)
    sections = entry["input"]
    files = {} if lists is None else _files(flags, lists)
    inputs = read_inputs(sections, entry.get("input_order", {}), files)
    return NodeType(
        id=entry["name"],
        inputs=tuple(_compared(each, each.name, "in", flags) for each in inputs),
        outputs=tuple(_compared(each, slot, "out", flags) for slot, each in enumerate(_outputs(entry))),
        hidden={
            **{name: _hidden(value) for name, value in sections.get("hidden", {}).items()},
            **dict.fromkeys(flags.get("run", ()), _OURS),
        },
        display_name=flags.get("display_name", entry.get("display_name") or ""),
        category=entry.get("category", ""),
        description=entry.get("description", ""),
        python_module=entry.get("python_module", "nodes"),
        is_output=entry.get("output_node", False),
        input_is_list=entry.get("is_input_list", False),
        is_deprecated=entry.get("deprecated", False),
        is_experimental=entry.get("experimental", False),
        is_api=entry.get("api_node", False),
        not_idempotent=flags.get("not_idempotent", False),
        validate=_file_check(flags, lists),
        validate_inputs=_tupled(flags.get("validate_inputs", ())),
        file_check=flags.get("file_check", ""),
        fingerprint_inputs=_tupled(flags.get("fingerprint_inputs", ())),
        entry=None if shown is None else functools.partial(_with_files, shown, files),
        others=_others(flags),
        shown={name: entry[name] for name in flags.get("shown", ())},
        is_checked_elsewhere=bool(flags.get("checked")),
        takes_link_types=bool(flags.get("takes_link_types")),
    )


def _with_files(shown: Mapping[str, Any], files: Mapping[str, FileChoices]) -> Mapping[str, Any]:
    """An author's own entry, with the files there are now in the combos that list them."""
    sections = {
        name: {
            each: [config[0], {**config[1], "options": [*files[each]()]}] if each in files else config
            for each, config in section.items()
        }
        for name, section in shown["input"].items()
    }
    return {**shown, "input": sections} if files else shown


def read_inputs(
    sections: Mapping[str, Mapping[str, Any]],
    order: Mapping[str, Iterable[str]] | None = None,
    files: Mapping[str, FileChoices] | None = None,
) -> tuple[Input, ...]:
    """The inputs that the sections "required" and "optional" of an entry describe."""
    return tuple(
        _input(name, sections[section][name], section == "required", (files or {}).get(name))
        for section in ("required", "optional")
        if section in sections
        for name in (order or {}).get(section, sections[section])
    )


Socket = TypeVar("Socket", Input, Output)


def _compared(each: Socket, place: str | int, side: str, flags: Mapping[str, Any]) -> Socket:
    """The input or output with a type that is compared as its author does it, as far as that can be known here."""
    if side == "in" and place in flags.get("listed", ()) and isinstance(each, Input) and each.choices is not None:
        each = replace(each, choices=Remembered(each.current_choices()))
    if place in flags.get(f"judged_{side}", ()):
        return replace(each, type=Undecided(each.type))
    return replace(each, type=Anything(each.type)) if place in flags.get(f"anything_{side}", ()) else each


def _others(flags: Mapping[str, Any]) -> Input | None:
    config = flags.get("others")
    if config is None:
        return None
    made = _input("", config, False, None)
    return replace(made, type=Anything(made.type))


def _file_check(flags: Mapping[str, Any], lists: FileLists | None) -> Callable[..., bool | str] | None:
    check = file_checks.named(flags.get("file_check", ""))
    return functools.partial(check, folders=lists) if check is not None and isinstance(lists, Folders) else None


def _files(flags: Mapping[str, Any], lists: FileLists) -> dict[str, FileChoices]:
    before = flags.get("files_before", {})
    return {
        name: FileChoices(lists, kind, tuple(also), tuple(before.get(name, ())))
        for name, (kind, *also) in flags.get("files", {}).items()
    }


def _input(name: str, config: Any, required: bool, files: FileChoices | None) -> Input:
    type_or_choices = config[0]
    options = dict(config[1]) if len(config) > 1 else {}
    bare = "" if len(config) > 1 else "bare"
    if isinstance(type_or_choices, list | tuple):
        return Input(name, "COMBO", required, files or tuple(type_or_choices), options, bare)
    if not isinstance(type_or_choices, str):
        raise TypeError(f"input {name}: {type_or_choices!r} is neither a type nor a list of choices")
    # A combo that brings inputs along has options of another kind: see dynamic.py.
    is_list = not any(isinstance(each, Mapping) for each in options.get("options") or ())
    choices = options.pop("options", None) if is_list else None
    spelling = "combo" if type_or_choices == "COMBO" and choices is not None else bare
    values = files if files is not None and choices is not None else choices
    return Input(name, type_or_choices, required, _fixed(values), options, spelling)


def _fixed(choices: Any) -> FileChoices | tuple[Any, ...] | None:
    return choices if choices is None or isinstance(choices, FileChoices) else tuple(choices)


def _outputs(entry: Mapping[str, Any]) -> tuple[Output, ...]:
    # An output type may be a list of choices in old entries; what flows there is one of them.
    names = ["COMBO" if isinstance(each, list) else str(each) for each in entry["output"]]
    count = len(names)
    columns = (
        entry.get("output_name") or names,
        entry.get("output_is_list") or [False] * count,
        entry.get("output_tooltips") or [""] * count,
    )
    return tuple(
        Output(name, type_name, is_list, tooltip or "")
        for type_name, name, is_list, tooltip in zip(names, *columns, strict=True)
    )


def _hidden(value: Any) -> str:
    # V1 nodes write "UNIQUE_ID", V3 nodes ["UNIQUE_ID"].
    return str(value[0]) if isinstance(value, list | tuple) else str(value)


def _plain(value: Any) -> Any:
    """A value as JSON can hold it; options come from authors, who put tuples, str subclasses and more there."""
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return None if _is_endless(value) else value
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    return str(value)


def _is_endless(value: Any) -> bool:
    """Whether it is a float that JSON has no word for: max=inf says nothing, and browsers refuse the whole answer."""
    return isinstance(value, float) and not math.isfinite(value)


def _text(value: str) -> str:
    """The characters themselves, without an author's subclass around them."""
    return "".join(value)


def _listed(names: tuple[str, ...] | None) -> list[str] | None:
    return None if names is None else list(names)


def _tupled(names: Iterable[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)
