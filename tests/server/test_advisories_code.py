"""The published advisories that would have the server run or fetch something; test_advisories.py has the others."""

import asyncio
import contextlib
import json
import pickle
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import torch

from engine.errors import LatentwireError
from engine.settings import Settings
from tests.server.attacks import READERS, victim
from tests.server.chaos.served import ROOT
from tests.server.client import runs
from tests.server.quiet import PROMPT

# ------------------------------------------------------------------ CVE-2026-68771: a pickle comes by way of an upload


class Malice:
    """Runs code when it is unpickled: it leaves a file behind."""

    def __init__(self, proof: Path) -> None:
        self._proof = proof

    def __reduce__(self) -> Any:
        return Path.touch, (self._proof,)


def pickles(proof: Path, folder: Path) -> dict[str, bytes]:
    """Files that run code in whoever unpickles them, in every shape that weights come in."""
    malice = Malice(proof)
    found = {"bare.ckpt": pickle.dumps(malice), "bare.safetensors": pickle.dumps({"state_dict": malice}, protocol=2)}
    for name, options in (("zip.pt", {}), ("old.bin", {"_use_new_zipfile_serialization": False})):
        torch.save({"state_dict": {"w": torch.zeros(2)}, "extra": malice}, folder / name, **options)
        found[name] = (folder / name).read_bytes()
    return found


LOADERS = {"checkpoints": ("CheckpointLoaderSimple", "ckpt_name", 2), "vae": ("VAELoader", "vae_name", 0)}
"""By kind: a node that loads such files, its input, and where the autoencoder comes out."""


@runs
async def test_no_upload_runs_code_when_it_is_loaded(tmp_path: Path) -> None:
    from latentwire import Engine

    proof, scratch = tmp_path / "proof", tmp_path / "scratch"
    scratch.mkdir()
    sent = pickles(proof, scratch)
    base = tmp_path / "base"
    base.mkdir()
    async with victim(base) as there:
        for name, data in sent.items():
            for kind in LOADERS:
                assert (await there.upload(name, data, type="output", subfolder=kind))[0] == 200
            await there.upload(name, data)
            await there.send_form("/api/v2/assets", "file", name, data)
            async with there.client.post(f"/userdata/{name}", data=data):
                pass
            for address in (f"/view_metadata/checkpoints?filename={name}", f"/view?filename={name}&preview=webp"):
                async with there.client.get(address):
                    pass
    lent = Engine(Settings(base_directory=base, cpu=True))
    for kind, (node, input, slot) in LOADERS.items():
        names = [each for each in lent.folders.list(kind) if each in sent]
        assert len(names) == len(sent), "the uploads are there to be chosen"
        for name in names:
            graph = {
                "1": {"class_type": node, "inputs": {input: name}},
                "2": {
                    "class_type": "VAEDecode",
                    "inputs": {"samples": ["3", 0], "vae": ["1", slot]},
                },
                "3": {"class_type": "EmptyLatentImage", "inputs": {"width": 16, "height": 16, "batch_size": 1}},
                "4": {"class_type": "PreviewImage", "inputs": {"images": ["2", 0]}},
            }
            with pytest.raises(LatentwireError, match=re.escape(name)):
                lent.load(graph).run()
    lent.close()
    assert not proof.exists()
    for data in sent.values():  # and they would have
        (scratch / "x").write_bytes(data)
        with contextlib.suppress(Exception):  # the harm is done by then
            torch.load(scratch / "x", weights_only=False)
        assert proof.exists()
        proof.unlink()


def sources() -> dict[str, str]:
    """What is written in our packages, by path."""
    files = [path for name in ("compat", "engine", "nodes", "server") for path in (ROOT / name).rglob("*.py")]
    assert len(files) > 200
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in files}


