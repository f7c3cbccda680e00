"""What ours is compared with: one aiohttp process that reads and judges a prompt the same way, and remembers it.

    python -m benchmarks.plain_server TYPES.json BASE_DIRECTORY

TYPES.json is the snapshot of the node types. Nothing is written and nobody runs what is accepted: the price of a POST
without durability.
"""

import asyncio
import collections
import json
import sys
import time
from pathlib import Path

from aiohttp import web

from engine.graph import describe
from engine.graph.registry import Registry
from engine.settings import Settings
from server.jobs.job import NewJob
from server.prompts import submission


async def main() -> None:
    """Serves until it is killed."""
    types, base = json.loads(Path(sys.argv[1]).read_bytes()), Path(sys.argv[2])
    folders = Settings(base_directory=base).folders()
    registry = Registry(describe.read(entry, folders) for entry in types.values())
    jobs: dict[str, NewJob] = {}
    queue: collections.deque[str] = collections.deque()

    async def post(request: web.Request) -> web.Response:
        sent = submission.read(await request.read())
        new = submission.judge(sent, registry, time.time_ns() // 1_000_000).new
        jobs[new.id] = new
        queue.append(new.id)
        return web.json_response({"prompt_id": new.id, "number": len(jobs), "node_errors": {}})

    app = web.Application()
    app.add_routes([web.post("/prompt", post)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
