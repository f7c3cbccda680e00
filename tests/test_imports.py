"""What importing a room brings along."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GRAPH = sorted(f"engine.graph.{path.stem}" for path in (ROOT / "engine" / "graph").glob("[a-z]*.py"))


@pytest.mark.parametrize(
    "modules", [GRAPH, ["engine.folders", "engine.settings", "engine.metadata", "engine.saving"], ["nodes"]]
)
def test_the_graph_side_leaves_torch_unimported(modules: list[str]) -> None:
    code = f"import sys, {', '.join(modules)}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
