"""GET /view: the right file, harmless, and nothing from outside."""

import asyncio
import gzip
import io
import json
import os
import subprocess
import sys
import threading
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from server.files import pictures
from server.files.user_files import find
from server.requests.refusal import Refused
from server.routes import view
from tests.server.routes.rooms import folders_in, serving


def ask(base, query, *, method="GET", headers=None):
    """Returns: status, headers and body."""

    async def scenario():
        async with (
            serving(base, view) as client,
            client.request(method, "/view", params=query, headers=headers) as answer,
        ):
            return answer.status, answer.headers, await answer.read()

    return asyncio.run(scenario())


@pytest.fixture
def base(tmp_path):
    folders_in(tmp_path)
    (tmp_path / "secret.txt").write_text("secret")
    return tmp_path


def save(path, mode="RGB", size=(8, 6), colour=(10, 20, 30), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path, **options)


def opened(data):
    return Image.open(io.BytesIO(data))


def test_a_file_comes_from_the_output_folder_unless_another_is_said(base):
    for root in ("output", "input", "temp"):
        (base / root / "sub").mkdir()
        (base / root / "a.txt").write_text(root)
        (base / root / "sub" / "b.txt").write_text(f"{root}/sub")
    assert ask(base, {"filename": "a.txt"})[2] == b"output"
    assert ask(base, {"filename": "a.txt", "type": "temp"})[2] == b"temp"
    assert ask(base, {"filename": "a.txt [input]", "type": "temp"})[2] == b"input"
    assert ask(base, {"filename": "b.txt", "subfolder": "sub", "rand": "0.5"})[2] == b"output/sub"
    assert ask(base, {"filename": "sub/b.txt", "type": "input"})[2] == b"input/sub"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 404),
        ({"filename": ""}, 404),
        ({"filename": "absent.png"}, 404),
        ({"filename": "blake3:0123"}, 404),
        ({"filename": "sub"}, 404),
        ({"filename": "/etc/passwd"}, 400),
        ({"filename": "../secret.txt"}, 400),
        ({"filename": "sub/../../secret.txt"}, 400),
        ({"filename": "..\\secret.txt"}, 400),
        ({"filename": "a\0.png"}, 400),
        ({"filename": "a" * 2000}, 400),
        ({"filename": "a.png", "type": "models"}, 400),
        ({"filename": "[input]"}, 400),
        ({"filename": "secret.txt", "subfolder": ".."}, 403),
        ({"filename": "passwd", "subfolder": "/etc"}, 403),
        ({"filename": "secret.txt", "subfolder": "sub/../.."}, 403),
    ],
)
def test_what_is_not_there_or_not_allowed(base, query, status):
    (base / "output" / "sub").mkdir()
    assert ask(base, query)[0] == status


def test_links_may_not_lead_out(base):
    (base / "output" / "file").symlink_to(base / "secret.txt")
    (base / "output" / "folder").symlink_to(base)
    (base / "output" / "ring").symlink_to(base / "output" / "ring")
    (base / "output" / "real.txt").write_text("fine")
    (base / "output" / "within").symlink_to(base / "output" / "real.txt")
    assert ask(base, {"filename": "file"})[0] == 403
    assert ask(base, {"filename": "secret.txt", "subfolder": "folder"})[0] == 403
    assert ask(base, {"filename": "ring"})[0] == 404
    assert ask(base, {"filename": "within"})[2] == b"fine"


def test_a_pipe_is_no_file(base):
    os.mkfifo(base / "output" / "pipe.png")
    for query in ({}, {"preview": "webp"}, {"channel": "rgb"}):
        assert ask(base, {"filename": "pipe.png", **query})[0] == 404


PIECES = st.sampled_from(
    ["..", ".", "", "sub", "a.txt", "link", "secret.txt", "/", "\\", "[input]", " ", "C:", "\0", "%2e"]
)
NAMES = st.lists(PIECES | st.text(max_size=4), max_size=5).map("/".join) | st.text(max_size=20)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NAMES, NAMES, st.sampled_from(["input", "output", "temp", "", "x"]))
def test_no_name_leads_out_of_its_folder(base, filename, subfolder, type):
    folders = folders_in(base)
    (base / "output" / "sub").mkdir(exist_ok=True)
    (base / "output" / "sub" / "a.txt").touch()
    if not (base / "output" / "link").is_symlink():
        (base / "output" / "link").symlink_to(base)
    try:
        found = find(folders, filename, subfolder, type)
    except Refused:
        return
    assert any(found.is_relative_to(root.resolve()) for root in (folders.input, folders.output, folders.temp))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(["filename", "type", "subfolder", "preview", "channel"]), NAMES), max_size=5))
