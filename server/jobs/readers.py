"""Those who read: threads with connections of their own, which neither hold up the one who writes nor wait for it."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from server.jobs import rows, schema
from server.jobs.refusals import NotStored

THREADS = 2
"""So that a long history does not hold up the small questions."""

T = TypeVar("T")


class Readers:
    """Answers questions to the file; each sees it as it was at one moment."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="jobs-reader")
        self._own = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._is_closed = self._is_late = False

    async def ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """The answer to a question. Raises: NotStored."""
        if self._is_closed:
            raise self._closed()
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._answer, question)

    def close(self, within: float) -> None:
        """Ends when all questions are answered; after so many seconds those that are left are refused.

        Blocks; for a thread.
        """
        self._is_closed = True
        patience = threading.Timer(within, self._interrupt)
        patience.start()
        self._threads.shutdown()
        patience.cancel()
        patience.join()
        while self._connections:
            self._connections.pop().close()

    def _interrupt(self) -> None:
        self._is_late = True
        for connection in [*self._connections]:
            connection.interrupt()

    def _answer(self, question: Callable[[sqlite3.Connection], T]) -> T:
        if self._is_late:
            raise self._closed()
        try:
            connection = self._connection()
            connection.execute("BEGIN")
            try:
                return question(connection)
            finally:
                connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise NotStored(
                f"{self._file}: cannot be read ({error}); see that the disk works, and try again"
            ) from error

    def _closed(self) -> NotStored:
        return NotStored(f"{self._file}: the jobs are closed, because the server is stopping; try again")

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = schema.open_to_read(self._file)
            connection.create_function("has_texts", 2, rows.has_texts, deterministic=True)
            self._connections.append(connection)
        return connection
