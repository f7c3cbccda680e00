"""Only a package that is byte for byte the one of the lock is opened."""

import base64
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from engine.errors import TrainingError
from engine.training.packages import Package, Packages, check, read_lock


def packed(folder: Path, files: dict[str, bytes]) -> Package:
    """A small package on disk, and its line of the lock."""
    path = folder / "toy-1.0.0.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    digest = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    return Package("toy", "1.0.0", "MIT", path.name, f"sha512-{digest}")


def test_files_of_a_package_are_read_once_the_hash_is_right(tmp_path: Path) -> None:
    package = packed(tmp_path, {"a.json": json.dumps({"x": 1}).encode(), "b.txt": b"text"})
    packages = Packages(tmp_path, (package,))
    assert packages.json("toy", "a.json") == {"x": 1}
    assert list(packages.files("toy", ".txt")) == [("b.txt", b"text")]


def test_a_package_with_one_changed_byte_is_refused(tmp_path: Path) -> None:
    package = packed(tmp_path, {"a.json": b"{}"})
    path = tmp_path / package.file
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(TrainingError, match=r"expected sha512-.*, found sha512-"):
        check(path, package)
    with pytest.raises(TrainingError, match="delete the file"):
        Packages(tmp_path, (package,)).json("toy", "a.json")


def test_a_missing_file_and_an_unknown_package_are_named(tmp_path: Path) -> None:
    packages = Packages(tmp_path, (packed(tmp_path, {"a.json": b"{}"}),))
    with pytest.raises(TrainingError, match=r"expected a file icons\.json inside"):
        packages.json("toy", "icons.json")
    with pytest.raises(TrainingError, match="other: not in the lock"):
        packages.path("other")


def test_the_lock_pins_every_package_with_a_sha512() -> None:
    lock = read_lock()
    assert len(lock) == 12
    assert all(package.integrity.startswith("sha512-") and package.license for package in lock)
