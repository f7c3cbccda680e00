"""The file: its tables, version by version, how it is opened, and what is said when it cannot be."""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.errors import PathError

APPLICATION_ID = 0x4C774A62  # "LwJb" in the file's header
BUSY = 5.0  # seconds to wait for another program (a backup, an SQLite shell) that writes to the file

Migration = Sequence[str]
"""The statements that lead from one version to the next."""

# Small rows that change are apart from large ones that never do: a job's state costs a page, not its whole prompt.
# Events lie together by job, so that reading and removing a job's events touches few pages.
# end_order counts the ends: many can be in one millisecond, and clocks go backwards.
# first_event and last_event are bounds of a job's numbers, set where its row changes anyway: when it first starts, and
# when it ends. Without them, whoever wants a client's events of some time had to look at all jobs it ever had.
VERSION_1 = (
    """
    CREATE TABLE job (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        number NUMERIC NOT NULL,
        state TEXT NOT NULL,
        created INTEGER NOT NULL,
        client_id TEXT,
        workflow_id TEXT,
        digest TEXT NOT NULL,
        models TEXT NOT NULL,
        outputs TEXT NOT NULL,
        unvalidated TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        interruptions INTEGER NOT NULL DEFAULT 0,
        started INTEGER,
        ended INTEGER,
        end_order INTEGER,
        first_event INTEGER,
        last_event INTEGER,
        worker TEXT,
        cause TEXT,
        is_listed INTEGER NOT NULL DEFAULT 1
    )
    """,
    "CREATE INDEX job_active ON job (sequence) WHERE end_order IS NULL",
    "CREATE INDEX job_ended ON job (end_order) WHERE end_order IS NOT NULL",
    "CREATE INDEX job_created ON job (created)",
    """
    CREATE INDEX job_client ON job (client_id, first_event, last_event)
    WHERE client_id IS NOT NULL AND first_event IS NOT NULL
    """,
    "CREATE TABLE request (job INTEGER PRIMARY KEY, prompt NOT NULL, extra_data NOT NULL)",
    "CREATE TABLE ending (job INTEGER PRIMARY KEY, error TEXT, messages TEXT NOT NULL, spans TEXT NOT NULL)",
    "CREATE TABLE output (position INTEGER PRIMARY KEY, job INTEGER NOT NULL, data NOT NULL)",
    "CREATE INDEX output_job ON output (job)",
    """
    CREATE TABLE event (
        job INTEGER NOT NULL,
        number INTEGER NOT NULL,
        type TEXT NOT NULL,
        data TEXT NOT NULL,
        time INTEGER NOT NULL,
        PRIMARY KEY (job, number)
    ) WITHOUT ROWID
    """,
    # event: the last number given. thinned: up to which end, in their order, progress has been removed (retention.py).
    "CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    "INSERT INTO counter VALUES ('event', 0), ('thinned', 0)",
)

# What a client sent along for the nodes only: apart from the request, because it goes when the job ends.
VERSION_2 = ("CREATE TABLE secret (job INTEGER PRIMARY KEY, data TEXT NOT NULL)",)

MIGRATIONS: Sequence[Migration] = (VERSION_1, VERSION_2)
"""A file of version n has had the first n of them. Add to the end; never change one that has been released."""


def open_to_write(file: Path, migrations: Sequence[Migration] = MIGRATIONS) -> sqlite3.Connection:
    """The connection of the one who writes, to a file of the newest version. Raises: PathError."""
    with refused(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            file, timeout=BUSY, isolation_level=None, check_same_thread=False, cached_statements=64
        )
        try:
            _prepare(connection, file)
            migrate(connection, file, migrations)
        except BaseException:
            connection.close()
            raise
    return connection


def open_to_read(file: Path) -> sqlite3.Connection:
    """A connection that cannot write, and that whoever writes does not hold up."""
    uri = f"{file.absolute().as_uri()}?mode=ro"
    return sqlite3.connect(uri, uri=True, timeout=BUSY, isolation_level=None, check_same_thread=False)


def _prepare(connection: sqlite3.Connection, file: Path) -> None:
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    is_empty = not connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
    if owner != APPLICATION_ID and not (is_empty and owner == 0):
        raise PathError(f"{file}: expected Latentwire's jobs, got a database of another program; move it away")
    if is_empty:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # has to come before the first page is written
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise PathError(f"{file}: this file system cannot hold a database with a log (WAL); use a local disk")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = FAST")  # what is deleted is overwritten where that costs no page more
    connection.execute("PRAGMA journal_size_limit = 67108864")  # the log shrinks to that after a rush; bytes


def migrate(connection: sqlite3.Connection, file: Path, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Brings the tables up to date: all steps that are missing, or none. Raises: PathError, for a newer file."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(migrations):
        raise PathError(
            f"{file}: was written by a newer Latentwire (version {version} of the tables, this one knows"
            f" {len(migrations)}); update Latentwire, or move the file away to begin with an empty queue"
        )
    if version == len(migrations):
        return
    with transaction(connection):
        for migration in migrations[version:]:
            for statement in migration:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(migrations)}")


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of it is on the disk at the end, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a disk that fails may have ended it already
            connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def refused(file: Path) -> Iterator[None]:
    """Says what is wrong with a file that cannot be opened. Raises: PathError."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise PathError(
            f"{file}: the jobs cannot be opened ({error}); check that the folder can be written and the disk has room"
        ) from error
    except sqlite3.DatabaseError as error:
        raise PathError(
            f"{file}: expected Latentwire's jobs, got a damaged file ({error}). Nothing was changed: put a copy in its"
            f" place, or move it away together with {file.name}-wal and {file.name}-shm to begin with an empty queue"
        ) from error
    except OSError as error:
        raise PathError(f"{file}: the jobs cannot be opened ({error.strerror}); check the folder") from error
