"""comfy-api-simplified: posts without a content type, follows the socket, fetches pictures by node title."""

import sys
from pathlib import Path

from comfy_api_simplified import ComfyApiWrapper, ComfyWorkflowWrapper

address, workflow, folder, seed = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
api = ComfyApiWrapper(address + "/")
work = ComfyWorkflowWrapper(workflow)
work.set_node_param("KSampler", "seed", seed)
work.set_node_param("KSampler", "steps", 3)
for name, data in api.queue_and_wait_images(work, "Save Image").items():
    (folder / f"{name}.png").write_bytes(data)

source = folder / "source.png"
source.write_bytes(next(folder.glob("*.png")).read_bytes())
sent = api.upload_image(str(source))
assert sent["name"] == "source.png", sent
source.unlink()
