"""The engine's benchmark itself: it runs, and measures what it says."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from engine.graph.executor import Executor
from engine.graph.step import in_order

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "engine.py"
BENCHMARK = runpy.run_path(str(SCRIPT), run_name="benchmark")


@pytest.mark.parametrize("shape", BENCHMARK["SHAPES"], ids=lambda shape: shape.name)
@pytest.mark.parametrize("size", [10, 101])
def test_every_node_of_a_shape_is_needed_and_runs(shape, size):
    prompt = BENCHMARK["prompt_of"](shape, size)
    order = in_order(["show"], lambda node: [link.node for _, link in prompt[node].links()])
    assert len(order) == len(prompt) == size
    outcome = Executor(BENCHMARK["node_types"](size)).execute(prompt)
    assert len(outcome.check().executed) == size


def test_the_table_has_a_row_for_every_shape():
    run = subprocess.run(
        [sys.executable, str(SCRIPT), "--sizes", "10", "--repeat", "1"], capture_output=True, text=True, check=False
    )
    assert run.stderr == ""
    for name in ("chain", "wide", "ladder", "tree", "worst"):
        assert name in run.stdout
