"""POST /upload: what arrives whole is kept once, and nothing else leaves a trace."""

import asyncio
import io
import json
import os
import zlib

import pytest
from aiohttp import FormData
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from server.files.user_files import LONGEST_NAME, clean_name, folder_for
from server.requests import form
from server.requests.refusal import Refused
from server.routes import upload
from tests.server.routes.rooms import folders_in, serving

BOUNDARY = "----boundary"


def part(name, data, filename=None, more=""):
    named = f'; filename="{filename}"' if filename is not None else ""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n{more}\r\n'
    return head.encode() + data + b"\r\n"


def body_of(*parts):
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def send(base, *parts, path="/upload/image", body=None, headers=None, **options):
    """Returns: status and what was answered."""

    async def scenario():
        async with serving(base, upload, **options) as client:
            data = body_of(*parts) if body is None else body
            type = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"} if headers is None else headers
            async with client.post(path, data=data, headers=type) as answer:
                return answer.status, await answer.json()

    return asyncio.run(scenario())


def tree(base):
    """Every file below the three roots."""
    roots = [base / name for name in ("input", "output", "temp")]
    return sorted(str(each.relative_to(base)) for root in roots for each in root.rglob("*") if not each.is_dir())


def png(mode="RGB", size=(8, 6), colour=(10, 20, 30), text=None):
    data, info = io.BytesIO(), PngInfo()
    for key, value in (text or {}).items():
        info.add_text(key, value)
    Image.new(mode, size, colour).save(data, "PNG", pnginfo=info)
    return data.getvalue()


def test_a_file_is_kept_as_it_came(tmp_path):
    data = os.urandom(700_000)
    status, answer = send(tmp_path, part("image", data, "clip.mp4"))
    assert (status, answer) == (200, {"name": "clip.mp4", "subfolder": "", "type": "input"})
    assert (tmp_path / "input" / "clip.mp4").read_bytes() == data
    assert tree(tmp_path) == ["input/clip.mp4"]


def test_an_empty_file_and_the_forms_of_other_libraries_are_fine(tmp_path):
    async def scenario():
        async with serving(tmp_path, upload) as client:
            form = FormData(quote_fields=False)
            form.add_field("type", "temp")
            form.add_field("image", b"", filename="Ünïcode ✓.png", content_type="image/png")
            async with client.post("/upload/image", data=form) as answer:
                return await answer.json()

    assert asyncio.run(scenario())["name"] == "Ünïcode ✓.png"
    assert tree(tmp_path) == ["temp/Ünïcode ✓.png"]


@pytest.mark.parametrize("first", [True, False])
def test_where_it_goes_may_be_said_before_or_after(tmp_path, first):
    fields = [part("type", b"output"), part("subfolder", b"a/b")]
    file = part("image", b"x", "a.png")
    status, answer = send(tmp_path, *([*fields, file] if first else [file, *fields]))
    assert (status, answer) == (200, {"name": "a.png", "subfolder": "a/b", "type": "output"})
    assert tree(tmp_path) == ["output/a/b/a.png"]


def test_the_same_bytes_are_kept_once_and_others_get_a_number(tmp_path):
    names = [send(tmp_path, part("image", data, "a.png"))[1]["name"] for data in (b"1", b"2", b"1", b"2", b"33", b"33")]
    assert names == ["a.png", "a (1).png", "a.png", "a (1).png", "a (2).png", "a (2).png"]
    assert [(tmp_path / each).read_bytes() for each in tree(tmp_path)] == [b"2", b"33", b"1"]


@pytest.mark.parametrize("word", [b"true", b"1"])
def test_a_file_is_replaced_when_that_is_said(tmp_path, word):
    send(tmp_path, part("image", b"old", "a.png"))
    assert send(tmp_path, part("image", b"new", "a.png"), part("overwrite", word))[1]["name"] == "a.png"
    assert (tmp_path / "input" / "a.png").read_bytes() == b"new"
    assert tree(tmp_path) == ["input/a.png"]


