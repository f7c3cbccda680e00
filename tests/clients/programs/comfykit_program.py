"""comfykit: once by polling the history, once over the socket."""

import asyncio
import json
import sys
from pathlib import Path
from urllib.request import urlopen

from comfykit import ComfyKit

address, workflow, folder, seed = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])


async def main() -> None:
    prompt = json.loads(Path(workflow).read_text())
    prompt["3"]["inputs"].update(seed=seed, steps=3)
    changed = folder / "workflow.json"
    for executor in ("http", "websocket"):
        changed.write_text(json.dumps(prompt))
        result = await ComfyKit(comfyui_url=address, executor_type=executor).execute(str(changed), {})
        assert result.status == "completed", result
        for number, url in enumerate(result.images):
            with urlopen(url) as answer:
                (folder / f"{executor}{number}.png").write_bytes(answer.read())


asyncio.run(main())