def test_no_query_makes_the_server_fail(base, query):
    save(base / "output" / "a.txt", format="PNG")
    assert ask(base, query)[0] in (200, 400, 403, 404)


@pytest.mark.parametrize(
    ("name", "type"),
    [
        ("a.png", "image/png"),
        ("a.WEBP", "image/webp"),
        ("a.mp4", "video/mp4"),
        ("a.flac", "audio/flac"),
        ("a.json", "application/json"),
    ],
)
def test_media_are_shown(base, name, type):
    (base / "output" / name).write_bytes(b"x")
    status, headers, _ = ask(base, {"filename": name})
    assert (status, headers["Content-Type"]) == (200, type)
    assert headers["Content-Disposition"] == f'filename="{name}"'


@pytest.mark.parametrize(
    "name", ["a.html", "a.js", "a.css", "a.svg", "a.xml", "a.xhtml", "a.pdf", "a.wasm", "a", "a.png.html"]
)
def test_what_could_act_is_saved_and_not_shown(base, name):
    (base / "output" / name).write_text("<script>alert(1)</script>")
    _, headers, _ = ask(base, {"filename": name})
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Content-Disposition"] == f'attachment; filename="{name}"'


@pytest.mark.parametrize("query", [{}, {"preview": "webp"}, {"channel": "rgb"}, {"channel": "a"}])
def test_every_file_is_served_inert(base, query):
    save(base / "output" / "a.png")
    _, headers, _ = ask(base, {"filename": "a.png", **query})
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ü.png", "filename=\"_.png\"; filename*=UTF-8''%C3%BC.png"),
        ('a"b.png', "filename=\"a_b.png\"; filename*=UTF-8''a%22b.png"),
        ("a\r\nSet-Cookie: x.png", "filename=\"a__Set-Cookie: x.png\"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20x.png"),
        ("50%.png", "filename=\"50_.png\"; filename*=UTF-8''50%25.png"),
    ],
)
def test_a_strange_name_stays_within_its_header(base, name, expected):
    (base / "output" / name).write_bytes(b"x")
    _, headers, body = ask(base, {"filename": name})
    assert headers["Content-Disposition"] == expected
    assert "Set-Cookie" not in headers
    assert body == b"x"


def test_ranges_and_revisits_are_understood(base):
    (base / "output" / "a.mp4").write_bytes(bytes(range(100)))
    status, headers, body = ask(base, {"filename": "a.mp4"}, headers={"Range": "bytes=10-19"})
    assert (status, body, headers["Content-Range"]) == (206, bytes(range(10, 20)), "bytes 10-19/100")
    assert ask(base, {"filename": "a.mp4"}, headers={"Range": "bytes=200-"})[0] == 416
    assert ask(base, {"filename": "a.mp4"}, headers={"If-None-Match": headers["ETag"]})[0] == 304
    status, headers, body = ask(base, {"filename": "a.mp4"}, method="HEAD")
    assert (status, headers["Content-Length"], body) == (200, "100", b"")


