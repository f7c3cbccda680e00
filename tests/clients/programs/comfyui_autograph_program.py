"""comfyui-autograph: turns the editor's own file into a prompt with /object_info, submits it, waits, fetches."""

import sys
from pathlib import Path

from autograph import Flow

address, workflow, folder, seed = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
editor_file = Path(workflow).with_name("text_to_image.editor.json")
prompt = Flow(str(editor_file), server_url=address).convert(server_url=address)
prompt.KSampler.seed = seed
prompt.KSampler.steps = 3
result = prompt.submit(server_url=address, wait=True)
for number, image in enumerate(result.fetch_images()):
    (folder / f"{number}.png").write_bytes(image["bytes"])