def test_a_link_is_replaced_and_not_followed(tmp_path):
    folders_in(tmp_path)
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "input" / "a.png").symlink_to(tmp_path / "precious")
    assert send(tmp_path, part("image", b"precious", "a.png"))[1]["name"] == "a (1).png"
    send(tmp_path, part("image", b"new", "a.png"), part("overwrite", b"true"))
    assert (tmp_path / "precious").read_text() == "precious"
    assert not (tmp_path / "input" / "a.png").is_symlink()


def test_files_of_one_name_at_the_same_time_do_not_overwrite_each_other(tmp_path):
    async def scenario():
        async with serving(tmp_path, upload) as client:

            async def one(n):
                data = body_of(part("image", b"%d" % n * 1000, "a.png"))
                type = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
                async with client.post("/upload/image", data=data, headers=type) as answer:
                    return (await answer.json())["name"]

            return await asyncio.gather(*(one(n) for n in range(16)))

    names = asyncio.run(scenario())
    assert len(set(names)) == 16
    assert {(tmp_path / "input" / name).read_bytes() for name in names} == {b"%d" % n * 1000 for n in range(16)}


@pytest.mark.parametrize(
    ("parts", "word"),
    [
        ([], "a part of the form named 'image', with a file name; the parts that came: none"),
        ([part("type", b"input")], "named 'image', with a file name; the parts that came: 'type'"),
        ([part("image", b"x")], "with a file name; the parts that came: 'image'"),
        ([part("image", b"\xff\xd8")], "with a file name; the parts that came: 'image'"),
        ([part("type", b"temp"), part("file", b"x", "a.png")], "the parts that came: 'type', 'file' with a file"),
        ([part("file", b"\x89PNG\xff", "a.png")], "'image', with a file name; the parts that came: 'file' with a file"),
        ([part("file", b"x" * 70_000, "a.png")], "'image', with a file name; the parts that came: 'file' with a file"),
        ([part("image", b"x", "a"), part("file", b"\xff", "b")], "'file': expected text in UTF-8"),
        ([part("image", b"x", "")], "name"),
        ([part("image", b"x", "...")], "name"),
        ([part("image", b"x", "a"), part("image", b"x", "b")], "one at a time"),
        ([part("image", b"x", "a"), part("type", b"models")], "type: 'models' is no folder of files"),
        ([part("image", b"x", "a"), part("type", b"\xff")], "UTF-8"),
        ([part("image", b"x", "a"), part("subfolder", b"../x")], "subfolder: '../x' leads out of the input folder"),
        ([part("image", b"x", "a"), part("subfolder", b"/etc")], "subfolder"),
        ([part("image", b"x", "a"), part("subfolder", b"a\\..\\..\\b")], "subfolder"),
        ([part("image", b"x", "a"), part("subfolder", b"a/.hidden")], "subfolder"),
        ([part("image", b"x", "a"), part("subfolder", b"a/nul")], "subfolder"),
        ([part("image", b"x", "a"), part("subfolder", b"a\0b")], "subfolder"),
        ([part("image", b"x", "a"), part("subfolder", b"/".join([b"a"] * 60))], "subfolder"),
        ([part("image", b"eA==", "a", "Content-Transfer-Encoding: base64\r\n")], "base64"),
        ([part("image", b"x", "a", "Content-Encoding: gzip\r\n")], "gzip"),
        ([part("image", b"x", "a", "Content-Type: multipart/mixed; boundary=y\r\n")], "parts of its own"),
        ([part("image", b"x", "a", "X: " + "y" * 20_000 + "\r\n")], "a line in the head of a part that is too long"),
        ([part('image"; =; x="', b"x", "a")], "parts say Content-Disposition: form-data"),
        ([part('image"; x', b"x", "a")], "parts say Content-Disposition: form-data"),
        ([part(f"f{n}", b"x") for n in range(40)], "32"),
    ],
)
def test_a_form_that_makes_no_sense_is_refused_in_words(tmp_path, parts, word, recwarn):
    status, answer = send(tmp_path, *parts)
    assert status == 400
    assert [each for each in recwarn if "Disposition" in each.category.__name__] == []
    assert str(tmp_path) not in answer["error"]
    assert word.lower() in answer["error"].lower()
    assert tree(tmp_path) == []


