"""GET /models, /experiment/models, /embeddings, /view_metadata."""

import asyncio
import base64
import io
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from server.files.safetensors_header import LARGEST_HEADER, read_metadata
from server.protocol import files
from server.routes import models
from tests.server.routes.rooms import folders_in, serving
from tests.server.shapes import misfit


def ask(base, path, **query):
    async def scenario():
        async with serving(base, models) as client, client.get(path, params=query) as answer:
            return answer.status, await answer.json()

    return asyncio.run(scenario())


def put(base, name, data=b""):
    folders_in(base)
    path = base / "models" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def safetensors(header):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text


def test_the_kinds_of_folders_are_listed(tmp_path):
    status, kinds = ask(tmp_path, "/models")
    assert status == 200
    assert {"checkpoints", "loras", "embeddings", "diffusion_models"} <= set(kinds)
    assert not {"clip", "unet"} & set(kinds)


def test_the_files_of_a_folder_are_listed(tmp_path):
    put(tmp_path, "loras/b.safetensors")
    put(tmp_path, "loras/sub/a.safetensors")
    put(tmp_path, "loras/notes.md")
    assert ask(tmp_path, "/models/loras") == (200, ["b.safetensors", "sub/a.safetensors"])


def test_old_names_of_folders_are_understood(tmp_path):
    put(tmp_path, "unet/a.safetensors")
    put(tmp_path, "clip/b.safetensors")
    assert ask(tmp_path, "/models/unet") == ask(tmp_path, "/models/diffusion_models") == (200, ["a.safetensors"])
    assert ask(tmp_path, "/models/clip") == (200, ["b.safetensors"])


def test_an_unknown_folder_is_said(tmp_path):
    status, body = ask(tmp_path, "/models/..%2F..")
    assert status == 404
    assert "checkpoints" in body["error"]


def test_embeddings_have_no_extension(tmp_path):
    put(tmp_path, "embeddings/bad.hands.pt")
    put(tmp_path, "embeddings/sub/good.safetensors")
    assert ask(tmp_path, "/embeddings") == (200, ["bad.hands", "sub/good"])


def test_the_metadata_of_a_file_is_shown(tmp_path):
    put(
        tmp_path, "loras/sub/a.safetensors", safetensors({"__metadata__": {"tags": "ü"}, "w": {"shape": [1]}}) + b"\0\0"
    )
    assert ask(tmp_path, "/view_metadata/loras", filename="sub/a.safetensors") == (200, {"tags": "ü"})


@pytest.mark.parametrize(
    "name",
    ["", "absent.safetensors", "../secret.safetensors", "/etc/passwd", "a.pt", "none.safetensors", "\0.safetensors"],
)
@pytest.mark.parametrize("folder", ["loras", "unknown"])
def test_what_has_no_metadata_is_not_found(tmp_path, folder, name):
    put(tmp_path, "secret.safetensors", safetensors({"__metadata__": {"secret": "yes"}}))
    put(tmp_path, "loras/a.pt", safetensors({"__metadata__": {"a": "b"}}))
    put(tmp_path, "loras/none.safetensors", safetensors({"w": {}}))
    status, body = ask(tmp_path, f"/view_metadata/{folder}", filename=name)
    assert (status, list(body)) == (404, ["error"])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\0",
        (1 << 63).to_bytes(8, "little"),
        (LARGEST_HEADER + 1).to_bytes(8, "little") + b"{}",
        (100).to_bytes(8, "little") + b"{}",
        safetensors(b"[" * 100_000),
        safetensors(b"\xff"),
        safetensors([]),
        safetensors({"__metadata__": []}),
        safetensors({"__metadata__": None}),
    ],
    ids=lambda data: str(len(data)),
)
def test_a_damaged_header_says_nothing(tmp_path, data):
    assert read_metadata(put(tmp_path, "a.safetensors", data)) is None


def test_a_word_that_json_does_not_know_becomes_null(tmp_path):
    assert read_metadata(put(tmp_path, "a.safetensors", safetensors(b'{"__metadata__":{"a":NaN}}'))) == {"a": None}


