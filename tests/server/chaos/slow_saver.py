"""The toy worker, slow between writing a picture and telling of it: a kill in between would make the picture twice."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from engine.graph.nodetype import Result
from tests import toy_worker

SECONDS = 0.03

shown = toy_worker._shown


def slowly(filename: str, subfolder: str) -> Result:
    """What a picture that was written shows, after a while."""
    time.sleep(SECONDS)
    return shown(filename, subfolder)


if __name__ == "__main__":
    toy_worker._shown = slowly
    sys.exit(toy_worker.main())
