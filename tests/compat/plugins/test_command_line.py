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


BLOCKS = """
from comfy_execution.graph import ExecutionBlocker
class Blocks:
    INPUT_TYPES = classmethod(lambda cls: {"required": {}})
    RETURN_TYPES = ("INT", "INT")
    FUNCTION = "go"
    CATEGORY = "test"
    def go(self):
        return ExecutionBlocker("choose a picture first"), ExecutionBlocker(None)
"""


def test_what_a_blocker_says_is_printed_as_the_server_shows_it(
    tmp_path: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write("blocks.py", BLOCKS + node("Fine") + "NODE_CLASS_MAPPINGS['Blocks'] = Blocks\n")
    workflow = tmp_path / "workflow.json"
    prompt = {"1": {"class_type": "Blocks", "inputs": {}}} | {
        str(id): {"class_type": "Fine", "inputs": {"value": value}}
        for id, value in ((2, ["1", 0]), (3, ["1", 1]), (4, 4))
    }
    workflow.write_text(json.dumps(prompt))
    assert main(["run", "--base-directory", str(tmp_path / "base"), "--cpu", str(workflow)]) == 0
    err = capsys.readouterr().err
    assert err.count("Execution Blocked") == 1, "without a message nothing is said"
    assert "Fine (node 2): Execution Blocked: choose a picture first\n" in err
    assert "Fine (4)" in err, "the rest runs"
