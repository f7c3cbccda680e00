"""engine.saving: counters that never collide, files that are whole, errors a person can read."""

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import pytest

import engine.saving
from engine.errors import PathError
from engine.saving import check_prefix, fill_in, save_numbered, saved_before


def writing(content: bytes) -> Callable[[BinaryIO], None]:
    def write(file: BinaryIO) -> None:
        file.write(content)

    return write


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.rglob("*") if each.is_file())


def test_the_first_file_is_number_one_and_the_next_follows_the_highest(tmp_path: Path) -> None:
    first = save_numbered(tmp_path / "new", "ComfyUI", "png", writing(b"1"))
    assert (first.filename, first.subfolder, first.counter) == ("ComfyUI_00001_.png", "", 1)
    for other in ("ComfyUI_00041_.webp", "ComfyUI_x_.png", "ComfyUI_00099.png", "Other_00100_.png"):
        (tmp_path / "new" / other).touch()
    assert save_numbered(tmp_path / "new", "ComfyUI", ".png", writing(b"2")).filename == "ComfyUI_00042_.png"
    assert first.path.read_bytes() == b"1"


def test_the_folder_part_of_the_prefix_is_a_sub_folder(tmp_path: Path) -> None:
    saved = save_numbered(tmp_path, "a/b/cat", "png", writing(b""))
    assert (saved.subfolder, saved.filename) == (os.path.join("a", "b"), "cat_00001_.png")
    assert saved.path == tmp_path / "a/b/cat_00001_.png"
    assert save_numbered(tmp_path, "a/b/", "png", writing(b"")).filename == "_00001_.png"


def test_size_time_and_batch_words_are_filled_in(tmp_path: Path) -> None:
    now = time.struct_time((2024, 3, 5, 7, 8, 9, 0, 0, 0))
    words = "%width%x%height% %year%-%month%-%day% %hour%.%minute%.%second% %else% %batch_num%"
    assert fill_in(words, width=512, height=768, now=now) == "512x768 2024-03-05 07.08.09 %else% %batch_num%"
    assert save_numbered(tmp_path, "%width%_%batch_num%", "png", writing(b""), width=64).filename == "64_0_00001_.png"


def test_one_counter_serves_a_batch_whose_names_hold_the_batch_index(tmp_path: Path) -> None:
    def save_batch() -> list[str]:
        return [save_numbered(tmp_path, "i%batch_num%", "png", writing(b""), batch_index=k).filename for k in range(2)]

    assert save_batch() == ["i0_00001_.png", "i1_00002_.png"]
    assert save_batch() == ["i0_00003_.png", "i1_00004_.png"]


@pytest.mark.parametrize("prefix", ["../cat", "a/../../cat", "/tmp/cat", "C:\\cat", "..\\cat", "cat\0", "\ud800", ".."])
def test_a_prefix_cannot_lead_out_of_the_root(tmp_path: Path, prefix: str) -> None:
    root = tmp_path / "root"
    with pytest.raises(PathError, match="Saving image outside the output folder is not allowed"):
        save_numbered(root, prefix, "png", writing(b"x"))
    assert names(tmp_path) == []


def test_a_sub_folder_that_links_out_of_the_root_is_refused(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "link").symlink_to(outside)
    with pytest.raises(PathError, match="outside the output folder"):
        save_numbered(root, "link/cat", "png", writing(b"x"))
    assert names(tmp_path) == []


def test_a_root_that_is_a_link_itself_is_fine(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "real")
    assert save_numbered(tmp_path / "root", "s/cat", "png", writing(b"x")).subfolder == "s"


