import asyncio
import sqlite3
from pathlib import Path

import pytest

from engine.errors import PathError
from server.jobs import schema
from server.jobs.store import Jobs, Retention
from tests.server.jobs.opened import ids, new, opened

FIRST = ("CREATE TABLE hat (colour TEXT NOT NULL)",)
SECOND = ("ALTER TABLE hat ADD COLUMN size INTEGER NOT NULL DEFAULT 0", "UPDATE hat SET size = length(colour)")


def test_a_file_of_an_older_version_is_brought_up_to_date(tmp_path: Path) -> None:
    file = tmp_path / "jobs.sqlite"
    connection = schema.open_to_write(file, [FIRST])
    connection.execute("INSERT INTO hat VALUES ('red')")
    connection.close()
    connection = schema.open_to_write(file, [FIRST, SECOND])
    assert connection.execute("SELECT * FROM hat").fetchall() == [("red", 3)]
    assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    connection.close()


def test_a_step_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "jobs.sqlite"
    schema.open_to_write(file, [FIRST]).close()
    with pytest.raises(PathError, match="no such table"):
        schema.open_to_write(file, [FIRST, (*SECOND, "UPDATE coat SET size = 1")])
    connection = schema.open_to_write(file, [FIRST])
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    assert [row[1] for row in connection.execute("PRAGMA table_info(hat)")] == ["colour"]
    connection.close()


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    schema.open_to_write(tmp_path / "jobs.sqlite", [*schema.MIGRATIONS, FIRST]).close()
    with pytest.raises(PathError, match="newer Latentwire"):
        Jobs(tmp_path / "jobs.sqlite", Retention()).open()


def test_the_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "jobs.sqlite"
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE recipe (name TEXT)")
    connection.close()
    before = file.read_bytes()
    with pytest.raises(PathError, match="another program"):
        Jobs(file, Retention()).open()
    assert file.read_bytes() == before


def test_a_file_that_is_no_database_is_named_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "jobs.sqlite"
    file.write_bytes(b"dear diary" * 1000)
    with pytest.raises(PathError, match="move it away"):
        Jobs(file, Retention()).open()
    assert file.read_bytes() == b"dear diary" * 1000


def test_a_damaged_file_is_named_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "jobs.sqlite"

    async def fill() -> None:
        async with opened(tmp_path) as jobs:
            for i in range(50):
                await jobs.submit(new(str(i)))

    asyncio.run(fill())
    damaged = file.read_bytes()[:4096] + b"\xff" * (len(file.read_bytes()) - 4096)
    file.write_bytes(damaged)
    with pytest.raises(PathError, match="damaged"):
        Jobs(file, Retention()).open()
    assert file.read_bytes() == damaged


def test_after_a_refusal_the_file_can_be_opened_by_the_next(tmp_path: Path) -> None:
    file = tmp_path / "jobs.sqlite"
    file.write_bytes(b"dear diary" * 1000)
    with pytest.raises(PathError):
        Jobs(file, Retention()).open()
    file.unlink()

    async def use() -> None:
        async with opened(tmp_path) as jobs:
            await jobs.submit(new("a"))
            assert ids(jobs.waiting()) == ["a"]

    asyncio.run(use())


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "user").write_text("a file where the folder should be")
    with pytest.raises(PathError, match=r"user.*jobs\.sqlite"):
        Jobs(tmp_path / "user" / "jobs.sqlite", Retention()).open()


def test_what_is_written_is_on_the_disk_at_once(tmp_path: Path) -> None:
    connection = schema.open_to_write(tmp_path / "jobs.sqlite")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    connection.close()
