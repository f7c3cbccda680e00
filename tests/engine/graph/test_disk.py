import os

import pytest

from engine.graph.disk import SUFFIX, Disk


def save(value, path):
    if value is None:
        return False
    path.write_bytes(value)
    return True


def disk_of(folder, budget=1000):
    return Disk(folder, budget, save, lambda path: path.read_bytes())


def test_values_are_written_whole_and_read_back(tmp_path):
    disk = disk_of(tmp_path / "new")
    assert disk.put("a", b"hello")
    assert disk.get("a") == b"hello"
    assert disk.used == 5
    assert [path.suffix for path in (tmp_path / "new").iterdir()] == [SUFFIX]
    with pytest.raises(KeyError):
        disk.get("b")


def test_the_least_recently_used_is_removed_first(tmp_path):
    disk = disk_of(tmp_path, 300)
    for name in "abc":
        disk.put(name, b"x" * 100)
    disk.get("a")
    disk.put("d", b"x" * 100)
    assert [name for name in "abcd" if name in disk] == ["a", "c", "d"]
    assert len([*tmp_path.iterdir()]) == 3


def test_what_cannot_be_written_or_does_not_fit_leaves_nothing_behind(tmp_path):
    disk = disk_of(tmp_path, 300)
    disk.put("a", b"x" * 100)
    assert not disk.put("none", None)
    assert not disk.put("big", b"x" * 301)
    assert "a" in disk
    assert len([*tmp_path.iterdir()]) == 1


def test_a_disk_that_fails_halfway_leaves_no_file(tmp_path):
    def fill(value, path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    disk = Disk(tmp_path, 1000, fill, lambda path: path.read_bytes())
    assert not disk.put("a", b"whole")
    assert [*tmp_path.iterdir()] == []


def test_a_folder_that_cannot_be_made_means_nothing_is_kept(tmp_path):
    (tmp_path / "file").write_text("")
    assert not disk_of(tmp_path / "file" / "sub").put("a", b"x")


def test_earlier_files_are_found_oldest_first_and_trimmed(tmp_path):
    disk = disk_of(tmp_path, 1000)
    for age, name in enumerate("abc"):
        disk.put(name, b"x" * 100)
        (path,) = tmp_path.glob(f"{name}-*")
        os.utime(path, (age, age))
    (tmp_path / "z.1.part").write_bytes(b"half")
    (tmp_path / "notes.txt").write_text("someone else's")
    later = disk_of(tmp_path, 250)
    assert [name for name in "abc" if name in later] == ["b", "c"]
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [SUFFIX, SUFFIX, ".txt"]
