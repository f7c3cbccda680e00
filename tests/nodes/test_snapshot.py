"""A process that has only the nodes' snapshots says of a prompt what one with the nodes says."""

import json
import sys
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from subprocess import run
from typing import Any

import pytest
from PIL import Image

from engine.graph.define import definition
from engine.graph.describe import read, snapshot
from engine.graph.dynamic import DYNAMIC_COMBO, settle
from engine.graph.nodetype import Input, NodeType, Output
from engine.graph.prompt import Prompt
from engine.graph.registry import Registry
from engine.graph.validate import Validation, validate
from nodes import all_nodes
from tests.nodes.bench import Bench

BAD: tuple[Any, ...] = (
    None, True, -1, 10**30, 0.5, -1e300, float("nan"), float("inf"), "", "x", "7", "../x", "/etc/passwd", "a\0", "a\nb",
    "x" * 300, "a\ud800.png", [], {}, [1, 2, 3], ["nobody", 0], ["anything", 9], ["anything", "0"], ["text", 0],
)  # fmt: skip
GOOD: tuple[Any, ...] = ("a.png", "a.png [input]", "cats/%year%", 64, 1.0, "euler", "tiny.safetensors", ["anything", 0])


@pytest.fixture(scope="module")
def registries(models: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Registry, Registry]:
    """The nodes themselves, and what a process without them makes of their snapshots after a journey as JSON."""
    bench = Bench(models, tmp_path_factory.mktemp("snapshot") / "base")
    Image.new("RGB", (4, 4)).save(bench.folders.input / "a.png")
    (models / "text_encoders").mkdir(exist_ok=True)
    (models / "text_encoders" / "tiny.safetensors").touch()  # a name to choose; nobody opens it here
    nodes = [each for each in bench.registry if each.id != "Constant"]
    here = Registry([*nodes, *_neighbours(nodes)])
    told = json.loads(json.dumps({each.id: snapshot(each) for each in here}, allow_nan=False))
    return here, Registry(read(entry, bench.folders) for entry in told.values())


@pytest.mark.parametrize("name", [definition(function).id for function in all_nodes()])
def test_every_prompt_is_judged_alike(name: str, registries: tuple[Registry, Registry]) -> None:
    here, there = registries
    accepted = 0
    for inputs in _variants(here[name]):
        ours, theirs = (_judged(here[name], inputs, registry) for registry in (here, there))
        assert repr(theirs) == repr(ours)  # as text, because NaN is not equal to itself
        accepted += ours.is_accepted
    assert accepted > 0


def test_hooks_that_only_look_at_files_come_with_the_snapshot_and_others_do_not(bench: Bench) -> None:
    def refuse(image: str) -> bool:
        return False

    entry = snapshot(bench.registry["LoadImage"])
    assert read(entry, bench.folders).validate is not None
    assert read(entry).validate is None
    assert read(entry).validate_inputs == ("image",)
    unknown = read(snapshot(NodeType("Plugin", validate=refuse, validate_inputs=("image",))), bench.folders)
    assert (unknown.validate, unknown.validate_inputs) == (None, ("image",))


def test_reading_snapshots_imports_neither_torch_nor_nodes() -> None:
    code = "import sys, engine.graph.describe; print(sorted({'torch', 'nodes', 'PIL'} & set(sys.modules)))"
    told = run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def _neighbours(nodes: Sequence[NodeType]) -> Iterator[NodeType]:
    """Where links come from and go to: a source that fits any wire, one that is a text, an output that takes all."""
    every = ",".join(sorted({slot.type for each in nodes for slot in (*each.inputs, *each.outputs)}))
    yield NodeType("Anything", outputs=(Output("anything", every),))
    yield NodeType("Text", outputs=(Output("STRING", "STRING"),))
    yield NodeType("ShowAnything", inputs=(Input("value", every),), is_output=True)


def _variants(node_type: NodeType) -> Iterator[dict[str, Any]]:
    """Inputs of a node that are right, and then one after the other wrong in every way; for each of its choices."""
    combos = [each for each in node_type.inputs if each.type == DYNAMIC_COMBO]
    for keys in product(*([option["key"] for option in each.options["options"]] for each in combos)):
        chosen = {each.name: key for each, key in zip(combos, keys, strict=True)}
        settled, _ = settle(node_type, chosen)
        right = {each.name: _right(each) for each in settled.inputs} | chosen
        yield right
        for name in right:
            yield {other: value for other, value in right.items() if other != name}
            yield from ({**right, name: value} for value in (*GOOD, *BAD))


def _right(each: Input) -> Any:
    if each.name == "image" and each.type == "COMBO":
        return "a.png"
    if each.choices is not None:
        return next(iter(each.current_choices()), "")
    return each.options.get("default", "" if each.type == "STRING" else ["anything", 0])


def _judged(node_type: NodeType, inputs: dict[str, Any], registry: Registry) -> Validation:
    graph: dict[str, Any] = {
        "it": {"class_type": node_type.id, "inputs": inputs},
        "anything": {"class_type": "Anything"},
        "text": {"class_type": "Text"},
    }
    if not node_type.is_output:
        graph["show"] = {"class_type": "ShowAnything", "inputs": {"value": ["it", 0]}}
    return validate(Prompt.from_json(graph), registry)
