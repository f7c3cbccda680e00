"""What the server and its workers say about themselves: lines for people, or one JSON object per line for machines.

A record says what it is about through `extra={"job": …, "node": …}`. Workers write JSON lines to stderr, whoever reads
them passes each on as `logging.getLogger("worker").info("%s", line, extra={"worker": name})`, and it comes out as the
record it was.

What users, nodes and files are called may stand in a message: control characters are escaped, so that nobody can forge
a line, and secrets are masked.
"""

import json
import logging
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, TextIO

FIELDS = ("job", "node", "class_type", "worker", "method", "path", "status", "seconds")
"""What a record may carry beside its message, by these names in `extra=` and in JSON."""

LINE = 1900
"""Characters of a worker's line; engine/workers/outside/stderr.py cuts at 2,000."""

PER_SECOND = 20
"""So many records that differ in numbers only are written per second; the rest are counted."""

_KINDS = 1000
_WORKER = "worker"
_AIOHTTP = "aiohttp.server"
_CHATTY = {"aiohttp.access": logging.ERROR, "asyncio": logging.INFO, "PIL": logging.INFO}
_SECRET = re.compile(
    r"""((?:\b|_)(?:token|api_?key|apikey|password|secret|auth_token_comfy_org|api_key_comfy_org)["']?\s*[=:]\s*["']?"""
    r"""|%3Ftoken%3D|\b(?:bearer|basic)\s+)([^\s&"',;]+)""",
    re.IGNORECASE,
)
_ESCAPES = {
    code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    for code in (*range(32), *range(127, 160), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
} | {9: "\\t", 10: "\\n", 13: "\\r"}


def configure(
    level: str | int,
    format: str = "text",
    *,
    secrets: Iterable[str] = (),
    longest: int | None = None,
    stream: TextIO | None = None,
) -> None:
    """Sends every record from this level on to stderr; call it once, first thing. Calling it again replaces the first.

    format: "text" or "json". secrets: texts that are masked wherever they stand, such as the server's token. longest:
    so many characters a JSON line may have; a worker says LINE, which its reader takes whole.
    """
    root = logging.getLogger()
    for each in [each for each in root.handlers if type(each) in (logging.StreamHandler, Lines)]:
        root.removeHandler(each)
    number = logging.getLevelNamesMapping()[level.upper()] if isinstance(level, str) else level
    lines = Lines(sys.stderr if stream is None else stream, number)
    mask = Mask(secrets)
    lines.setFormatter(JsonLines(mask, longest) if format == "json" else TextLines(mask))
    root.addHandler(lines)
    root.setLevel(number)
    logging.getLogger(_WORKER).setLevel(logging.DEBUG)  # the level that counts is inside the line, see `complete`
    for name, least in _CHATTY.items():
        logging.getLogger(name).setLevel(max(number, least))
    logging.captureWarnings(True)


class Lines(logging.StreamHandler[TextIO]):
    """Writes records, after they were given the fields they lack, and as often as is useful."""

    def __init__(self, stream: TextIO, level: int, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream)
        self._level = level
        self._flood = Flood(PER_SECOND, clock)

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a record, unless it is one too many; what was left out before is counted first."""
        complete(record)
        if record.levelno < self._level:
            return
        for note in self._flood.due():
            super().emit(note)
        if self._flood.admits(record):
            super().emit(record)

    def close(self) -> None:
        """Says what was left out last."""
        for note in self._flood.due(at_once=True):
            super().emit(note)
        super().close()


def complete(record: logging.LogRecord) -> None:
    """Makes a worker's line the record that it was there, and less of a client that leaves."""
    if record.name == _AIOHTTP and record.exc_info and isinstance(record.exc_info[1], ConnectionError):
        # A client that leaves in the middle of its answer is no mistake of ours, and there may be many.
        record.levelno, record.levelname = logging.DEBUG, "DEBUG"
    if record.name == _WORKER:
        line = _message(record)
        if line.startswith('{"time":'):
            _merge(record, line)


def _merge(record: logging.LogRecord, line: str) -> None:
    """Reads a line that JsonLines wrote in a worker. What only looks like one stays a text: nodes write there too."""
    try:
        told = json.loads(line)
        number = logging.getLevelNamesMapping()[told["level"]]
        record.created = datetime.fromisoformat(told["time"]).timestamp()
        record.msg, record.name = str(told["message"]), f"{_WORKER}.{told['logger']}"
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError):
        return
    record.levelno, record.levelname, record.args = number, told["level"], ()
    if told.get("node") is not None:  # whoever reads the line only knows which node began last
        record.__dict__.update(node=None, class_type=None)
    for name in FIELDS:
        if isinstance(told.get(name), str | int | float) and getattr(record, name, None) is None:
            setattr(record, name, told[name])
    if isinstance(told.get("exception"), str):
        record.exc_text = told["exception"]


