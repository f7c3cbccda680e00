"""comfyui-utils: labels its JSON as octet-stream, gives up at the first binary frame, asks /queue for its place."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from comfyui_utils.comfy import Callbacks, ComfyAPI

address, workflow, folder, seed = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])


class Watching(Callbacks):
    def __init__(self) -> None:
        self.steps: list[tuple[int, int]] = []
        self.outputs: dict[str, Any] = {}

    async def queue_position(self, position: str) -> None:
        assert int(position) >= 0

    async def in_progress(self, node_id: int, progress: int, total: int) -> None:
        self.steps.append((progress, total))

    async def completed(self, outputs: dict[str, Any], cached: bool) -> None:
        self.outputs = outputs


async def main() -> None:
    api, watching = ComfyAPI(address.removeprefix("http://")), Watching()
    prompt = json.loads(Path(workflow).read_text())
    prompt["3"]["inputs"].update(seed=seed, steps=3)
    await api.submit(prompt, watching)
    assert (3, 3) in watching.steps, watching.steps

    async def keep(file: Any) -> None:
        (folder / "picture.png").write_bytes(file.read())

    await api.fetch(watching.outputs["images"][0], keep)


asyncio.run(main())
