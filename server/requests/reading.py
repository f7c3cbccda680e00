"""The bytes of a request as they come: counted, and waited for as long as their sender keeps sending."""

import asyncio
import time
from collections.abc import Callable

from aiohttp import ClientError, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from server.requests.refusal import Refused
from server.requests.unpacking import Damaged, Unpacking

PATIENCE = 30.0  # seconds without a byte, after which a client is taken for gone
SLOWEST = 50_000  # bytes per second after that; whoever trickles holds memory that others wait for

HURRY = 2.0  # the same two while others wait for the memory
PACE = 500_000

_LOOK = 0.5  # seconds after which it is seen anew whether others wait


def nobody_waits() -> bool:
    """Of who reads into memory that is nobody else's."""
    return False


class Reading:
    """The body of one request; a compressed one is counted as it becomes.

    Every method raises Refused: 413 when it is longer than the limit (no more of it is kept), 408 when the client stops
    sending or trickles, 400 when it is not as its headers say.
    """

    def __init__(self, request: web.Request, limit: int, *, patience: float = PATIENCE) -> None:
        if (request.content_length or 0) > limit:
            raise _too_large(limit)
        self._request, self._limit, self._patience = request, limit, patience
        self._parts: list[bytes] = []
        self._size = self._packed_size = 0
        self._unpacking: Unpacking | None = None
        self._has_ended = False

    @property
    def most(self) -> int:
        """How many bytes it may become, as far as it says."""
        length = self._request.content_length
        return self._limit if length is None or hdrs.CONTENT_ENCODING in self._request.headers else length

    async def is_within(self, size: int) -> bool:
        """Reads until the body has ended, or is longer than that. Returns: whether it has ended."""
        await self._until(size, nobody_waits)
        return self._has_ended

    async def whole(self, do_others_wait: Callable[[], bool] = nobody_waits) -> bytes:
        """All of the body. While others wait the sender has to hurry."""
        await self._until(self._limit, do_others_wait)
        return b"".join(self._parts)

    async def _until(self, size: int, do_others_wait: Callable[[], bool]) -> None:
        try:
            await self._read(size, do_others_wait)
        except (web.RequestPayloadError, HttpProcessingError, ClientError, Damaged) as error:
            # aiohttp would read on, meet the same error, and log it as a mistake of ours.
            self._request.content.feed_eof()
            raise Refused(400, _damaged(self._request, error), headers={hdrs.CONNECTION: "close"}) from error

    async def _read(self, size: int, do_others_wait: Callable[[], bool]) -> None:
        came, silence, waited = 0, 0.0, 0.0
        while not self._has_ended and self._size <= size:
            part, seconds = await self._look()
            waited += seconds
            silence = silence + seconds if part is None else 0.0
            came += len(part or b"")
            if part is not None:
                self._keep(part)
            is_urgent = do_others_wait()
            patience = min(HURRY, self._patience) if is_urgent else self._patience
            if not self._has_ended and (
                silence >= patience or waited > patience + came / (PACE if is_urgent else SLOWEST)
            ):
                raise _too_slow(patience, is_urgent)

    async def _look(self) -> tuple[bytes | None, float]:
        """What came, b"" at the end, None where nothing did for a while; and how long the client let us wait.

        The server's own pauses do not count: after one, what came meanwhile is read at once.
        """
        longest = min(_LOOK, self._patience)
        begun = time.monotonic()
        part = None
        try:
            async with asyncio.timeout(longest):
                part = await self._request.content.readany()
        except TimeoutError:
            pass
        return part, min(time.monotonic() - begun, longest)

    def _keep(self, part: bytes) -> None:
        self._has_ended = not part
        if self._is_packed():
            part = self._unpacked(part)
        self._size += len(part)
        if self._size > self._limit:
            raise _too_large(self._limit)
        self._parts.append(part)

    def _is_packed(self) -> bool:
        """Whether it is compressed and aiohttp leaves that to us, as serve.py tells it to: it looks for no end."""
        encoding = self._request.headers.get(hdrs.CONTENT_ENCODING, "identity").strip().lower()
        # A request without a body has a reader of another kind, which counts nothing.
        counted = getattr(self._request.content, "total_compressed_bytes", None)
        return encoding not in ("", "identity") and counted is None

    def _unpacked(self, part: bytes) -> bytes:
        if self._unpacking is None:
            self._unpacking = Unpacking(self._request.headers[hdrs.CONTENT_ENCODING])
        if not part:
            if self._packed_size:  # nothing at all is an empty body, and no stream that was cut short
                self._unpacking.end()
            return b""
        self._packed_size += len(part)
        if self._packed_size > self._limit:
            raise _too_large(self._limit)
        return self._unpacking.unpack(part, self._limit - self._size)


def _too_large(limit: int) -> Refused:
    return Refused(413, f"the body is larger than {limit:,} bytes, which is the most that is accepted here")


def _too_slow(patience: float, is_urgent: bool) -> Refused:
    others = " while others wait" if is_urgent else ""
    return Refused(
        408, f"the body did not come in time; send it again, {patience:g} s without a byte are too long{others}"
    )


def _damaged(request: web.Request, error: Exception) -> str:
    encoding = request.headers.get(hdrs.CONTENT_ENCODING)
    if encoding:
        return f"the body cannot be unpacked as Content-Encoding {encoding!r:.40} says; send it uncompressed"
    return f"the body is not as its headers say: {error}"
