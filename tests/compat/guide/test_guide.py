"""What docs/plugins.md says must be so: its code runs as it stands there, its table names what there is."""

import importlib
import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from compat.host import Host
from compat.install import SHIMS
from engine.errors import PromptError
from engine.graph.prompt import Prompt
from engine.graph.trial import try_node
from tests.compat.plugins.conftest import House, house  # noqa: F401 -- a fixture

ROOT = Path(__file__).resolve().parents[3]
GUIDE = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")

LIMIT = 5.0
"""Seconds of a processor for pytest and a node that needs no torch; it takes 1.3 with pytest's start (2026-11-22)."""


def section(title: str) -> str:
    found = GUIDE.partition(f"\n## {title}\n")[2]
    assert found, f"the guide has no section {title!r}"
    return re.split(r"^## ", found, flags=re.MULTILINE)[0]


def blocks(title: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", section(title), re.DOTALL)


def run(house: House, prompt: dict[str, object], target: str) -> list[list[object]]:  # noqa: F811
    outcome = house.host.engine.executor.execute(Prompt.from_json(prompt), targets=[target]).check()
    return [list(each) for each in outcome.values[target]]


def test_the_first_node_is_one(house: House) -> None:  # noqa: F811
    assert "custom_nodes/loud/__init__.py" in section("A first node in five minutes")
    house.write("loud/__init__.py", blocks("A first node in five minutes")[0])
    record = house.load()["loud"]
    assert (record["state"], record["nodes"]) == ("loaded", ["Shout"])
    prompt = {"1": {"class_type": "Shout", "inputs": {"text": "hi", "times": 3}}}
    assert run(house, prompt, "1") == [["HI!!!"]]
    assert house.host.registry["Shout"].inputs[1].options["tooltip"] == "how many exclamation marks."


def test_the_node_with_pictures_is_one(house: House) -> None:  # noqa: F811
    house.write("fade.py", blocks("A first node in five minutes")[1])
    assert house.load()["fade"]["nodes"] == ["Fade Together"]
    sides = {"width": 8, "height": 8, "batch_size": 1}
    prompt = {
        "1": {"class_type": "EmptyImage", "inputs": {**sides, "color": 0}},
        "2": {"class_type": "EmptyImage", "inputs": {**sides, "color": 0xFFFFFF}},
        "3": {"class_type": "Fade Together", "inputs": {"first": ["1", 0], "second": ["2", 0], "steps": 5}},
    }
    ((frames,),) = run(house, prompt, "3")
    assert frames.mean(dim=(1, 2, 3)).tolist() == pytest.approx([0.0, 0.25, 0.5, 0.75, 1.0])  # type: ignore[attr-defined]


def test_a_node_is_tested_without_server_and_torch_in_about_a_second(tmp_path: Path) -> None:
    folder = tmp_path / "custom_nodes" / "loud"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(blocks("A first node in five minutes")[0])
    (folder / "test_loud.py").write_text(blocks("Test it without a server")[0])
    (folder / "test_lean.py").write_text("import sys\ndef test_lean():\n    assert 'torch' not in sys.modules\n")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < LIMIT


def test_comfyui_s_names_are_put_in_place_as_it_says(host: Host) -> None:
    code = blocks("Test it without a server")[1]
    code += "\nimport folder_paths, comfy.utils\nprint(folder_paths.base_path)\n"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=host.folders.base,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_the_v1_node_is_one(house: House) -> None:  # noqa: F811
    house.write("join.py", blocks("A node in V1")[0])
    record = house.load()["join"]
    assert (record["state"], record["nodes"], record["problems"]) == ("loaded", ["Join"], [])
    prompt = {"1": {"class_type": "Join", "inputs": {"first": "a", "between": ", "}}}
    assert run(house, prompt, "1") == [["a"], [1]]
    with pytest.raises(PromptError, match="first needs a word"):
        try_node(house.host.registry["Join"], first=" ")


def test_the_route_is_one(house: House) -> None:  # noqa: F811
    house.write("hello.py", blocks("Routes, messages, web parts")[0])
    assert house.load()["hello"]["state"] == "loaded"
    server = importlib.import_module("server").PromptServer.instance
    assert "/hello" in [each.path for each in server.routes]


def test_every_block_of_code_is_run_by_a_test() -> None:
    tested = {
        "A first node in five minutes": 2,
        "Test it without a server": 2,
        "A node in V1": 1,
        "A node in V3": 2,  # by tests/compat/v3/test_guide.py
        "Routes, messages, web parts": 1,
    }
    assert {title: len(blocks(title)) for title in tested} == tested
    assert GUIDE.count("```python") == sum(tested.values())


def named() -> list[str]:
    """The modules in the table's first column."""
    rows = re.findall(r"^\| (`[^|]+`) \| [^|]+ \|$", section("What stays as it is"), re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([\w.]+)`", row)]


def modules() -> Iterator[str]:
    """Every module below compat/shims."""
    for file in SHIMS.rglob("*.py"):
        parts = file.relative_to(SHIMS).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_the_table_names_every_module_that_there_is_once() -> None:
    names = named()
    assert len(names) > 40
    assert len(names) == len(set(names))
    covered = [each for each in modules() if not any(each == name or each.startswith(f"{name}.") for name in names)]
    assert set(covered) <= {"comfy"}, "a row is missing in docs/plugins.md"


def test_what_the_table_names_is_there(host: Host) -> None:
    for name in named():
        assert importlib.import_module(name)


@pytest.mark.parametrize("member", re.findall(r"^\* `([\w.]+)`: ((?:`\w+`(?:, )?)+)", GUIDE, re.MULTILINE))
def test_what_is_promised_is_there(member: tuple[str, str]) -> None:
    module, names = member
    holder = _found(module)
    for name in re.findall(r"`(\w+)`", names):
        assert hasattr(holder, name), f"{module} has no {name}"


def test_single_promises_are_there() -> None:
    promises = section("What stays as it is").partition("**As far as")[0]
    for name in re.findall(r"`(engine\.[\w.]+|nodes\.types)`", promises):
        assert _found(name)


def _found(dotted: str) -> object:
    try:
        return importlib.import_module(dotted)
    except ModuleNotFoundError:
        module, _, name = dotted.rpartition(".")
        return getattr(importlib.import_module(module), name)
