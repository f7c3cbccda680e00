"""Art is matched to subjects by code point where a set knows them, and by name where it does not."""

import base64
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from engine.training.iconsets import ICON_SETS, IconSet, drawings, slug, subject_of
from engine.training.packages import Package, Packages

RED = '<rect width="8" height="16" fill="#f00"/>'
SET = IconSet("toy", "@iconify-json/toy", ("toy style",))
NAMES = {"1F34E": "red apple", "2764": "red heart", "1F449": "backhand index pointing right"}


def packages_with(folder: Path, characters: dict[str, str]) -> Packages:
    icons = {
        "width": 16,
        "height": 16,
        "icons": {"red-apple": {"body": RED}, "redheart": {"body": RED}, "pointing-left": {"body": RED}},
        "aliases": {"backhand-index-pointing-right": {"parent": "pointing-left", "hFlip": True}},
    }
    path = folder / "toy.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in (("icons.json", icons), ("chars.json", characters)):
            packed = json.dumps(content).encode()
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(packed)
            archive.addfile(member, io.BytesIO(packed))
    digest = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    return Packages(folder, (Package("@iconify-json/toy", "1", "MIT", path.name, f"sha512-{digest}"),))


def test_code_points_find_their_icon(tmp_path: Path) -> None:
    packages = packages_with(tmp_path, {"1f34e": "red-apple", "2764-fe0f": "redheart"})
    found = dict(drawings(packages, SET, frozenset(NAMES), NAMES, 16))
    assert set(found) == {"1F34E", "2764"}


def test_names_find_their_icon_where_there_are_no_code_points(tmp_path: Path) -> None:
    found = dict(drawings(packages_with(tmp_path, {}), SET, frozenset(NAMES), NAMES, 16))
    assert set(found) == set(NAMES)


def test_a_flipped_alias_is_drawn_flipped(tmp_path: Path) -> None:
    found = dict(drawings(packages_with(tmp_path, {}), SET, frozenset(NAMES), NAMES, 16))
    plain, flipped = found["1F34E"], found["1F449"]
    assert plain.getpixel((2, 16))[3] == 255
    assert plain.getpixel((30, 16))[3] == 0
    assert flipped.getpixel((30, 16))[3] == 255


@pytest.mark.parametrize(("code", "subject"), [("2764-fe0f", "2764"), ("1f408-200d-2b1b", "1F408-200D-2B1B")])
def test_variation_selectors_do_not_make_another_subject(code: str, subject: str) -> None:
    assert subject_of(code) == subject


def test_names_are_spelled_as_the_sets_spell_them() -> None:
    assert slug("Woman’s hat") == "womans-hat"
    assert slug("globe showing Europe-Africa") == "globe-showing-europe-africa"


def test_two_styles_are_held_out_and_seven_are_taught() -> None:
    assert [sum(found.is_held_out is held for found in ICON_SETS) for held in (False, True)] == [7, 2]
