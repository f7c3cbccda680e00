"""engine.metadata: what is written is read back, by us and by Pillow, and rubbish is answered with nothing."""

import io
import json
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from engine.errors import PathError
from engine.metadata import (
    LARGEST_TEXT,
    exif,
    is_picture,
    origin,
    png_info,
    read_origin,
    read_workflow,
    with_origin,
)

PROMPT = {"3": {"class_type": "Ä", "inputs": {"text": "猫 \u0000 é", "seed": 2**64 - 1}}}
WORKFLOW = {"nodes": [], "links": [], "version": 0.4}


def png(info: PngInfo) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def picture(form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, form, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG whose first chunk after the header is this one."""
    plain = picture("PNG")
    return plain[:33] + chunk(kind, data) + plain[33:]


def test_a_png_gives_back_what_was_written_to_it() -> None:
    data = png(png_info(PROMPT, {"workflow": WORKFLOW}))
    found = read_workflow(data)
    assert {key: json.loads(text) for key, text in found.items()} == {"prompt": PROMPT, "workflow": WORKFLOW}
    with Image.open(io.BytesIO(data)) as image:
        assert json.loads(image.info["prompt"]) == PROMPT
    assert b"tEXtprompt\0{" in data


@pytest.mark.parametrize("form", ["WEBP", "JPEG"])
def test_webp_and_jpeg_give_back_what_was_written_to_them(form: str) -> None:
    data = picture(form, exif=exif(PROMPT, {"workflow": WORKFLOW, "more": 1}))
    assert {key: json.loads(text) for key, text in read_workflow(data).items()} == {
        "prompt": PROMPT,
        "workflow": WORKFLOW,
    }
    with Image.open(io.BytesIO(data)) as image:
        tags = image.getexif()
    assert tags[0x0110].startswith('prompt:{"3"')
    assert tags[0x010F].startswith("workflow:{")
    assert tags[0x010E] == "more:1"


def test_a_file_is_read_as_its_bytes_are(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(png_info(PROMPT)))
    assert json.loads(read_workflow(tmp_path / "a.png")["prompt"]) == PROMPT
    with pytest.raises(PathError, match=r"b\.png"):
        read_workflow(tmp_path / "b.png")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (b"tEXt", b"workflow\0{}"),
        (b"zTXt", b"workflow\0\0" + zlib.compress(b"{}")),
        (b"iTXt", b"workflow\0\0\0de\0Ablauf\0{}"),
        (b"iTXt", b"Workflow\0\1\0\0\0" + zlib.compress(b"{}")),
        (b"comf", b"workflow\0{}"),
    ],
)
def test_every_kind_of_text_chunk_is_read(kind: bytes, data: bytes) -> None:
    assert read_workflow(with_chunk(kind, data)) == {"workflow": "{}"}


def test_text_chunks_after_the_pixels_are_read() -> None:
    plain = picture("PNG")
    assert read_workflow(plain[:-12] + chunk(b"tEXt", b"prompt\0{}") + plain[-12:]) == {"prompt": "{}"}


def test_text_that_is_utf8_where_latin_1_was_promised_is_read_as_utf8() -> None:
    assert read_workflow(with_chunk(b"tEXt", b"prompt\0" + '"猫"'.encode())) == {"prompt": '"猫"'}
    assert read_workflow(with_chunk(b"tEXt", b"prompt\0" + "é".encode("latin-1"))) == {"prompt": "é"}


def test_a_text_that_unpacks_to_too_much_is_left_out() -> None:
    bomb = zlib.compress(b"\0" * (LARGEST_TEXT + 1))
    assert read_workflow(with_chunk(b"zTXt", b"prompt\0\0" + bomb)) == {}


def test_other_byte_orders_of_exif_are_read() -> None:
    text = b"workflow:{}\0"
    big = b"MM\0*" + struct.pack(">IHHHIII", 8, 1, 0x010F, 2, len(text), 26, 0) + text
    webp = picture("WEBP")
    body = webp[12:] + b"EXIF" + struct.pack("<I", len(big)) + big
    assert read_workflow(b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body) == {"workflow": "{}"}


def test_no_bare_nan_is_written() -> None:
    text = read_workflow(png(png_info({"1": {"is_changed": [float("nan")], "x": float("inf")}})))["prompt"]
    assert json.loads(text) == {"1": {"is_changed": [None], "x": None}}


def test_keys_png_cannot_hold_are_left_out() -> None:
    data = png(png_info({}, {"": 1, "x" * 80: 2, "a\0b": 3, "猫": 4, "fine": 5}))
    with Image.open(io.BytesIO(data)) as image:
        assert image.info == {"prompt": "{}", "fine": "5"}


def test_without_a_prompt_none_is_written() -> None:
    assert read_workflow(png(png_info(None))) == {}


@pytest.mark.parametrize("data", [b"", b"{}", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"\xff\xd8\xff"])
def test_what_carries_nothing_gives_nothing(data: bytes) -> None:
    assert read_workflow(data) == {}


def test_a_png_cut_short_gives_what_was_whole() -> None:
    data = with_chunk(b"tEXt", b"prompt\0{}")
    ends = [len(read_workflow(data[:length])) for length in range(len(data))]
    assert ends == sorted(ends)
    assert ends[-1] == 1


SAMPLES = [
    png(png_info(PROMPT, {"workflow": WORKFLOW})),
    with_chunk(b"zTXt", b"workflow\0\0" + zlib.compress(b"{}")),
    picture("WEBP", exif=exif(PROMPT, {"workflow": WORKFLOW})),
    picture("JPEG", exif=exif(PROMPT)),
]


@given(st.sampled_from(SAMPLES), st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=8))
def test_no_damage_makes_it_fail(sample: bytes, damage: list[tuple[int, int]]) -> None:
    broken = bytearray(sample)
    for place, value in damage:
        broken[place % len(broken)] = value
    assert set(read_workflow(bytes(broken))) <= {"workflow", "prompt"}


@given(st.sampled_from([sample[:12] for sample in SAMPLES]), st.binary())
def test_no_rubbish_makes_it_fail(head: bytes, rubbish: bytes) -> None:
    assert is_picture(head)
    assert set(read_workflow(head + rubbish)) <= {"workflow", "prompt"}


def test_the_origin_of_a_picture_comes_first_and_is_found_again(tmp_path: Path) -> None:
    text = origin(job="a", node="9.0.0.ß", call=0, index=3)
    path = tmp_path / "a.png"
    path.write_bytes(png(with_origin(png_info(PROMPT, {"workflow": WORKFLOW}), text)))
    assert read_origin(path) == text
    assert set(read_workflow(path)) == {"prompt", "workflow"}
    assert path.read_bytes()[33 + 4 : 33 + 19] == b"tEXtlatentwire\0"


def test_nobody_can_give_a_picture_another_origin_from_outside(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(png_info(None, {"latentwire": "forged"})))
    assert read_origin(tmp_path / "a.png") is None


def test_other_files_have_no_origin(tmp_path: Path) -> None:
    whole = png(with_origin(png_info(None), "x"))
    for name, content in {
        "a": b"",
        "b": whole[:20],
        "c": whole[:40],
        "d": b"GIF89a",
        "e": png(png_info(PROMPT)),
    }.items():
        (tmp_path / name).write_bytes(content)
        assert read_origin(tmp_path / name) is None
    assert read_origin(tmp_path) is None
    assert read_origin(tmp_path / "gone") is None