def test_threads_never_share_a_number(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        saved = list(pool.map(lambda n: save_numbered(tmp_path, "t", "png", writing(b"%d" % n)), range(64)))
    assert len({each.filename for each in saved}) == 64
    assert {each.path.read_bytes() for each in saved} == {b"%d" % n for n in range(64)}
    assert sorted(each.counter for each in saved) == list(range(1, 65))


SAVE_MANY = """
import sys
from pathlib import Path
from engine.saving import save_numbered
for n in range(10):
    save_numbered(Path(sys.argv[1]), "p", "png", lambda file: file.write(f"{sys.argv[2]}-{n}".encode()))
"""


def test_processes_never_share_a_number(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SAVE_MANY, str(tmp_path)]
    processes = [subprocess.Popen([*command, str(n)], cwd=Path(engine.saving.__file__).parents[1]) for n in range(4)]
    assert [each.wait(60) for each in processes] == [0, 0, 0, 0]
    contents = {each.read_bytes() for each in tmp_path.iterdir()}
    assert contents == {b"%d-%d" % (process, n) for process in range(4) for n in range(10)}
    assert names(tmp_path) == [f"p_{n:05}_.png" for n in range(1, 41)]


def test_without_hard_links_names_are_still_never_taken_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(engine.saving.os, "link", no_links)
    with ThreadPoolExecutor(8) as pool:
        saved = list(pool.map(lambda n: save_numbered(tmp_path, "t", "png", writing(b"%d" % n)), range(40)))
    assert {each.path.read_bytes() for each in saved} == {b"%d" % n for n in range(40)}
    assert len(names(tmp_path)) == 40


def test_a_file_is_not_seen_under_its_name_before_it_is_whole(tmp_path: Path) -> None:
    def write(file: BinaryIO) -> None:
        file.write(b"half")
        file.flush()
        assert [name for name in names(tmp_path) if name.endswith(".png")] == []

    save_numbered(tmp_path, "cat", "png", write)
    assert names(tmp_path) == ["cat_00001_.png"]


def failing(error: Exception) -> Callable[[BinaryIO], None]:
    def write(file: BinaryIO) -> None:
        file.write(b"half")
        raise error

    return write


def test_a_full_disk_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(PathError, match="the disk is full"):
        save_numbered(tmp_path, "cat", "png", failing(OSError(errno.ENOSPC, "No space left on device")))
    assert names(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_the_error_of_a_disk_that_is_really_full_is_understood(tmp_path: Path) -> None:
    def write(file: BinaryIO) -> None:
        with open("/dev/full", "wb") as full:
            full.write(b"x" * 100_000)

    with pytest.raises(PathError, match="the disk is full"):
        save_numbered(tmp_path, "cat", "png", write)
    assert names(tmp_path) == []


def test_an_encoder_that_gives_no_reason_on_a_full_disk_failed_because_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = OSError("encoder error -2 when writing image file")
    with pytest.raises(OSError, match="encoder error"):
        save_numbered(tmp_path, "cat", "png", failing(silent))
    monkeypatch.setattr(engine.saving, "_free_bytes", lambda _: 0)
    with pytest.raises(PathError, match="the disk is full"):
        save_numbered(tmp_path, "cat", "png", failing(silent))


def test_an_error_of_the_writer_is_passed_on_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mine"):
        save_numbered(tmp_path, "cat", "png", failing(ValueError("mine")))
    assert names(tmp_path) == []


@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PathError, match="cannot be written to"):
            save_numbered(tmp_path, "cat", "png", writing(b""))
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("prefix", ["file/cat", "file/deeper/cat"])
def test_a_file_in_the_folders_place_is_said_whoever_asks(tmp_path: Path, prefix: str) -> None:
    (tmp_path / "file").write_bytes(b"I am no folder")
    with pytest.raises(PathError, match="cannot be written to"):
        save_numbered(tmp_path, prefix, "png", writing(b""))
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        ("x" * 300, "too long"),
        ("x" * 250, "too long"),
        ("猫" * 90, "too long"),
        ("a/" * 2000 + "x", "too long"),
        ("a/" * 40 + "x", "32 folders"),
        ("a\nb", "control character"),
        ("a\x7fb", "control character"),
        ({"a": 1}, "expected a text"),
    ],
)
def test_a_prefix_no_file_can_have_is_refused_before_anything_is_written(
    tmp_path: Path, prefix: Any, said: str
) -> None:
    for call in (check_prefix, lambda *at: save_numbered(*at, "png", writing(b""))):
        with pytest.raises(PathError, match=f"filename_prefix.*{said}"):
            call(tmp_path, prefix)
    assert names(tmp_path) == []


def test_a_prefix_is_as_long_as_what_its_words_become(tmp_path: Path) -> None:
    assert save_numbered(tmp_path, "x" * 240 + "%year%", "png", writing(b"")).path.is_file()


def test_a_read_only_place_is_said() -> None:
    with pytest.raises(PathError, match=r"cannot be written to|not allowed"):
        save_numbered(Path("/proc/latentwire"), "cat", "png", writing(b""))


def test_a_saved_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    saved = save_numbered(tmp_path, "cat", "png", writing(b""))
    assert saved.path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_what_was_saved_before_comes_newest_first_and_only_of_this_prefix(tmp_path: Path) -> None:
    saved = [save_numbered(tmp_path, "a/cat", "png", writing(b"")) for _ in range(3)]
    for other in ("a/cats", "a/ca", "cat"):
        save_numbered(tmp_path, other, "png", writing(b""))
    save_numbered(tmp_path, "a/cat", "webp", writing(b""))
    assert [*saved_before(tmp_path, "a/cat", "png")] == saved[::-1]
    assert [*saved_before(tmp_path, "none/cat", ".png")] == []
    os.utime(saved[0].path, (time.time() + 9, time.time() + 9))
    assert next(saved_before(tmp_path, "a/cat", "png")) == saved[0]


def test_what_was_saved_before_is_found_whatever_the_time_was(tmp_path: Path) -> None:
    (tmp_path / "1999 12" / "x").mkdir(parents=True)
    (tmp_path / "1999 12" / "x" / "64 h07 b3_00012_.png").touch()
    (tmp_path / "1999 ab" / "x").mkdir(parents=True)
    (tmp_path / "1999 ab" / "x" / "64 h07 b3_00012_.png").touch()
    (found,) = saved_before(tmp_path, "%year% %month%/x/%width% h%hour% b%batch_num%", "png", width=64)
    assert (found.subfolder, found.filename, found.counter) == (
        os.path.join("1999 12", "x"),
        "64 h07 b3_00012_.png",
        12,
    )


def test_what_was_saved_before_is_never_outside_the_root(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "2000").mkdir()
    (tmp_path / "2000" / "cat_00001_.png").touch()
    (tmp_path / "root" / "2000").symlink_to(tmp_path / "2000")
    for prefix in ("2000/cat", "%year%/cat"):
        assert [*saved_before(tmp_path / "root", prefix, "png")] == []
    with pytest.raises(PathError, match="outside the output folder"):
        next(saved_before(tmp_path / "root", "../2000/cat", "png"))