def test_nothing_of_ours_unpickles_or_runs_what_it_was_given() -> None:
    forbidden = re.compile(
        r"pickle\.loads?\(|Unpickler\(|weights_only\s*=\s*False|\bmarshal\.|\bshelve\.|yaml\.(?:unsafe_)?load\("
        r"|allow_pickle\s*=\s*True|(?<![\w.])(?<!def )(?:eval|exec)\(|os\.system\("
        r"|subprocess\.(?:run|Popen|call|check)|\bpip\.main"
    )
    found = {path: forbidden.findall(text) for path, text in sources().items()}
    assert {path: each for path, each in found.items() if each} == {
        "engine/workers/outside/gpus.py": ["subprocess.run"],  # asks the driver which GPUs there are
        "engine/training/packages.py": ["subprocess.run"],  # of `latentwire train`, which only a terminal can reach
    }
    reaching = [path for path, text in sources().items() if "engine.training" in text]
    assert all(path.startswith("engine/training/") for path in reaching), reaching


# -------------------------------------------------- CVE-2024-12882: the server is made to fetch an address for a client


FETCHERS = ("/internal/models/download", "/api/v2/jobs", "/api/v2/assets/from-hash", "/manager/queue/install")
"""Routes that fetch something in other servers, or might."""


@runs
async def test_no_address_is_ever_fetched(tmp_path: Path) -> None:
    visits = []

    async def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append(await reader.read(100))
        writer.close()

    trap = await asyncio.start_server(visited, "127.0.0.1", 0)
    port = trap.sockets[0].getsockname()[1]
    async with victim(tmp_path) as there, trap:
        for bait in (f"http://127.0.0.1:{port}/x.png", f"//127.0.0.1:{port}/x", f"file://127.0.0.1:{port}/x"):
            for reader in READERS:
                await there.raw(reader.format(quote(bait, safe="")))
                await there.raw(reader.format(bait))
            await there.raw(bait)
            await there.upload(bait, bait, url=bait, subfolder=bait)
            await there.send_form("/upload/mask", "image", "x.png", bait, original_ref=json.dumps({"filename": bait}))
            await there.send_form("/api/v2/assets", "file", "x", bait, file_path=bait, url=bait)
            body = {"url": bait, "webhook_url": bait, "workflow": PROMPT, "hash": bait, "inputs": {"x": bait}}
            more = {"model_url": bait, "model_directory": "checkpoints", "model_filename": "x.safetensors"}
            for path in (
                "/internal/models/download",
                "/api/v2/jobs",
                "/api/v2/assets/from-hash",
                "/manager/queue/install",
            ):
                assert (await there.ask(path, {**body, **more}))[0] >= 400, path
            async with there.client.post(
                "/api/v2/jobs", data=json.dumps({"workflow": PROMPT}), headers={"Origin": bait}
            ):
                pass
            graph = {**PROMPT, "10": {"class_type": "LoadImage", "inputs": {"image": bait}}}
            graph["9"] = {"class_type": "SaveImage", "inputs": {"images": ["10", 0], "filename_prefix": bait}}
            assert (await there.ask("/prompt", {"prompt": graph, "webhook": bait}))[0] == 400
            models = [{"name": "x.safetensors", "url": bait, "directory": "checkpoints"}]
            editor = {"nodes": [{"id": 1, "type": "SaveImage", "properties": {"models": models}}], "models": models}
            await there.ask("/prompt", {"prompt": {**editor, "links": []}})
            await there.raw("/prompt", headers=f"Forwarded: host={bait}\r\nX-Forwarded-Host: {bait}\r\n")
        await asyncio.sleep(0.2)
        assert visits == []
        _, writer = await asyncio.open_connection("127.0.0.1", port)  # the trap is one
        writer.write(b"x")
        writer.close()
        async with asyncio.timeout(10):
            while not visits:
                await asyncio.sleep(0.01)


def test_only_what_asks_workers_can_open_an_address() -> None:
    clients = re.compile(r"ClientSession\(|urlopen\(|urlretrieve\(|import (?:requests|httpx|urllib3)|http\.client")
    assert {path for path, text in sources().items() if clients.search(text)} == {"server/plugins/proxy.py"}
