"""Plugins below the command line: people who run a workflow expect their nodes there."""

import json
from pathlib import Path

import pytest

from main import main
from tests.compat.plugins.conftest import Write, node


def test_a_workflow_with_nodes_of_plugins_runs(
    tmp_path: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write("fine.py", "print('I say something')\n" + node("Fine"))
    write("broken.py", "raise ValueError('no such luck')")
    workflow = tmp_path / "workflow.json"
    workflow.write_text(json.dumps({"1": {"class_type": "Fine", "inputs": {"value": 3}}}))
    base = ["--base-directory", str(tmp_path / "base"), "--cpu"]
    assert main(["run", *base, str(workflow)]) == 0
    out, err = capsys.readouterr()
    assert "Fine (1)" in err
    assert "I say something" not in out
    assert main(["explain", *base, str(workflow)]) == 0
    assert main(["nodes", *base]) == 0
    assert "Fine" in capsys.readouterr().out
    assert main(["nodes", *base, "--disable-all-custom-nodes", "Fine"]) == 1
