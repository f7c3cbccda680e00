"""Keeping files where disks refuse, are full, or are two."""

import errno
import os
import tempfile
from pathlib import Path

import pytest

from engine.errors import PathError
from server.files.user_files import keep, readable_errors, without_paths
from server.requests.refusal import Refused


@pytest.mark.parametrize(
    ("error", "status", "word"),
    [
        (OSError(errno.ENOSPC, "x"), 507, "full"),
        (OSError(errno.EROFS, "x"), 500, "Read-only"),
        (NotADirectoryError(errno.ENOTDIR, "x"), 400, "folder"),
    ],
)
def test_what_the_disk_refuses_is_said(tmp_path, error, status, word):
    with pytest.raises(Refused, match=word) as refused, readable_errors(tmp_path):
        raise error
    assert refused.value.status == status


def test_a_file_may_come_from_another_disk(tmp_path):
    shm = Path("/dev/shm")
    if not shm.is_dir() or shm.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is one disk only")
    with tempfile.TemporaryDirectory(dir=shm) as other:
        for data, name in ((b"1", "a.png"), (b"2", "a (1).png"), (b"1", "a.png")):
            whole = Path(other, "whole")
            whole.write_bytes(data)
            assert keep(whole, tmp_path / "new", "a.png") == name
        assert keep(whole, tmp_path / "new", "a.png", overwrite=True) == "a.png"
    assert sorted(os.listdir(tmp_path / "new")) == ["a (1).png", "a.png"]


def test_a_folder_of_that_name_is_not_replaced(tmp_path):
    (tmp_path / "a.png").mkdir()
    whole = tmp_path / "whole"
    whole.write_bytes(b"1")
    assert keep(whole, tmp_path, "a.png", overwrite=True) == "a (1).png"


def test_a_reader_never_sees_half_a_file(tmp_path):
    whole = tmp_path / "whole"
    whole.write_bytes(b"1" * 1000)
    keep(whole, tmp_path, "a.png")
    assert (tmp_path / "a.png").stat().st_ino == whole.stat().st_ino


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_refusal_names_a_folder_and_not_where_it_is(tmp_path, count):
    places = [tmp_path / str(n) for n in range(count)]
    error = PathError(f"no file 'x' in {', '.join(map(str, places)) or 'any folder'}; put it there")
    expected = "the loras folder" if places else "any folder"
    assert without_paths(error, "loras", *places) == f"no file 'x' in {expected}; put it there"