@pytest.mark.parametrize(
    ("headers", "status", "size"),
    [
        ({"Range": "bytes=0-4", "If-Range": "TAG"}, 206, 5),
        ({"Range": "bytes=0-4", "If-Range": "W/TAG"}, 200, 100),
        ({"Range": "bytes=0-4", "If-Range": '"another"'}, 200, 100),
        ({"Range": "bytes=0-4", "If-Range": "nonsense"}, 200, 100),
        ({"Range": "bytes=0-4", "If-Range": "Mon, 01 Jan 2001 00:00:00 GMT"}, 200, 100),
        ({"Range": "bytes=0-4", "If-Range": "Fri, 01 Jan 2100 00:00:00 GMT"}, 206, 5),
        ({"Range": "items=0-5"}, 200, 100),
        ({"Range": "items=0-5", "Cookie": "a=é"}, 200, 100),
        ({"Range": "bytes=0-0,2-3"}, 200, 100),
        ({"Range": "bytes=-5"}, 206, 5),
        ({"Range": "bytes=200-", "If-Range": '"another"'}, 200, 100),
        ({"Range": "bytes=200-", "If-None-Match": "TAG"}, 304, 0),
        ({"If-Match": "TAG"}, 200, 100),
        ({"If-Match": "*"}, 200, 100),
    ],
)
def test_a_range_counts_when_it_is_one_we_know_of_the_file_as_it_is(base, headers, status, size):
    (base / "output" / "a.mp4").write_bytes(bytes(range(100)))
    tag = ask(base, {"filename": "a.mp4"}, method="HEAD")[1]["ETag"]
    headers = {name: value.replace("TAG", tag) for name, value in headers.items()}
    found, _, body = ask(base, {"filename": "a.mp4"}, headers=headers)
    assert (found, len(body)) == (status, size)


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        ({"Range": "bytes=200-"}, 416, "not in this file of 100 bytes"),
        ({"Range": "bytes=9-5"}, 416, "not in this file"),
        ({"Range": "bytes=nonsense"}, 416, "not in this file"),
        ({"If-Match": '"another"'}, 412, "has changed"),
        ({"If-Unmodified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"}, 412, "has changed"),
    ],
)
def test_what_a_file_does_not_meet_is_said_in_json(base, headers, status, words):
    (base / "output" / "a.mp4").write_bytes(bytes(range(100)))
    found, told, body = ask(base, {"filename": "a.mp4"}, headers=headers)
    assert found == status
    assert words in json.loads(body)["error"]
    assert told.get("Content-Range") == ("bytes */100" if status == 416 else None)


def test_a_packed_neighbour_is_not_served_in_its_place(base):
    (base / "output" / "a.txt").write_text("mine")
    (base / "output" / "a.txt.gz").write_bytes(gzip.compress(b"other"))
    _, headers, body = ask(base, {"filename": "a.txt"}, headers={"Accept-Encoding": "gzip"})
    assert body == b"mine"
    assert "Content-Encoding" not in headers


@pytest.mark.parametrize(
    ("wanted", "channel", "type", "mode"),
    [
        ("webp", "", "image/webp", "RGBA"),
        ("webp;50", "", "image/webp", "RGBA"),
        ("jpeg;80", "", "image/jpeg", "RGB"),
        ("jpeg", "rgb", "image/jpeg", "RGB"),
        ("jpeg", "rgba", "image/webp", "RGBA"),
        ("webp", "rgb", "image/webp", "RGB"),
        ("gif;x", "", "image/webp", "RGBA"),
        ("jpeg;0", "", "image/jpeg", "RGB"),
        ("jpeg;²", "", "image/jpeg", "RGB"),
        ("", "", "image/webp", "RGBA"),
    ],
)
def test_a_preview_is_of_the_kind_asked_for(base, wanted, channel, type, mode):
    save(base / "output" / "a.png", "RGBA", colour=(200, 100, 50, 128))
    _, headers, body = ask(base, {"filename": "a.png", "preview": wanted, **({"channel": channel} if channel else {})})
    assert headers["Content-Type"] == type
    assert (opened(body).mode, opened(body).size) == (mode, (8, 6))


def test_the_quality_of_a_preview_counts(base):
    Image.effect_noise((64, 64), 80).save(base / "output" / "a.png")
    sizes = [len(ask(base, {"filename": "a.png", "preview": f"jpeg;{quality}"})[2]) for quality in (10, 90)]
    assert sizes[0] * 2 < sizes[1]
    default, ninety = (ask(base, {"filename": "a.png", "preview": each})[2] for each in ("jpeg", "jpeg;90"))
    assert default == ninety


def test_the_channels_of_a_picture_come_apart(base):
    save(base / "output" / "a.png", "RGBA", colour=(200, 100, 50, 128))
    colours = opened(ask(base, {"filename": "a.png", "channel": "rgb"})[2])
    assert (colours.format, colours.mode, colours.getpixel((0, 0))) == ("PNG", "RGB", (200, 100, 50))
    alpha = opened(ask(base, {"filename": "a.png", "channel": "a"})[2])
    assert (alpha.format, alpha.mode, alpha.getpixel((0, 0))) == ("PNG", "RGBA", (0, 0, 0, 128))
    raw = ask(base, {"filename": "a.png", "channel": "rgba"})[2]
    assert raw == (base / "output" / "a.png").read_bytes()


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("RGB", (1, 2, 3), (1, 2, 3)),
        ("L", 7, (7, 7, 7)),
        ("I;16", 65535, (255, 255, 255)),
        ("I;16", 25700, (100, 100, 100)),
        ("1", 1, (255, 255, 255)),
        ("LA", (9, 0), (9, 9, 9)),
    ],
)
def test_pictures_of_every_mode_have_colours_and_an_alpha(base, mode, colour, expected):
    save(base / "output" / "a.png", mode, colour=colour)
    assert opened(ask(base, {"filename": "a.png", "channel": "rgb"})[2]).getpixel((0, 0)) == expected
    alpha = 0 if mode == "LA" else 255
    assert opened(ask(base, {"filename": "a.png", "channel": "a"})[2]).getpixel((0, 0)) == (0, 0, 0, alpha)


