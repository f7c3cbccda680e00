"""comfy-sdk, the official one, over API v2 without a proxy: events, outputs, an asset in a workflow."""

import sys
from pathlib import Path

from comfy_sdk import Comfy
from comfy_sdk.events import OutputReady, Progress, StatusChange

address, workflow, folder, seed = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
client = Comfy()
work = client.workflows.from_file(workflow)
work.set_input("3", "seed", seed)
work.set_input("3", "steps", 3)
job = client.submit(work)
seen = [*job.events()]
assert isinstance(seen[-1], StatusChange), seen
assert seen[-1].status == "succeeded", seen
assert any(isinstance(each, OutputReady) for each in seen), seen
assert any(isinstance(each, Progress) for each in seen), seen
job.refresh()
for number, output in enumerate(job.get_outputs("9")):
    output.to_file(str(folder / f"{number}.png"))

redraw = client.workflows.from_json(
    {
        **work.json,
        "20": {"class_type": "LoadImage", "inputs": {"image": ""}},
        "21": {"class_type": "VAEEncode", "inputs": {"pixels": ["20", 0], "vae": ["4", 2]}},
    }
)
redraw.set_input("20", "image", client.assets.from_file(str(folder / "0.png")))
redraw.set_input("3", "latent_image", ["21", 0])
redraw.set_input("3", "denoise", 0.5)
again = client.run(redraw)
for number, output in enumerate(again.get_outputs("9")):
    output.to_file(str(folder / f"redrawn{number}.png"))
