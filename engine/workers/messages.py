"""What server and worker say to each other: frames on a pipe, each a JSON object and, for pictures, bytes beside it.

A frame is two big-endian 32-bit lengths, the JSON, the bytes. The JSON has a key `type`:

To the worker
* run        job, prompt (API JSON), targets, extra ({"workflow": …}), unvalidated (node ids), attempt (from 1),
             client_id, extra_data (all that was sent along with the prompt)
* cancel     job
* check      call, prompt, targets: validate with the authors' own functions; answered
* free       unload_models, free_memory: when no job runs
* ask        call, about, data: what plugins are asked beside a running job (server/plugins/contract); answered
* reload     call, name (None: all that changed): import plugins again when no job runs; "plugins" and "types" are sent
             anew; answered
* given      call, result; or call, error: the answer to a "want"
* sockets    sockets ({client id: the flags it announced}): who is connected to the server
* stop       finish what runs (the server cancels it first when there is no time) and exit

From the worker
* hello      pid: the first frame, before anything slow is imported
* types      types ({id: snapshot}), system (versions), devices, seconds: nodes are imported, jobs may come
* importing  plugin: it is imported next, which may take as long as starting may, but not without computing; "": all
             are imported
* plugins    plugins (a record of each), serving (address, secret, routes of their HTTP server), handlers (how many
             want to see a prompt before it is validated), replacements, folders (kinds of model folders, as
             Folders.described), features (for GET /features): before "types", and when it has changed
* beat       every second: job, memory (resident bytes), cpu (seconds used), looked (seconds since the running node
             last looked at the cancel flag, None: never), devices
* event      job, event (see `pack`); the bytes of a Preview beside it
* seen       job: the running node has looked at the flag and found it set
* done       job, status: the worker is free again
* answer     call, result; or call, error
* tell       event (a name, or a number with bytes beside it), data, sid: a plugin's message to a client, None: to all
* text       node, text, job, sid: a line of text below a node, for a client
* want       call, what, data: a plugin asks the server something (see inside/line.py); answered by "given"
* broken     message: the worker cannot start, and says why before it exits
"""

import json
import struct
from collections.abc import Mapping
from typing import Any

from engine.graph import events
from engine.graph.events import Event, Preview
from engine.workers.plain import AS_THEY_ARE, as_text, plain

HEAD = struct.Struct(">II")
MAX_FRAME = 256 << 20
"""Bytes; more than any prompt or preview. A longer frame means that the other side writes rubbish."""

_KINDS = {
    kind.__name__: kind
    for kind in (
        events.Started,
        events.Cached,
        events.Executing,
        events.Progress,
        events.Preview,
        events.Text,
        events.Executed,
        events.Failed,
        events.Interrupted,
        events.Finished,
    )
}


_ENCODER = json.JSONEncoder(separators=(",", ":"), default=as_text)  # broken surrogates are escaped, and survive


class BadFrame(Exception):
    """The other side wrote something that is no frame."""


def frame(message: Mapping[str, Any], data: bytes = b"") -> bytes:
    """A message as it goes over the pipe. Values JSON does not know become their text."""
    text = _ENCODER.encode(message).encode()
    return b"".join((HEAD.pack(len(text), len(data)), text, data))


def lengths(head: bytes) -> tuple[int, int]:
    """How many bytes of JSON and of data follow these eight. Raises: BadFrame."""
    text, data = HEAD.unpack(head)
    if text + data > MAX_FRAME or text < 2:
        raise BadFrame(f"expected a frame of at most {MAX_FRAME:,} bytes, got {text:,} and {data:,}")
    return text, data


def parse(text: bytes) -> dict[str, Any]:
    """The JSON of a frame. Raises: BadFrame."""
    try:
        message = json.loads(text.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise BadFrame(f"expected a message in JSON, got {text[:80]!r}") from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise BadFrame(f"expected an object with a type, got {text[:80]!r}")
    return message


def pack(event: Event) -> tuple[dict[str, Any], bytes]:
    """An event as values that strict JSON knows, its class under "kind", and the bytes of a Preview."""
    data = bytes(event.data) if isinstance(event, Preview) else b""
    packed: dict[str, Any] = {"kind": type(event).__name__}
    for name in type(event).__match_args__:  # the fields, in their order
        if name != "data":  # only a Preview has that
            value = getattr(event, name)
            packed[name] = value if type(value) in AS_THEY_ARE else plain(value)
    return packed, data


def unpack(packed: Mapping[str, Any], data: bytes = b"") -> Event:
    """The event again. Raises: BadFrame."""
    values = {name: value for name, value in packed.items() if name != "kind"}
    try:
        kind = _KINDS[packed["kind"]]
        event: Event = kind(**values, data=data) if kind is Preview else kind(**values)
    except (KeyError, TypeError) as error:
        raise BadFrame(f"expected an event, got {str(packed)[:80]}") from error
    return event
