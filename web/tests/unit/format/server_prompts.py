"""What the server makes of workflows: prompts, by the very code it converts files with.

Reads JSON lines: first {node type id: entry of /object_info}, then one workflow a line. Writes a JSON line for each:
{"prompt": …}, or {"error": …} where it refuses.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[4]))

from engine.errors import PromptError
from engine.graph.describe import read
from engine.graph.editor_format import convert


def main() -> None:
    types = {name: read(entry) for name, entry in json.loads(sys.stdin.readline()).items()}
    for line in sys.stdin:
        try:
            answer = {"prompt": convert(json.loads(line), types).prompt}
        except PromptError as error:
            answer = {"error": str(error)}
        sys.stdout.write(json.dumps(answer) + "\n")


main()
