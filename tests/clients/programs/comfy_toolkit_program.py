"""comfy-toolkit: reads devices[0] of /system_stats, and the history right after the socket said done."""

import sys
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

from comfy_toolkit import ComfyClient, customize

address, workflow, folder, seed = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
client = ComfyClient(address)
assert client.is_online()
assert client.vram_stats()
assert set(client.queue_status()) == {"running", "pending"}
template = client.load_workflow(workflow)
template["3"]["inputs"]["steps"] = 3
steps: list[tuple[int, int]] = []
work = customize(template, positive="green tree, flat vector", seed=seed)
result = client.submit_and_track(work, on_progress=lambda value, maximum: steps.append((value, maximum)))
assert result["status"] == "completed", result
assert (3, 3) in steps, steps
for image in result["images"]:
    query = urlencode({"filename": image["filename"], "subfolder": image["subfolder"], "type": image["type"]})
    with urlopen(f"{address}/view?{query}") as answer:
        (folder / image["filename"]).write_bytes(answer.read())
