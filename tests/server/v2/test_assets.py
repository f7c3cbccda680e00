"""/api/v2/assets: kept once by content, named by id, used in workflows, and nothing outside of the input folder."""

import io
from pathlib import Path
from typing import Any

from aiohttp import FormData
from blake3 import blake3

from tests.server.client import Client, Serve, runs

DATA = b"some picture, or so it says"
HASH = f"blake3:{blake3(DATA).hexdigest()}"


async def send(client: Client, status: int, data: bytes = DATA, **fields: str) -> Any:
    form = FormData()
    for name, value in fields.items():
        form.add_field(name, value)
    form.add_field("file", io.BytesIO(data), filename=fields.get("file_path", "photo.png"), content_type="image/png")
    async with client.post("/api/v2/assets", data=form) as answer:
        body = await answer.json()
        assert answer.status == status, body
        return body


@runs
async def test_a_file_is_kept_once_and_found_by_id_and_content(serve: Serve, tmp_path: Path) -> None:
    async with serve(wait=False) as client:
        async with client.head(f"/api/v2/assets/by-hash/{HASH}") as answer:
            assert answer.status == 404
        first = await send(client, 201, file_path="photo.png", expected_hash=HASH)
        assert (first["hash"], first["size_bytes"], first["created_new"]) == (HASH, len(DATA), True)
        again = await send(client, 200, file_path="other.png")
        assert (again["id"], again["created_new"]) == (first["id"], False)
        async with client.head(f"/api/v2/assets/by-hash/{HASH}") as answer:
            assert answer.status == 200
        async with client.post("/api/v2/assets/from-hash", json={"hash": HASH}) as answer:
            assert (await answer.json())["id"] == first["id"]
        async with client.get(f"/api/v2/assets/{first['id']}/content", headers={"Range": "bytes=0-3"}) as answer:
            assert (answer.status, await answer.read()) == (206, DATA[:4])
        async with client.get(f"/view?filename={HASH}") as answer:
            assert (answer.status, await answer.read()) == (200, DATA)
        async with client.get(f"/view?filename=blake3:{'0' * 64}") as answer:
            assert answer.status == 404
        assert [each.read_bytes() for each in (tmp_path / "input").rglob("*.png")] == [DATA]
    async with serve(wait=False) as client:  # the table outlives the server
        async with client.get(f"/api/v2/assets/{first['id']}") as answer:
            assert (await answer.json())["file_path"] == "photo.png"
        async with client.delete(f"/api/v2/assets/{first['id']}") as answer:
            assert answer.status == 204
        async with client.get(f"/api/v2/assets/{first['id']}") as answer:
            assert answer.status == 404
        assert not [*(tmp_path / "input").rglob("*.png")]


@runs
async def test_a_file_that_somebody_removed_is_sent_again(serve: Serve, tmp_path: Path) -> None:
    async with serve(wait=False) as client:
        first = await send(client, 201)
        for path in (tmp_path / "input").rglob("*.png"):
            path.unlink()
        async with client.head(f"/api/v2/assets/by-hash/{HASH}") as answer:
            assert answer.status == 404
        assert (await send(client, 201))["id"] != first["id"]


@runs
async def test_what_does_not_fit_is_refused_and_leaves_nothing(serve: Serve, tmp_path: Path) -> None:
    async with serve(wait=False) as client:
        wrong = f"blake3:{'0' * 64}"
        assert (await send(client, 409, expected_hash=wrong))["error"]["code"] == "hash_mismatch"
        for path in ("models/checkpoints/evil.safetensors", "/models/x.pt", "Models\\loras\\x.ckpt"):
            assert (await send(client, 422, file_path=path))["error"]["code"] == "invalid_request"
        for body in ({}, {"hash": "md5:1"}, {"hash": 5}):
            async with client.post("/api/v2/assets/from-hash", json=body) as answer:
                assert (await answer.json())["error"]["code"] == "invalid_request"
        async with client.post("/api/v2/assets", data=b"rubbish") as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (400, "invalid_request")
        assert not [path for path in (tmp_path / "input").rglob("*") if path.is_file()]


@runs
async def test_a_name_cannot_lead_out_of_the_input_folder(serve: Serve, tmp_path: Path) -> None:
    async with serve(wait=False) as client:
        for n, name in enumerate(("../../evil.png", "/etc/evil.png", "..\\..\\evil.png", "a/b/../../../evil.png")):
            made = await send(client, 201, data=DATA + bytes([n]), file_path=name)
            async with client.get(f"/api/v2/assets/{made['id']}/content") as answer:
                assert answer.status == 200
        found = [path for path in tmp_path.rglob("*evil*") if path.is_file()]
        assert len(found) == 4
        assert all(path.is_relative_to(tmp_path / "input" / "assets") for path in found)


@runs
async def test_a_file_under_another_name_is_told_which_names_came(serve: Serve) -> None:
    async with serve(wait=False) as client:
        for data in (b"text", b"\xff\xd8\xff"):
            form = FormData()
            form.add_field("image", io.BytesIO(data), filename="a.png")
            async with client.post("/api/v2/assets", data=form) as answer:
                error = (await answer.json())["error"]
                assert (answer.status // 100, error["code"]) == (4, "invalid_request")
                assert "named 'file'" in error["message"]
                assert "'image' with a file" in error["message"]