@pytest.mark.parametrize(
    ("type", "got"),
    [
        ("", "Content-Type"),
        ("application/json", "got Content-Type 'application/json'"),
        ("multipart/form-data", "boundary"),
        ("multipart/form-data; boundary=" + "x" * 100, "boundary"),
        ("multipart/form-data; boundary=other", "boundary"),
        ("multipart/form-data; boundary=\u00fc", "boundary"),
    ],
)
def test_what_is_no_form_is_refused(tmp_path, type, got):
    headers = {"Content-Type": type} if type else {}
    for status, answer in (
        send(tmp_path, part("image", b"x", "a.png"), headers=headers),
        send(tmp_path, body=b"", headers=headers),
    ):
        assert status == 400
        assert "expected a form (multipart/form-data) with the file in its field 'image', got" in answer["error"]
        assert got in answer["error"]
    assert tree(tmp_path) == []


def test_a_form_cut_anywhere_is_refused_and_leaves_nothing(tmp_path):
    whole = body_of(part("subfolder", b"s"), part("image", b"0123456789" * 3, "a.png"), part("type", b"temp"))
    end = whole.rindex(b"--\r\n")

    async def scenario():
        async with serving(tmp_path, upload) as client:
            found = []
            for cut in range(end):
                type = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
                async with client.post("/upload/image", data=whole[:cut], headers=type) as answer:
                    assert "expected a form" in (await answer.json())["error"]
                    found.append((cut, answer.status))
            return found

    assert [each for each in asyncio.run(scenario()) if each[1] != 400] == []
    assert tree(tmp_path) == []


def test_a_client_that_hangs_up_leaves_nothing(tmp_path):
    async def scenario():
        async with serving(tmp_path, upload) as client:
            _, writer = await asyncio.open_connection("127.0.0.1", client.port)
            start = part("image", b"x" * 500_000, "a.png")
            head = f"POST /upload/image HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(start) * 2}\r\n"
            head += f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n"
            writer.write(head.encode() + start)
            await writer.drain()
            async with asyncio.timeout(30):
                while not tree(tmp_path):
                    await asyncio.sleep(0.01)
                assert all(each.startswith("input/.") for each in tree(tmp_path))
                writer.transport.abort()
                while tree(tmp_path):
                    await asyncio.sleep(0.01)

    asyncio.run(scenario())


@pytest.mark.parametrize("is_announced", [True, False])
def test_an_upload_beyond_the_limit_is_refused_with_the_limit(tmp_path, is_announced):
    data = body_of(part("image", b"x" * 300_000, "a.png"))

    async def pieces():
        for start in range(0, len(data), 10_000):
            yield data[start : start + 10_000]

    status, answer = send(tmp_path, body=data if is_announced else pieces(), max_upload_size=100_000)
    assert status == 413
    assert "100,000" in answer["error"]
    assert "--max-upload-size" in answer["error"]
    assert tree(tmp_path) == []


def test_an_upload_of_just_the_limit_is_accepted(tmp_path):
    assert send(tmp_path, part("image", b"x" * 100_000, "a.png"), max_upload_size=100_000)[0] == 200
    assert send(tmp_path, part("image", b"y" * 100_001, "a.png"), max_upload_size=100_000)[0] == 413


def test_a_field_may_be_sent_as_a_file_is(tmp_path):
    """Browsers do so where a page makes a Blob of a text."""
    assert send(tmp_path, part("type", b"temp", "blob"), part("image", b"x", "a.png"))[1]["type"] == "temp"


def test_a_field_is_no_place_for_a_file(tmp_path):
    assert send(tmp_path, part("subfolder", b"x" * 70_000), part("image", b"x", "a.png"))[0] == 413


def test_a_file_where_a_folder_should_be_is_said(tmp_path):
    send(tmp_path, part("image", b"x", "a"))
    status, answer = send(tmp_path, part("image", b"x", "b"), part("subfolder", b"a"))
    assert status == 400
    assert "folder" in answer["error"]


