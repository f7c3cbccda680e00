"""Which plugins there are on the disk, and whether they have changed."""

import os
from pathlib import Path

import pytest

from engine.folders import Folders
from engine.plugin_files import find, stamp
from engine.settings import Settings, parse


@pytest.fixture
def base(tmp_path: Path) -> Path:
    nodes = tmp_path / "custom_nodes"
    for name in ("pack/__init__.py", "pack/inner.py", "empty/readme.md", "off.disabled/__init__.py"):
        (nodes / name).parent.mkdir(parents=True, exist_ok=True)
        (nodes / name).write_text("")
    for name in ("single.py", "old.py.disabled", "notes.txt", ".hidden.py"):
        (nodes / name).write_text("")
    (nodes / "__pycache__").mkdir()
    return tmp_path


def found(base: Path, settings: Settings | None = None) -> dict[str, str]:
    return {each.name: each.reason for each in find(Folders(base), settings or Settings())}


def test_packages_and_single_files_are_plugins_and_the_rest_is_not(base: Path) -> None:
    assert found(base) == {
        "empty": "it is a folder without __init__.py",
        "off.disabled": "its name ends in .disabled",
        "old.py.disabled": "its name ends in .disabled",
        "pack": "",
        "single.py": "",
    }


def test_all_may_be_left_out_but_some(base: Path) -> None:
    settings = parse(["--disable-all-custom-nodes", "--whitelist-custom-nodes", "single", "other"])
    kept = [name for name, reason in found(base, settings).items() if not reason]
    assert kept == ["single.py"]
    assert Settings.from_json(settings.to_json()) == settings


def test_more_folders_may_hold_plugins(base: Path, tmp_path: Path) -> None:
    more = tmp_path / "more"
    more.mkdir()
    (more / "third.py").write_text("")
    config = tmp_path / "paths.yaml"
    config.write_text(f"x:\n  custom_nodes: {more}\n")
    folders = Folders(base, extra=[config])
    assert [each.title for each in find(folders, Settings()) if not each.reason] == ["pack", "single", "third"]


def test_no_folder_means_no_plugins(tmp_path: Path) -> None:
    assert found(tmp_path) == {}


def test_a_stamp_changes_with_the_code_and_not_with_pictures(base: Path) -> None:
    pack = base / "custom_nodes" / "pack"
    before = stamp(pack)
    (pack / "picture.png").write_bytes(b"x")
    (pack / "__pycache__").mkdir()
    (pack / "__pycache__" / "inner.cpython-311.pyc").write_bytes(b"x")
    assert stamp(pack) == before
    (pack / "inner.py").write_text("x = 1")
    changed = stamp(pack)
    assert changed != before
    os.utime(pack / "inner.py", ns=(1, 1))
    assert stamp(pack) not in (before, changed)
