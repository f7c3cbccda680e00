"""The workflows that ship run, and their editor files say the same."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.settings import Settings
from latentwire import Engine

WORKFLOWS = Path(__file__).resolve().parent.parent / "workflows"
API = sorted(path for path in WORKFLOWS.glob("*.json") if not path.name.endswith(".editor.json"))


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(Settings(input_directory=WORKFLOWS))  # where the pictures are that they load


@pytest.mark.parametrize("path", API, ids=lambda path: path.stem)
def test_a_shipped_workflow_has_no_problem(path: Path, engine: Engine) -> None:
    checked = engine.load(path).check()
    assert not checked.problems, checked.report()
    assert checked.outputs


@pytest.mark.parametrize("path", API, ids=lambda path: path.stem)
def test_its_editor_file_is_the_same_graph(path: Path, engine: Engine) -> None:
    def bare(prompt: Any) -> dict[str, Any]:
        return {node_id: (node["class_type"], node["inputs"]) for node_id, node in prompt.items()}

    editor = engine.load(path.with_suffix(".editor.json"))
    assert editor.editor is not None
    assert bare(editor.prompt) == bare(json.loads(path.read_text()))
