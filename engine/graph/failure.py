"""A node's exception as the event a client sees: what went wrong, where, and with which inputs.

Everything in it is plain and small, so that it can cross a process boundary and keeps no tensor alive.
"""

import math
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from engine.errors import LatentwireError
from engine.graph.events import Failed

Advise = Callable[[BaseException], str | None]
"""What to do about an error, in a sentence, or None; the composition root may know more than `advise` does."""

LONGEST_TEXT = 2000
LONGEST_LIST = 32
LONGEST_MESSAGE = 20_000
HERE = Path(__file__).parent


def advise(error: BaseException) -> str | None:
    """What to do about running out of memory, recognised by name so that no torch is needed here."""
    name = type(error).__name__
    if isinstance(error, MemoryError):
        return "The computer's memory is full: use a smaller picture or batch, or close other programs."
    if name in ("OutOfMemoryError", "OutOfMemory"):
        return "The device's memory is full: use a smaller picture or batch, or --lowvram."
    return None


def failed(
    node: tuple[str, str],
    error: BaseException,
    *,
    inputs: Mapping[str, Sequence[Any]],
    executed: Sequence[str] = (),
    tip: str | None = None,
) -> Failed:
    """The event for an exception out of a node (its id and kind); it keeps nothing alive that the exception holds."""
    text = _with_input(error, inputs)
    return Failed(
        node=node[0],
        class_type=node[1],
        message=f"{text}\n{tip}" if tip else text,
        exception_type=qualified_name(error),
        traceback=_trace(error),
        inputs={name: [reduce(each) for each in values[:LONGEST_LIST]] for name, values in inputs.items()},
        executed=tuple(executed),
    )


def qualified_name(error: BaseException) -> str:
    """The exception's class with its module, built-in ones without."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def reduce(value: Any) -> Any:
    """A value as str, int, float, bool or None, short enough to be shown."""
    if value is None or type(value) in (bool, int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else repr(value)
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is not None and dtype is not None:  # a tensor or an array: its contents help nobody
        return f"{type(value).__name__} {list(shape)} {dtype}"
    try:
        text = value if type(value) is str else str(value)
    except Exception:  # noqa: BLE001 -- an author's __str__
        return f"<{type(value).__qualname__}>"
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}… ({len(text)} characters)"


def _with_input(error: BaseException, inputs: Mapping[str, Sequence[Any]]) -> str:
    """The error's text, with the input that is to blame in front where it is known."""
    text = _text(error)
    if not isinstance(error, LatentwireError):
        return text
    # Messages about what came over a wire begin with the input's name already.
    named = text.partition(":")[0]
    if named in inputs:
        return f"input {text}"
    return text if error.input is None else f"input {error.input}: {text}"


def _text(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"the node's code tried to end the program (exit code {error.code!r:.80})"
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 -- an author's __str__
        text = ""
    return _cut(text) or type(error).__name__


def _cut(text: str) -> str:
    """The text, or the beginning of a very long one: some authors put whole tensors into their messages."""
    return text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]}… ({len(text)} characters)"


def _trace(error: BaseException) -> tuple[str, ...]:
    """The traceback from the author's own code on; none for an error that is written for the user."""
    if isinstance(error, LatentwireError):
        return ()
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None and _is_ours(trace):
        trace = trace.tb_next
    if trace is not None and "__tracebackhide__" in trace.tb_frame.f_globals:
        trace = None  # it was raised by the call itself: the arguments were none that the function takes
    lines = traceback.format_exception(type(error), error, trace, limit=-50, chain=True)
    return tuple(line for chunk in lines for line in _cut(chunk).splitlines(keepends=True))


def _is_ours(trace: TracebackType) -> bool:
    frame = trace.tb_frame
    return "__tracebackhide__" in frame.f_globals or Path(frame.f_code.co_filename).parent == HERE