def test_a_palette_may_be_transparent(base):
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 200, 100, 50])
    palette.save(base / "output" / "a.png", transparency=b"\xff\x40")
    assert opened(ask(base, {"filename": "a.png", "channel": "rgb"})[2]).getpixel((0, 0)) == (200, 100, 50)
    assert opened(ask(base, {"filename": "a.png", "channel": "a"})[2]).getpixel((0, 0)) == (0, 0, 0, 64)
    assert opened(ask(base, {"filename": "a.png", "preview": "webp"})[2]).mode == "RGBA"


def test_a_photograph_is_turned_as_it_says(base):
    turned = Image.Exif()
    turned[0x0112] = 6
    save(base / "output" / "a.jpg", size=(8, 6), exif=turned)
    assert opened(ask(base, {"filename": "a.jpg", "channel": "rgb"})[2]).size == (6, 8)


def test_made_pictures_carry_nothing_of_the_original(base):
    info = PngInfo()
    info.add_text("prompt", "private")
    save(base / "output" / "a.png", pnginfo=info)
    for query in ({"preview": "webp"}, {"channel": "rgb"}, {"channel": "a"}):
        assert b"private" not in ask(base, {"filename": "a.png", **query})[2]


@pytest.mark.parametrize("query", [{"preview": "webp"}, {"channel": "rgb"}, {"channel": "a"}])
@pytest.mark.parametrize(
    "data",
    [b"", b"not a picture", b"\x89PNG\r\n\x1a\n", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"GIF89a"],
)
def test_what_is_no_picture_is_refused_in_words(base, data, query):
    (base / "output" / "a.png").write_bytes(data)
    status, _, body = ask(base, {"filename": "a.png", **query})
    assert status == 400
    assert b"a.png" in body


def test_a_picture_cut_short_is_refused(base):
    save(base / "output" / "a.png", size=(200, 200))
    whole = (base / "output" / "a.png").read_bytes()
    (base / "output" / "a.png").write_bytes(whole[:-40])
    assert ask(base, {"filename": "a.png", "channel": "rgb"})[0] == 400


@pytest.mark.parametrize("size", [(10_000, 10_000), (40_000, 40_000), (1 << 27, 1)])
def test_a_bomb_is_refused_before_it_is_unpacked(base, size):
    save(base / "output" / "a.png", size=(1, 1))
    data = bytearray((base / "output" / "a.png").read_bytes())
    data[16:24] = size[0].to_bytes(4, "big") + size[1].to_bytes(4, "big")
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    (base / "output" / "a.png").write_bytes(data)
    status, _, body = ask(base, {"filename": "a.png", "preview": "webp"})
    assert status == 413
    assert b"pixels" in body


def test_a_flood_of_previews_is_worked_off_a_few_at_a_time(base):
    save(base / "output" / "a.png", size=(300, 300))

    async def scenario():
        async with serving(base, view) as client:

            async def one():
                async with client.get("/view", params={"filename": "a.png", "preview": "webp"}) as answer:
                    return answer.status

            found = await asyncio.gather(*(one() for _ in range(20)))
            return found, [each.name for each in threading.enumerate() if each.name.startswith("pictures")]

    found, threads = asyncio.run(scenario())
    assert found == [200] * 20
    assert len(threads) <= pictures.AT_ONCE


