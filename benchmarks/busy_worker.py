"""A worker that knows all node types and never finishes its first job, so that everything else waits.

python -m benchmarks.busy_worker TYPES.json
"""

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from engine.graph.outcome import Outcome
from engine.workers.inside.worker import Order, Work, serve


def build(is_cancelled: Callable[[], bool]) -> Work:
    """What it can do: nothing, for ever."""
    types = json.loads(Path(sys.argv[1]).read_bytes())

    def wait(order: Order) -> Outcome:
        while not order.is_cancelled():
            threading.Event().wait(0.1)
        raise SystemExit

    return Work(
        types=lambda: types,
        system={"python_version": sys.version, "pytorch_version": "none", "os": sys.platform},
        devices=lambda: [{"name": "none", "type": "cpu", "index": 0, "vram_total": 1, "vram_free": 1}],
        execute=wait,
        check=lambda prompt, targets: {},
        free=lambda unload_models, free_memory: None,
        close=lambda: None,
    )


if __name__ == "__main__":
    serve(build)