class Flood:
    """Counts records of one kind: those that differ in numbers only."""

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        self._limit, self._clock = limit, clock
        self._counts: dict[tuple[str, int, str], int] = {}
        self._since = clock()

    def admits(self, record: logging.LogRecord) -> bool:
        """Whether to write this one."""
        kind = (record.name, record.levelno, re.sub(r"\d+", "0", _message(record)[:80]))
        if kind not in self._counts and len(self._counts) >= _KINDS:
            kind = (record.name, record.levelno, "")
        self._counts[kind] = self._counts.get(kind, 0) + 1
        return self._counts[kind] <= self._limit

    def due(self, *, at_once: bool = False) -> list[logging.LogRecord]:
        """Once a second: a record for each kind that had too many, saying how many more there were."""
        if not at_once and self._clock() - self._since < 1.0:
            return []
        counts, self._counts, self._since = self._counts, {}, self._clock()
        return [
            logging.LogRecord(name, level, "", 0, "%s (and %d more like it)", (text or "other records", more), None)
            for (name, level, text), count in counts.items()
            if (more := count - self._limit) > 0
        ]


class Mask:
    """Hides secrets: those it was told, and what stands where tokens and passwords usually do."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = tuple(each for each in secrets if each)

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return _SECRET.sub(r"\1***", text)


class TextLines(logging.Formatter):
    """`12:01:02 INFO job 3f2a6c10… node 5 (KSampler): what happened`; an exception's lines follow, indented."""

    def __init__(self, mask: Mask) -> None:
        super().__init__()
        self._mask = mask

    def format(self, record: logging.LogRecord) -> str:
        """A record as a line, and more only for an exception."""
        subject = " ".join(_subject(record)).translate(_ESCAPES)
        head = f"{time.strftime('%H:%M:%S', time.localtime(record.created))} {record.levelname}"
        message = self._mask(_message(record)).translate(_ESCAPES)
        lines = [f"{head} {subject}: {message}" if subject else f"{head} {message}"]
        lines += [
            f"    {line.translate(_ESCAPES)}" for line in self._mask(_exception(self, record)).split("\n") if line
        ]
        return "\n".join(lines)


class JsonLines(logging.Formatter):
    """An object per line: time (ISO 8601, UTC), level, logger, message, the fields that are known, exception."""

    def __init__(self, mask: Mask, longest: int | None = None) -> None:
        super().__init__()
        self._mask = mask
        self._longest = longest

    def format(self, record: logging.LogRecord) -> str:
        """A record as JSON in ASCII, which no text in it can leave."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told: dict[str, Any] = {"time": moment.replace("+00:00", "Z"), "level": record.levelname}
        told |= {"logger": record.name, "message": self._mask(_message(record))}
        for name in FIELDS:
            value = getattr(record, name, None)
            if value is not None:
                told[name] = value if isinstance(value, int | float) else self._mask(str(value))
        exception = _exception(self, record)
        if exception:
            told["exception"] = self._mask(exception)
        line = json.dumps(told)
        return line if self._longest is None else _shortened(line, told, self._longest)


def _shortened(line: str, told: dict[str, Any], longest: int) -> str:
    """A line of at most that length; of an exception the end tells most, of a message the beginning."""
    for name, part in (("exception", slice(None, None, -1)), ("message", slice(None, None, 1))):
        while len(line) > longest and len(told.get(name, "")) > 1:
            kept = told[name][part]
            told[name] = kept[: len(kept) * 2 // 3][part]
            line = json.dumps(told)
    return line


def _subject(record: logging.LogRecord) -> Iterator[str]:
    """Who a line for people is about, in words, unless its message says so itself."""
    worker, job, node = (getattr(record, name, None) for name in ("worker", "job", "node"))
    message = _message(record)
    if worker is not None and str(worker) not in message:
        yield str(worker)
    if job is not None and str(job) not in message:
        yield f"job {str(job)[:8]}…" if len(str(job)) > 9 else f"job {job}"
    if node is not None:
        kind = getattr(record, "class_type", None)
        yield f"node {node} ({kind})" if kind else f"node {node}"


def _message(record: logging.LogRecord) -> str:
    """The message, also of a record whose arguments do not fit it: that mistake must not cost the record."""
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001 -- the arguments may be anybody's objects, and str() of them may fail
        return f"{record.msg!s} (its arguments do not fit: {type(error).__name__})"


def _exception(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    """The traceback as text, however the record holds it; formatted once."""
    if record.exc_info and record.exc_info[0] is not None and not record.exc_text:
        record.exc_text = formatter.formatException(record.exc_info)
    stack = formatter.formatStack(record.stack_info) if record.stack_info else ""
    return "\n".join(text for text in (record.exc_text, stack) if text)
