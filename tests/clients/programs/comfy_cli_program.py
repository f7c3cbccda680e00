"""comfy-cli: the command line many people use; posts JSON as a form."""

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

address, workflow, folder, seed = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
prompt = json.loads(Path(workflow).read_text())
prompt["3"]["inputs"].update(seed=seed, steps=3)
changed = folder / "workflow.json"
changed.write_text(json.dumps(prompt))
place = urlsplit(address)
comfy = [str(Path(sys.executable).with_name("comfy")), "--skip-prompt", "--json"]
quiet = {**os.environ, "DO_NOT_TRACK": "1", "HOME": str(folder)}


def run(*arguments: str) -> dict:
    done = subprocess.run([*comfy, *arguments], env=quiet, capture_output=True, text=True)
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    return json.loads(done.stdout.strip().splitlines()[-1])["data"]


where = ["--host", str(place.hostname), "--port", str(place.port)]
ended = run("run", "--workflow", str(changed), "--wait", *where)
assert ended["status"] == "completed", ended
sys.stdout.write(json.dumps(ended) + "\n")