@pytest.mark.parametrize("query", [{"filename": "../x"}, {"filename": "x", "subfolder": "../x"}])
def test_a_name_that_leads_out_is_refused_without_the_servers_paths(base, query):
    error = json.loads(ask(base, query)[2])["error"]
    assert "'../x' leads out of the output folder" in error
    assert str(base) not in error


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [((400, 300), 100, (100, 75)), ((300, 400), 100, (75, 100)), ((40, 30), 100, (40, 30)), ((4000, 3), 16, (16, 1))],
)
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp"])
def test_the_longer_side_of_a_preview_is_at_most_what_was_asked_for(base, name, size, side, expected):
    save(base / "output" / name, size=size)
    for preview in ("webp;80", "jpeg"):
        status, _, body = ask(base, {"filename": name, "preview": preview, "size": str(side)})
        assert (status, opened(body).size) == (200, expected)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_pictures_of_every_kind_are_shrunk(base, mode):
    save(base / "output" / "a.png", mode=mode, size=(64, 32), colour=None if mode in ("P", "1") else 0)
    status, _, body = ask(base, {"filename": "a.png", "preview": "webp", "size": "16"})
    assert (status, opened(body).size) == (200, (16, 8))


def test_a_shrunk_picture_keeps_its_colours_its_alpha_and_its_turn(base):
    turned = Image.Exif()
    turned[0x0112] = 6
    save(base / "output" / "a.jpg", size=(400, 200), colour=(200, 30, 40), exif=turned, quality=95)
    save(base / "output" / "b.png", mode="RGBA", size=(400, 200), colour=(200, 30, 40, 128))
    photo = opened(ask(base, {"filename": "a.jpg", "preview": "jpeg;95", "size": "100"})[2])
    assert photo.size == (50, 100)
    assert all(abs(one - other) < 6 for one, other in zip(photo.getpixel((25, 50)), (200, 30, 40), strict=True))
    clear = opened(ask(base, {"filename": "b.png", "preview": "webp;100", "size": "100"})[2])
    assert clear.mode == "RGBA"
    assert abs(clear.getpixel((50, 25))[3] - 128) < 3


@pytest.mark.parametrize("size", ["15", "2049", "-1", "x", "1e9", "256.5"])
def test_a_size_that_is_none_is_refused(base, size):
    save(base / "output" / "a.png")
    status, _, body = ask(base, {"filename": "a.png", "preview": "webp", "size": size})
    assert status == 400
    assert b"size" in body


def test_a_preview_the_client_has_already_is_not_made_again(base):
    save(base / "output" / "a.png", size=(64, 64))
    query = {"filename": "a.png", "preview": "webp", "size": "32"}
    _, first, _ = ask(base, query)
    assert first["Cache-Control"] == "no-cache"
    known = {"If-None-Match": first["ETag"]}
    assert ask(base, query, headers=known)[0] == 304
    assert ask(base, {**query, "size": "16"}, headers=known)[0] == 200
    assert ask(base, {**query, "preview": "jpeg"}, headers=known)[0] == 200
    save(base / "output" / "a.png", size=(64, 64), colour=(1, 2, 3))
    assert ask(base, query, headers=known)[0] == 200


def jpeg_header(width, height):
    """A JPEG that says it has this size, and holds nothing."""
    data = io.BytesIO()
    Image.new("RGB", (16, 16)).save(data, "JPEG")
    found = bytearray(data.getvalue())
    frame = found.index(b"\xff\xc0") + 5
    found[frame : frame + 4] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return bytes(found)


def test_a_photograph_too_large_even_for_a_part_of_it_is_refused(base):
    (base / "output" / "a.jpg").write_bytes(jpeg_header(65_000, 65_000))
    status, _, body = ask(base, {"filename": "a.jpg", "preview": "webp", "size": "256"})
    assert status == 413
    assert b"pixels" in body


@pytest.mark.slow
def test_a_photograph_of_200_megapixels_is_shrunk_in_little_memory(base):
    """In a process of its own, whose memory the system counts."""
    Image.new("L", (20_000, 10_000), 30).save(base / "output" / "a.jpg", quality=50)
    code = (
        "import re, sys; from pathlib import Path; from server.files import pictures;"
        "data, type = pictures.preview(Path(sys.argv[1]), 'webp;80', '', 256);"
        "print(len(data), re.search('VmHWM: *\\t* *([0-9]+)', Path('/proc/self/status').read_text())[1])"
    )
    ran = subprocess.run([sys.executable, "-c", code, base / "output" / "a.jpg"], capture_output=True, check=True)
    size, kilobytes = map(int, ran.stdout.split())
    assert size > 0
    assert kilobytes < 200 << 10
