"""What the editor costs in a real browser, with a large workflow, against a real server.

    python -m benchmarks.editor [--nodes 2000] [--variants 200] [--runs 3]

load   from dropping a file on the page to the frame that shows it
frame  script, style and layout of one frame while panning and zooming: everything in view, and zoomed in
queue  from pressing Run, set to so many times, to the server's last answer

The page is the bundle in server/editor (`npm run build` in web/ makes it); web/benchmarks/editor.mjs drives it. Needs
Node.js and chromium (CHROMIUM names another one).
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.server.chaos.served import ROOT, served

TEMPLATE = ROOT / "workflows" / "text_to_image.editor.json"

GOALS = (
    ("load", ("load_ms",), 2000.0),
    ("pan, all in view, p95", ("pan_far", "p95"), 33.0),
    ("zoom, all in view, p95", ("zoom_far", "p95"), 33.0),
    ("pan, zoomed in, p95", ("pan_near", "p95"), 8.0),
    ("zoom, zoomed in, p95", ("zoom_near", "p95"), 8.0),
    ("queue", ("queue", "ms"), 2000.0),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--nodes", type=int, default=2000)
    parser.add_argument("--variants", type=int, default=200)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    if shutil.which("node") is None:
        parser.error("node is not there; the editor is driven by it")
    runs = [measured(options.nodes, options.variants) for _ in range(options.runs)]
    sys.stdout.write(f"{options.nodes} nodes, {runs[0]['nodes_near']} in view at zoom {runs[0]['zoom_at']}\n")
    kept = [report(name, [number(run, path) for run in runs], goal) for name, path, goal in GOALS]
    accepted = min(int(run["queue"]["accepted"]) for run in runs)
    sys.stdout.write(f"{'accepted':<26}{accepted} of {options.variants}\n")
    return 0 if all(kept) and accepted == options.variants else 1


def measured(nodes: int, variants: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, served(Path(folder), "--cpu", worker=None) as server:
        command = ["node", "benchmarks/editor.mjs", server.address, str(TEMPLATE), str(nodes), str(variants)]
        done = subprocess.run(command, cwd=ROOT / "web", capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def number(run: Mapping[str, Any], path: tuple[str, ...]) -> float:
    value: Any = run
    for key in path:
        value = value[key]
    return float(value)


def report(name: str, values: list[float], goal: float) -> bool:
    """The middle run counts; all are shown."""
    middle = sorted(values)[len(values) // 2]
    told = ", ".join(f"{value:.1f}" for value in values)
    sys.stdout.write(f"{name:<26}{middle:8.1f} ms  (goal {goal:g}; {told})\n")
    return middle <= goal


if __name__ == "__main__":
    raise SystemExit(main())
