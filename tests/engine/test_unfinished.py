"""What killed writers leave behind is tidied up; what somebody is busy with is not."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import BinaryIO

import pytest

import engine.unfinished
from engine.saving import save_numbered
from engine.unfinished import TOO_OLD, remove_abandoned, unfinished

KILLED = """
import os, sys
from pathlib import Path
from engine.unfinished import unfinished
def write(file):
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), 9)
with unfinished(Path(sys.argv[1]), write):
    pass
"""


def nothing(file: BinaryIO) -> None:
    """Writes nothing."""


def parts(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir() if each.suffix == ".part"]


def test_it_is_gone_afterwards_whatever_happens(tmp_path: Path) -> None:
    with unfinished(tmp_path, lambda file: file.write(b"all")) as path:
        assert path.read_bytes() == b"all"
    with pytest.raises(ZeroDivisionError), unfinished(tmp_path, lambda file: 1 // 0):  # type: ignore[arg-type]
        pass
    assert parts(tmp_path) == []


@pytest.mark.skipif(os.name != "posix", reason="kills itself by a signal")
def test_what_a_killed_writer_left_goes_when_somebody_saves_there(tmp_path: Path) -> None:
    home = Path(engine.unfinished.__file__).parents[1]
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=home, check=False)
    assert len(parts(tmp_path)) == 1
    save_numbered(tmp_path, "cat", "png", nothing)
    assert [each.name for each in tmp_path.iterdir()] == ["cat_00001_.png"]


def test_what_somebody_is_busy_with_stays_and_so_do_files_that_are_none_of_ours(tmp_path: Path) -> None:
    (tmp_path / ".notes.part").touch()
    with unfinished(tmp_path, nothing) as mine:
        remove_abandoned(tmp_path, os.listdir(tmp_path))
        assert {each.name for each in tmp_path.iterdir()} == {".notes.part", mine.name}


@pytest.mark.parametrize("name", [".00000000-1-0123456789abcdef.part", ".0123456789abcdef.part"])
def test_what_another_machine_writes_stays_for_a_day(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.touch()
    remove_abandoned(tmp_path, [name, ".0123456789abcde0.part"])
    assert path.exists()
    long_ago = time.time() - TOO_OLD - 10
    os.utime(path, (long_ago, long_ago))
    remove_abandoned(tmp_path, [name])
    assert not path.exists()


def test_a_writer_whose_number_another_process_has_now_is_gone_too(tmp_path: Path) -> None:
    with unfinished(tmp_path, nothing) as mine:
        before_we_began = time.time() - 3600 * 12
        os.utime(mine, (before_we_began, before_we_began))
        remove_abandoned(tmp_path, [mine.name])
        assert not mine.exists()
