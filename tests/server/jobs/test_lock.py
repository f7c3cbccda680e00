import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import PathError
from server.jobs.lock import Lock

ROOT = Path(__file__).resolve().parents[3]
HOLD = """
import sys, time
from pathlib import Path
from server.jobs.lock import Lock
lock = Lock(Path(sys.argv[1]))
lock.take()
print("taken", flush=True)
time.sleep(600)
"""


def test_a_second_one_is_told_who_has_it(tmp_path: Path) -> None:
    first, second = Lock(tmp_path / "jobs.sqlite"), Lock(tmp_path / "jobs.sqlite")
    first.take()
    with pytest.raises(PathError, match=rf"process {os.getpid()}\) has the jobs open"):
        second.take()
    first.release()
    second.take()
    second.release()
    second.release()


def test_a_process_that_is_killed_gives_it_back(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path / "jobs.sqlite")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"taken\n"
        lock = Lock(tmp_path / "jobs.sqlite")
        with pytest.raises(PathError, match=f"process {holder.pid}"):
            lock.take()
        holder.kill()
        holder.wait()
        lock.take()
        lock.release()


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(PathError, match="cannot be written"):
        Lock(tmp_path / "missing" / "jobs.sqlite").take()