@given(st.binary(max_size=60))
def test_no_bytes_make_reading_fail(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("a") / "a.safetensors"
    path.write_bytes(data)
    assert read_metadata(path) is None or data


@pytest.mark.parametrize("name", ["../x.safetensors", "/etc/x.safetensors", "none.safetensors"])
def test_clients_do_not_learn_where_the_server_keeps_its_files(tmp_path, name):
    status, body = ask(tmp_path, "/view_metadata/loras", filename=name)
    assert status == 404
    assert "the loras folder" in body["error"]
    assert str(tmp_path) not in body["error"]


def test_the_library_lists_kinds_with_their_folders(tmp_path):
    status, found = ask(tmp_path, "/experiment/models")
    assert status == 200
    assert [misfit(each, files.ModelFolder) for each in found] == [None] * len(found)
    kinds = {each["name"]: each["folders"] for each in found}
    assert str(tmp_path / "models" / "loras") in kinds["loras"]
    assert not {"configs", "custom_nodes"} & kinds.keys()


def test_the_library_lists_files_with_size_and_date(tmp_path):
    path = put(tmp_path, "loras/sub/a.safetensors", b"12345")
    os.utime(path, (1000.5, 1000.5))
    status, found = ask(tmp_path, "/experiment/models/loras")
    assert status == 200
    assert [misfit(each, files.ModelFile) for each in found] == [None]
    assert {name: found[0][name] for name in ("name", "pathIndex", "size", "modified")} == {
        "name": "sub/a.safetensors",
        "pathIndex": 0,
        "size": 5,
        "modified": 1000.5,
    }
    assert ask(tmp_path, "/experiment/models/unknown")[0] == 404


def picture(side=8, format="PNG", colour=(255, 0, 0)):
    data = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(data, format)
    return data.getvalue()


def preview(base, path):
    async def scenario():
        async with serving(base, models) as client, client.get(f"/experiment/models/preview/{path}") as answer:
            return answer.status, answer.content_type, await answer.read()

    return asyncio.run(scenario())


@pytest.mark.parametrize("name", ["a.png", "a.preview.jpg", "a.webp"])
def test_a_picture_beside_a_model_is_shown_as_webp(tmp_path, name):
    put(tmp_path, "loras/sub/a.safetensors", b"")
    put(tmp_path, f"loras/sub/{name}", picture(2000, "JPEG" if name.endswith("jpg") else name[-4:].lstrip(".").upper()))
    status, type, data = preview(tmp_path, "loras/0/sub/a.safetensors")
    assert (status, type) == (200, "image/webp")
    shown = Image.open(io.BytesIO(data))
    assert shown.size == (512, 512)
    red, green, blue = shown.convert("RGB").getpixel((100, 100))
    assert red > 240
    assert max(green, blue) < 15


def test_a_picture_in_a_models_own_header_is_shown(tmp_path):
    text = "data:image/jpeg;base64," + base64.b64encode(picture(20, "JPEG")).decode()
    put(tmp_path, "loras/a.safetensors", safetensors({"__metadata__": {"modelspec.thumbnail": text}}))
    status, type, data = preview(tmp_path, "loras/0/a.safetensors")
    assert (status, type) == (200, "image/webp")
    assert Image.open(io.BytesIO(data)).size == (20, 20)
    assert not list((tmp_path / "temp").glob(".*.part"))


@pytest.mark.parametrize(
    "path",
    [
        "loras/0/a.safetensors",
        "loras/9/a.safetensors",
        "loras/x/a.safetensors",
        "loras/-1/a.safetensors",
        "unknown/0/a.safetensors",
        "loras/0/..%2F..%2Fsecret.safetensors",
        "loras/0/%2Fetc%2Fpasswd",
        "loras/0/linked.safetensors",
    ],
)
def test_what_has_no_picture_is_not_found(tmp_path, path):
    put(tmp_path, "secret.png", picture())
    put(
        tmp_path,
        "loras/a.safetensors",
        safetensors({"__metadata__": {"modelspec.thumbnail": "data:image/png;base64,?"}}),
    )
    (tmp_path / "models" / "loras" / "linked.png").symlink_to(tmp_path / "models" / "secret.png")
    status, type, data = preview(tmp_path, path)
    assert (status, type) == (404, "application/json")
    assert str(tmp_path).encode() not in data


def test_a_damaged_picture_is_said(tmp_path):
    put(tmp_path, "loras/a.safetensors", b"")
    put(tmp_path, "loras/a.png", b"\x89PNG\r\n\x1a\n damaged")
    assert preview(tmp_path, "loras/0/a.safetensors")[0] == 400
