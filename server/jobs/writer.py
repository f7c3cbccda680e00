"""The one who writes: a thread with one connection, and one transaction for all that arrives while the disk syncs."""

import queue
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

from server.jobs.refusals import NO_SPACE, UNAVAILABLE, NotStored
from server.jobs.schema import transaction
from server.jobs.writes import Write, store

MOST = 512
"""Operations in one transaction; more would only make the first of them wait."""

FOR_ALL = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOMEM,
    }
)
"""What no operation is to blame for; the others would meet it too, each after a wait of its own."""


class Writer:
    """Does operations in the order they are put, and answers each once it is safe on the disk."""

    def __init__(self, connection: sqlite3.Connection, file: Path) -> None:
        self._connection, self._file = connection, file
        self._writes: queue.SimpleQueue[Write | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="jobs-writer", daemon=True)
        self._is_stopped = False

    def start(self) -> None:
        """Begins to write."""
        self._thread.start()

    def put(self, write: Write) -> None:
        """Takes an operation. Called on the event loop; the answer comes there too."""
        if self._is_stopped:
            write.error = NotStored(f"{self._file}: the jobs are closed, because the server is stopping; try again")
            _answer([write])
        else:
            self._writes.put(write)

    def stop(self, within: float) -> bool:
        """Ends when all that was put is done, or refused by a disk that takes nothing. Blocks; for a thread.

        Returns: whether it has ended within so many seconds; otherwise it still has the connection.
        """
        if not self._is_stopped:
            self._is_stopped = True
            self._writes.put(None)
        self._thread.join(within)
        return not self._thread.is_alive()

    def _work(self) -> None:
        is_last, refusal = False, None
        while not is_last:
            group, is_last = self._gather()
            if refusal is not None and self._is_stopped:
                self._refuse(group, refusal)  # no time to ask once more
            else:
                refusal = self._commit(group)
            if group:
                _hand_back(group)

    def _gather(self) -> tuple[list[Write], bool]:
        """Waits for an operation and takes those that have come since with it. Returns: them, and whether to end."""
        group: list[Write] = []
        write = self._writes.get()
        while write is not None:
            group.append(write)
            if len(group) == MOST:
                return group, False
            try:
                write = self._writes.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _commit(self, group: Sequence[Write]) -> Exception | None:
        """Returns: an error that what comes next would meet too."""
        if all(write.is_empty for write in group):
            return None
        try:
            with transaction(self._connection):
                store(self._connection, group)
        except Exception as error:  # noqa: BLE001 -- the thread must outlive whatever an operation does to it
            is_for_all = _is_for_all(error)
            if len(group) > 1 and not is_for_all:
                return self._commit_each(group)
            self._refuse(group, error)
            return error if is_for_all else None
        return None

    def _commit_each(self, group: Sequence[Write]) -> Exception | None:
        """Nothing of the group is stored; alone, only the one that is to blame fails."""
        for position, write in enumerate(group):
            error = self._commit([write])
            if error is not None:
                self._refuse(group[position + 1 :], error)
                return error
        return None

    def _refuse(self, group: Sequence[Write], error: Exception) -> None:
        for write in group:
            if not write.is_empty:
                write.error = self._explain(error)

    def _explain(self, error: Exception) -> Exception:
        if not isinstance(error, sqlite3.Error | ValueError | OverflowError):
            return error
        is_full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        reason = "free some space and try again" if is_full else "see that the disk works, and try again"
        refusal = NotStored(
            f"{self._file}: cannot be written ({error}); {reason}", status=NO_SPACE if is_full else UNAVAILABLE
        )
        refusal.__cause__ = error
        return refusal


def _is_for_all(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in FOR_ALL  # the rest of the code only says more


def _hand_back(group: list[Write]) -> None:
    loop = group[0].waiters[0].get_loop()
    try:
        loop.call_soon_threadsafe(_answer, group)
    except RuntimeError:  # the loop has ended, and with it all who waited
        return


def _answer(group: Sequence[Write]) -> None:
    for write in group:
        if write.settle is not None:
            write.settle(write)
        for future in write.waiters:
            if future.done():  # whoever waited has gone away
                continue
            if write.error is not None:
                future.set_exception(write.error)
            else:
                future.set_result(write.result)
