"""What the README shows must work."""

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


def test_the_python_example_of_the_readme_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    examples = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(examples) == 1
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    try:
        exec(compile(examples[0], "README.md", "exec"), names)
        assert names["result"].status == "succeeded"
        assert names["image"].size == (128, 128)
        assert tuple(names["pixels"].shape) == (1, 128, 128, 3)
        assert "Latentwire_" in capsys.readouterr().out
    finally:
        for path in names["result"].files if "result" in names else ():
            path.unlink()


def test_the_commands_of_the_readme_are_targets_of_the_makefile() -> None:
    commands = set(re.findall(r"\bmake (\w+)", (ROOT / "README.md").read_text()))
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"run", "test"} <= commands <= targets


def test_files_named_in_the_papers_exist() -> None:
    for paper in ("README.md", "CONTRIBUTING.md", "docs/architecture.md"):
        text = (ROOT / paper).read_text()
        for name in re.findall(r"`((?:engine|nodes|docs|tests|workflows|models|benchmarks)/[\w./]+)`", text):
            assert (ROOT / name).exists(), f"{paper} names {name}"
        for link in re.findall(r"\]\((?!http)([^)#]+)\)", text):
            assert (ROOT / paper).parent.joinpath(link).exists(), f"{paper} links to {link}"
        assert not re.search(r"^[A-Z]{4,}$", text, re.MULTILINE), f"{paper} has a place left to fill in"
