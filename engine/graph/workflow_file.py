"""Any file a workflow is kept in becomes a prompt: API or editor JSON, bare or wrapped, or a picture that carries one.

Whatever else comes is refused with a PromptError that says what was expected and what came.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from engine.errors import PathError, PromptError
from engine.graph.editor_format import NodeTypes, convert, is_editor_format
from engine.graph.editor_links import Lookup
from engine.graph.editor_texts import settle_texts
from engine.graph.prompt import MAX_NESTING, Prompt, parse_json
from engine.metadata import is_picture, read_workflow

MAX_BYTES = 20_000_000
"""The largest JSON read; the same as a prompt sent to the server (processes.md). Pictures may be larger."""

_EXPECTED = "expected a workflow: API or editor JSON, or a PNG or WebP picture that carries one"
_MOST_WRAPPINGS = 4
_BLANK = "\ufeff \t\r\n"


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow read from a file: the prompt in API JSON; the editor's own JSON where there was one; what to know."""

    prompt: dict[str, Any]
    workflow: dict[str, Any] | None
    notes: list[str]


def read(
    source: Path | bytes | str | Mapping[str, Any],
    types: NodeTypes | Lookup,
    *,
    prune: bool = False,
    random: Random | None = None,
) -> Workflow:
    """Reads a workflow from a file, a file's bytes, JSON text, or JSON already parsed.

    A text that begins with a brace is JSON, any other the path of a file. types: what the editor's format is read with,
    a Registry for one. prune: keep only what output nodes need. random: settle choices and dates in the texts of an
    editor's file as the editor does when it sends them (editor_texts); without it they stay as they are.
    Raises: PromptError, and nothing else, whatever comes.
    """
    options = _Options(types if callable(types) else types.get, prune, random)
    if isinstance(source, Mapping):
        return _from_json(source, options)
    if isinstance(source, str):
        file = path_of(source)
        if file is None:
            return _from_json(_parse(source.lstrip(_BLANK).encode("utf-8", "surrogatepass")), options)
        source = file
    head, data = _open(source)
    if is_picture(head):
        return _from_picture(source, options)
    try:
        return _from_json(_parse(data), options)
    except PromptError as error:
        if isinstance(source, bytes):
            raise
        raise PromptError(f"{source}: {error}") from error


def path_of(source: Path | bytes | str | Mapping[str, Any]) -> Path | None:
    """The file that `read` opens for a source; None where the source is the workflow itself."""
    if isinstance(source, str):
        text = source.lstrip(_BLANK)
        return Path(source) if text and text[0] not in "{[" else None
    return source if isinstance(source, Path) else None


@dataclass(frozen=True, slots=True)
class _Options:
    lookup: Lookup
    prune: bool
    random: Random | None


def _open(source: Path | bytes) -> tuple[bytes, bytes]:
    """The first bytes of a file, and all of it unless it is a picture."""
    if isinstance(source, bytes):
        return source[:12], source
    try:
        size = source.stat().st_size
        with open(source, "rb") as file:
            head = file.read(12)
            if is_picture(head):
                return head, b""
            if size > MAX_BYTES:
                raise PromptError(f"{source}: {_EXPECTED}; this file has {size:,} bytes, more than {MAX_BYTES:,}")
            return head, head + file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PromptError(f"{str(source)!r:.200}: cannot be read ({reason}); {_EXPECTED}") from error


def _parse(data: bytes) -> Any:
    if not data.strip():
        raise PromptError(f"{_EXPECTED}; this is empty")
    if len(data) > MAX_BYTES:
        raise PromptError(f"{_EXPECTED}; this has {len(data):,} bytes, more than {MAX_BYTES:,}")
    try:
        return parse_json(data)
    except PromptError as error:
        raise PromptError(f"{_EXPECTED}. {error}") from error