def test_a_folder_that_leads_out_is_refused(tmp_path):
    folders_in(tmp_path)
    (tmp_path / "input" / "out").symlink_to(tmp_path)
    assert send(tmp_path, part("image", b"x", "a"), part("subfolder", b"out"))[0] == 400
    assert send(tmp_path, part("image", b"x", "a"), part("subfolder", b"out/new"))[0] == 400
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a.png", "a.png"),
        ("../../a.png", "a.png"),
        ("C:\\pictures\\a.png", "a.png"),
        (".htaccess", "htaccess"),
        ("a\r\nb\0.png", "a__b_.png"),
        ('a<b>:"|?*.png', "a_b______.png"),
        ("CON.png", "_CON.png"),
        ("nul", "_nul"),
        ("com1.tar.gz", "_com1.tar.gz"),
        ("console.png", "console.png"),
        ("a.png.", "a.png"),
        ("\u202egnp.exe", "_gnp.exe"),
        ("a.png [output]", "a.png (output)"),
        ("日本 (1).png", "日本 (1).png"),
    ],
)
def test_a_name_becomes_one_that_every_system_takes(given, kept):
    assert clean_name(given) == kept


ODD = st.text(st.sampled_from("a.ü ~/\\:\0\n[]()_\ud800日CONnul1") | st.characters(), max_size=30)


@given(ODD | ODD.map(lambda text: text * 30))
def test_a_cleaned_name_is_harmless_and_stays_as_it_is(given):
    try:
        name = clean_name(given)
    except Refused:
        return
    assert not set(name) & set('/\\:*?"<>|\0\r\n')
    assert name.strip(" .") == name
    assert 0 < len(name.encode()) <= LONGEST_NAME
    assert clean_name(name) == name


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["input", "temp", "output", "", "x"]),
    st.lists(ODD | st.sampled_from(["..", "link", "a"])).map("/".join),
)
def test_no_subfolder_leads_out(tmp_path, type, subfolder):
    folders = folders_in(tmp_path)
    if not (tmp_path / "input" / "link").is_symlink():
        (tmp_path / "input" / "link").symlink_to(tmp_path)
    try:
        folder, told = folder_for(folders, type, subfolder)
    except Refused as refused:
        assert refused.status == 400  # noqa: PT017 -- both outcomes are fine
    else:
        root = folders.root(type or "input")
        assert folder == root / told
        assert folder.resolve().is_relative_to(root.resolve())


def test_a_mask_gives_its_alpha_to_the_colours_of_the_original(tmp_path):
    folders_in(tmp_path)
    (tmp_path / "output" / "a.png").write_bytes(png(colour=(1, 2, 3), text={"prompt": '{"1":{}}', "workflow": "ü☃"}))
    reference = json.dumps({"filename": "a.png", "subfolder": "", "type": "output"}).encode()
    mask = png("RGBA", colour=(99, 99, 99, 77))
    status, answer = send(
        tmp_path,
        part("image", mask, "mask.png"),
        part("type", b"input"),
        part("subfolder", b"clipspace"),
        part("original_ref", reference),
        path="/upload/mask",
    )
    assert (status, answer) == (200, {"name": "mask.png", "subfolder": "clipspace", "type": "input"})
    kept = Image.open(tmp_path / "input" / "clipspace" / "mask.png")
    assert (kept.mode, kept.getpixel((0, 0))) == ("RGBA", (1, 2, 3, 77))
    assert kept.text == {"prompt": '{"1":{}}', "workflow": "ü☃"}
    assert tree(tmp_path) == ["input/clipspace/mask.png", "output/a.png"]


@pytest.mark.parametrize("name", [b"a.png [input]", b"a.png"])
def test_the_original_of_a_mask_may_be_named_as_nodes_name_it(tmp_path, name):
    folders_in(tmp_path)
    for root, shade in (("input", 1), ("output", 2)):
        (tmp_path / root / "a.png").write_bytes(png("L", colour=shade))
    reference = part("original_ref", b'{"filename": "%s"}' % name)
    answer = send(tmp_path, part("image", png(), "m.jpg"), reference, path="/upload/mask")[1]
    kept = Image.open(tmp_path / "input" / answer["name"])
    assert answer["name"] == "m.jpg.png"
    assert kept.getpixel((0, 0)) == ((1, 1, 1, 255) if b"input" in name else (2, 2, 2, 255))


def test_the_same_mask_again_is_the_same_file(tmp_path):
    folders_in(tmp_path)
    (tmp_path / "output" / "a.png").write_bytes(png())
    parts = [part("image", png("RGBA", colour=(0, 0, 0, 5)), "m.png"), part("original_ref", b'{"filename":"a.png"}')]
    assert [send(tmp_path, *parts, path="/upload/mask")[1]["name"] for _ in range(2)] == ["m.png", "m.png"]


