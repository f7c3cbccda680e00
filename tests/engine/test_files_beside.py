"""engine.files_beside: what lies beside a workflow gets to the input folder, and nothing else does."""

import os
from pathlib import Path
from typing import Annotated

import pytest

from engine import files_beside
from engine.folders import Folders
from engine.graph.define import Files, node, node_type
from engine.graph.registry import Registry


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    @node("Load", category="test")
    def load(*, image: Annotated[str, Files("input")], model: Annotated[str, Files("checkpoints")]) -> str:
        """Loads."""
        return image + model

    return Registry([node_type(load, {Folders: Folders(tmp_path)})])


def loading(*names: object) -> dict[str, object]:
    return {str(i): {"class_type": "Load", "inputs": {"image": each, "model": "m"}} for i, each in enumerate(names)}


def test_files_of_the_input_folder_are_named_and_models_are_not(registry: Registry) -> None:
    prompt = loading("a.png", "b.png [input]", ["0", 0])
    assert files_beside.named(prompt, registry) == {"a.png", "b.png"}
    assert files_beside.named({"1": {"class_type": "Other", "inputs": {"image": "a.png"}}, "2": 3}, registry) == set()


@pytest.mark.parametrize(
    "name",
    [
        *("", "..", "../a.png", "sub/a.png", "sub\\a.png", "/etc/passwd", "C:a.png", "a\0.png", "a.png [output]", 7),
        *("a" * 5_000 + ".png", "\ud800.png"),
    ],
)
def test_a_name_that_leads_elsewhere_is_none_of_them(name: object, registry: Registry, tmp_path: Path) -> None:
    workflow = tmp_path / "here" / "w.json"
    (workflow.parent / "sub").mkdir(parents=True)
    for each in (tmp_path / "a.png", workflow.parent / "sub" / "a.png", workflow.parent / "a.png [output]"):
        each.write_bytes(b"secret")
    files_beside.lay_out_beside(workflow, loading(name), registry, tmp_path / "input")
    assert not (tmp_path / "input").exists()


def test_a_missing_file_is_copied_and_one_that_is_there_stays(registry: Registry, tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / name).write_bytes(b"beside")
    (tmp_path / "input").mkdir()
    (tmp_path / "input/b.png").write_bytes(b"mine")
    files_beside.lay_out_beside(tmp_path / "w.json", loading("a.png", "b.png", "gone"), registry, tmp_path / "input")
    found = {each.name: each.read_bytes() for each in (tmp_path / "input").iterdir()}
    assert found == {"a.png": b"beside", "b.png": b"mine"}


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_beside_a_workflow_is_not_followed(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"key")
    (tmp_path / "here").mkdir()
    (tmp_path / "here/a.png").symlink_to(tmp_path / "secret")
    files_beside.lay_out_beside(tmp_path / "here/w.json", loading("a.png"), registry, tmp_path / "input")
    assert not (tmp_path / "input").exists()


def test_an_input_folder_that_cannot_be_is_told_in_the_log(
    registry: Registry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.png").write_bytes(b"beside")
    (tmp_path / "input").write_text("a file")
    files_beside.lay_out_beside(tmp_path / "w.json", loading("a.png"), registry, tmp_path / "input")
    assert "a.png: cannot be put into the input folder" in caplog.text