def _from_picture(source: Path | bytes, options: _Options) -> Workflow:
    """What made the picture: its prompt as it ran, with the editor's graph beside it; else that graph, converted."""
    name = "this picture" if isinstance(source, bytes) else str(source)
    try:
        texts = read_workflow(source)
    except PathError as error:
        raise PromptError(f"{error}; {_EXPECTED}") from error
    if not texts:
        raise PromptError(f"{name}: no workflow inside (none was saved, or the file is cut short); {_EXPECTED}")
    failures: list[str] = []
    found: dict[str, Any] = {}
    for key, text in texts.items():
        try:
            found[key] = _parse(text.encode("utf-8", "surrogatepass"))
        except PromptError as error:
            failures.append(f"its {key} cannot be read: {error}")
    editor = found.get("workflow") if is_editor_format(found.get("workflow")) else None
    for key in ("prompt", "workflow"):
        if key in found:
            try:
                read_so_far = _from_json(found[key], options)
            except PromptError as error:
                failures.append(f"its {key} cannot be used: {error}")
                continue
            return Workflow(read_so_far.prompt, editor or read_so_far.workflow, [*failures, *read_so_far.notes])
    raise PromptError(f"{name}: {'; '.join(failures)}")


def _from_json(source: Any, options: _Options) -> Workflow:
    _check_nesting(source)
    graph, editor = _unwrap(source)
    notes: list[str] = []
    if is_editor_format(graph):
        editor = graph
        converted = convert(graph, options.lookup, prune=options.prune)
        graph, notes = converted.prompt, [*converted.notes]
        if options.random is not None:
            graph = settle_texts(graph, options.lookup, options.random)
        if not graph:
            raise PromptError("nothing in this workflow runs: every node is muted, bypassed or only drawn")
    _check_shape(graph)
    prompt = Prompt.from_json(graph)
    return Workflow(prompt.to_json(), dict(editor) if editor is not None else None, notes)


def _unwrap(source: Any) -> tuple[Any, Mapping[str, Any] | None]:
    """The graph inside the wrappings it is sent and stored in, and the editor's graph where one lies beside it."""
    editor: Mapping[str, Any] | None = None
    for _ in range(_MOST_WRAPPINGS):
        if not isinstance(source, Mapping) or is_editor_format(source) or _is_prompt(source):
            break
        if is_editor_format(source.get("workflow")):
            editor = source["workflow"]
        editor = _sent_along(source) or editor
        inner = [source[key] for key in ("prompt", "output", "input", "workflow") if _is_graph(source.get(key))]
        if not inner:
            break
        source = inner[0]
    return source, editor


def _sent_along(source: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The editor's graph in a request to the server: extra_data.extra_pnginfo.workflow."""
    found: Any = source
    for key in ("extra_data", "extra_pnginfo", "workflow"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if is_editor_format(found) else None


def _is_graph(value: object) -> bool:
    return isinstance(value, Mapping) and bool(value)


def _is_prompt(source: Mapping[str, Any]) -> bool:
    return any(isinstance(each, Mapping) and "class_type" in each for each in source.values())


def _check_shape(graph: object) -> None:
    if not isinstance(graph, Mapping):
        raise PromptError(f"{_EXPECTED}; this JSON is {_shown(graph)}, not an object of nodes")
    if not graph:
        raise PromptError(f"{_EXPECTED}; this one has no nodes")
    if not _is_prompt(graph):
        raise PromptError(f"{_EXPECTED}; no node with a class_type is in it, only the keys {_shown([*graph][:5])}")


def _shown(value: object) -> str:
    text = repr(value[:5] if isinstance(value, str | list | tuple) else value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _check_nesting(source: object) -> None:
    """Refuses JSON whose depth would exhaust the stack of whoever writes it into a picture later."""
    level = [source]
    for _ in range(MAX_NESTING + 1):
        inner: list[object] = []
        for each in level:
            if isinstance(each, Mapping):
                inner.extend(value for value in each.values() if isinstance(value, Mapping | list))
            elif isinstance(each, list):
                inner.extend(value for value in each if isinstance(value, Mapping | list))
        if not inner:
            return
        level = inner
    raise PromptError(f"this JSON is nested too deeply; at most {MAX_NESTING} levels are accepted")
