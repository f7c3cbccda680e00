"""Bodies that came compressed: unpacked piece by piece, never more than is accepted, and to their very end."""

import zlib

_ANY_HEADER = 32 + zlib.MAX_WBITS  # gzip's or zlib's, as zlib.h calls it


class Damaged(ValueError):
    """What came is not what was packed."""


class Unpacking:
    """One stream of gzip or deflate."""

    def __init__(self, encoding: str) -> None:
        if encoding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
            raise Damaged
        self._stream = zlib.decompressobj(_ANY_HEADER)

    def unpack(self, part: bytes, most: int) -> bytes:
        """What a part becomes; cut off when that is more than `most`. Raises: Damaged."""
        if self._stream.eof:
            raise Damaged
        try:
            found = self._stream.decompress(part, most + 1)
        except zlib.error as error:
            raise Damaged from error
        if self._stream.unused_data:
            raise Damaged
        return found

    def end(self) -> None:
        """Raises: Damaged, when the stream has not ended: its checksum stands there."""
        if not self._stream.eof:
            raise Damaged
