"""What exported scripts build: reads scripts as JSON lines, writes {"prompt": …} for each, or {"error": …}."""

import ast
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[4]))


def main() -> None:
    for line in sys.stdin:
        script = json.loads(line)
        try:
            module: dict[str, object] = {"__name__": "script"}
            exec(compile(ast.parse(script), "script.py", "exec"), module)
            answer = {"prompt": module["build"]().to_json()}
        except Exception as error:  # noqa: BLE001 - whatever a script does wrong is the answer
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")


main()
