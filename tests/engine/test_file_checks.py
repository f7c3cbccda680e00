"""What is asked about files before a prompt is accepted."""

from pathlib import Path

import pytest

from engine import file_checks
from engine.folders import Folders


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    for name in ("input", "output"):
        (tmp_path / name).mkdir()
    return Folders(tmp_path)


@pytest.mark.parametrize("prefix", ["", "a", "cats/a", "%year%/a", None])
def test_an_honest_prefix_passes(prefix: str | None, folders: Folders) -> None:
    assert file_checks.prefix_stays_inside(prefix, folders) is True


@pytest.mark.parametrize("prefix", ["../a", "/tmp/a", "a\nb", "x" * 300])
def test_a_prefix_no_file_can_have_is_refused_in_words(prefix: str, folders: Folders) -> None:
    answer = file_checks.prefix_stays_inside(prefix, folders)
    assert isinstance(answer, str)
    assert "filename_prefix" in answer


def test_a_file_with_an_annotation_is_found(folders: Folders) -> None:
    (folders.output / "a.png").touch()
    assert file_checks.image_exists("a.png [output]", folders) is True
    assert file_checks.image_exists("a.png", folders) == "Invalid image file: a.png"


def test_a_name_that_comes_over_a_wire_is_not_judged_before_it_is_known(folders: Folders) -> None:
    assert file_checks.image_exists(None, folders) is True


def test_a_check_is_found_again_by_its_name_and_another_function_has_none() -> None:
    for check in (file_checks.image_exists, file_checks.prefix_stays_inside):
        assert file_checks.named(file_checks.name_of(check)) is check
    assert file_checks.name_of(print) == ""
    assert file_checks.named("print") is None
    assert file_checks.named("") is None