@pytest.mark.parametrize(
    ("mask", "reference", "word"),
    [
        (png(), None, "original_ref"),
        (png(), b"", "original_ref"),
        (png(), b"{", "original_ref"),
        (png(), b"[" * 60_000, "original_ref"),
        (png(), b"[]", "original_ref"),
        (png(), b'{"filename": 1}', "original_ref"),
        (png(), b'{"filename": "a.png", "type": []}', "original_ref"),
        (png(), b'{"filename": "a.png", "type": ["input"]}', "original_ref"),
        (png(), b'{"filename": "absent.png"}', "original_ref"),
        (png(), b'{"filename": "../secret.png"}', "original_ref"),
        (png(), b'{"filename": "a.png", "subfolder": "../.."}', "original_ref"),
        (b"rubbish", b'{"filename": "a.png"}', "uploaded mask"),
        (b"", b'{"filename": "a.png"}', "uploaded mask"),
        (png()[:-30], b'{"filename": "a.png"}', "uploaded mask"),
        (png(), b'{"filename": "text.png"}', "text.png"),
        (png(size=(9, 9)), b'{"filename": "a.png"}', "9×9"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_mask_that_makes_no_sense_is_refused_and_leaves_nothing(tmp_path, mask, reference, word):
    folders_in(tmp_path)
    (tmp_path / "output" / "a.png").write_bytes(png())
    (tmp_path / "output" / "text.png").write_text("no picture")
    parts = [part("image", mask, "m.png"), *([part("original_ref", reference)] if reference is not None else [])]
    status, answer = send(tmp_path, *parts, path="/upload/mask")
    assert status == 400
    assert word in answer["error"]
    assert tree(tmp_path) == ["output/a.png", "output/text.png"]


def test_only_so_many_uploads_are_on_their_way_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(form, "AT_ONCE", 2)
    monkeypatch.setattr(form, "TURN", 0.2)
    data = body_of(part("image", b"x", "b.png"))
    type = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}

    async def hold(client):
        """An upload that has begun and does not go on."""
        _, writer = await asyncio.open_connection("127.0.0.1", client.port)
        head = "POST /upload/image HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
        writer.write(f"{head}Content-Type: {type['Content-Type']}\r\n\r\n".encode() + part("image", b"x", "a.png")[:90])
        await writer.drain()
        return writer

    async def scenario():
        async with serving(tmp_path, upload) as client:
            held = [await hold(client) for _ in range(2)]
            async with asyncio.timeout(30):
                while len(tree(tmp_path)) < 2:
                    await asyncio.sleep(0.01)
            async with client.post("/upload/image", data=data, headers=type) as answer:
                refused = answer.status, answer.headers["Retry-After"], (await answer.json())["error"]
            for each in held:
                each.transport.abort()
            async with asyncio.timeout(30):
                while tree(tmp_path):
                    await asyncio.sleep(0.01)
            async with client.post("/upload/image", data=data, headers=type) as answer:
                return refused, answer.status

    (status, after, error), then = asyncio.run(scenario())
    assert (status, after, then) == (503, "5", 200)
    assert "2 uploads" in error


def bomb(size):
    """A PNG that claims to be so large."""
    data = bytearray(png("RGBA", size=(1, 1)))
    data[16:24] = size[0].to_bytes(4, "big") + size[1].to_bytes(4, "big")
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize("size", [(10_000, 10_000), (40_000, 40_000), (1 << 27, 1)])
@pytest.mark.parametrize("is_mask", [True, False])
def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, size, is_mask):
    folders_in(tmp_path)
    mask, original = (bomb(size), png()) if is_mask else (png("RGBA"), bomb(size))
    (tmp_path / "output" / "a.png").write_bytes(original)
    parts = [part("image", mask, "m.png"), part("original_ref", b'{"filename":"a.png"}')]
    status, answer = send(tmp_path, *parts, path="/upload/mask")
    assert (status, tree(tmp_path)) == (413, ["output/a.png"])
    assert "pixels" in answer["error"]
