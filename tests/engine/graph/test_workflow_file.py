"""engine.graph.workflow_file: every form a workflow is kept in is read, and all else refused in a sentence."""

import io
import json
import time
import zlib
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from engine.errors import PromptError
from engine.graph.nodetype import Input, NodeType, Output
from engine.graph.registry import Registry
from engine.graph.workflow_file import MAX_BYTES, read
from engine.metadata import exif, png_info

TYPES = Registry(
    [
        NodeType("Number", inputs=(Input("value", "INT"),), outputs=(Output("INT", "INT"),)),
        NodeType("Show", inputs=(Input("number", "NUMBER"), Input("text", "STRING")), is_output=True),
    ]
)
PROMPT = {
    "1": {"class_type": "Number", "inputs": {"value": 7}, "_meta": {"title": "Number"}},
    "2": {"class_type": "Show", "inputs": {"text": "a", "number": ["1", 0]}, "_meta": {"title": "Show"}},
}
EDITOR = {
    "nodes": [
        {"id": 1, "type": "Number", "outputs": [{"name": "INT", "type": "INT", "links": [5]}], "widgets_values": [7]},
        {"id": 2, "type": "Show", "inputs": [{"name": "number", "type": "NUMBER", "link": 5}], "widgets_values": ["a"]},
    ],
    "links": [[5, 1, 0, 2, 0, "INT"]],
    "version": 0.4,
}


def picture(form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, form, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("source", "has_editor"),
    [
        (PROMPT, False),
        (EDITOR, True),
        ({"prompt": PROMPT}, False),
        ({"prompt": PROMPT, "client_id": "x", "extra_data": {"extra_pnginfo": {"workflow": EDITOR}}}, True),
        ({"input": {"workflow": PROMPT, "images": []}}, False),
        ({"workflow": PROMPT}, False),
        ({"workflow": EDITOR}, True),
        ({"workflow": EDITOR, "output": PROMPT}, True),
        ({"prompt": PROMPT, "workflow": EDITOR}, True),
    ],
)
def test_every_wrapping_gives_the_same_prompt(source: dict[str, object], has_editor: bool, tmp_path: Path) -> None:
    text = json.dumps(source)
    (tmp_path / "w.json").write_text(text, encoding="utf-8-sig")
    for form in (source, text, text.encode(), "\n" + text, tmp_path / "w.json", str(tmp_path / "w.json")):
        found = read(form, TYPES)
        assert found.prompt == PROMPT
        assert found.workflow == (EDITOR if has_editor else None)
        assert found.notes == []


@pytest.mark.parametrize("form", ["PNG", "WEBP", "JPEG"])
def test_a_picture_gives_the_prompt_that_made_it_and_the_graph_beside_it(form: str, tmp_path: Path) -> None:
    def carrying(*what: object) -> bytes:
        if form == "PNG":
            return picture(form, pnginfo=png_info(*what))  # type: ignore[arg-type]
        return picture(form, exif=exif(*what))  # type: ignore[arg-type]

    file = tmp_path / "p.any"
    file.write_bytes(carrying(PROMPT, {"workflow": EDITOR}))
    for source in (file, file.read_bytes()):
        assert (read(source, TYPES).prompt, read(source, TYPES).workflow) == (PROMPT, EDITOR)
    assert read(carrying(PROMPT), TYPES).workflow is None
    assert read(carrying(None, {"workflow": EDITOR}), TYPES).prompt == PROMPT


def test_a_picture_whose_prompt_is_broken_falls_back_to_its_graph_and_says_so() -> None:
    found = read(picture("PNG", pnginfo=png_info({"a": 1}, {"workflow": EDITOR})), TYPES)
    assert found.prompt == PROMPT
    assert "its prompt cannot be used" in found.notes[0]


def test_bare_nan_in_old_pictures_is_let_through() -> None:
    text = json.dumps(PROMPT).replace('"_meta"', '"is_changed": [NaN], "_meta"')
    assert read(text, TYPES).prompt == PROMPT


def test_unknown_types_are_noted_and_pruned_away_when_no_output_needs_them() -> None:
    workflow = {**EDITOR, "nodes": [*EDITOR["nodes"], {"id": 3, "type": "Alien", "widgets_values": [1]}]}  # type: ignore[misc]
    found = read(workflow, TYPES)
    assert "3" in found.prompt
    assert "node 3: unknown type 'Alien'" in found.notes[0]
    assert read(workflow, TYPES, prune=True).prompt == PROMPT


def test_texts_of_an_editors_file_are_settled_when_asked() -> None:
    types = Registry([NodeType("Save", inputs=(Input("filename_prefix", "STRING"),), is_output=True)])
    drawn = {"nodes": [{"id": 1, "type": "Save", "widgets_values": ["%date:yyyy%"]}], "links": []}
    assert read(drawn, types).prompt["1"]["inputs"]["filename_prefix"] == "%date:yyyy%"
    assert read(drawn, types, random=Random(0)).prompt["1"]["inputs"]["filename_prefix"] == time.strftime("%Y")


BAD = {
    "empty": (b"", "this is empty"),
    "blank": (b" \n ", "this is empty"),
    "not JSON": (b"hello", "not JSON"),
    "cut JSON": (b'{"1": {"class_type"', "not JSON"),
    "binary": (bytes(range(256)), "expected a workflow"),
    "UTF-16 rubbish": (b"\xff\xfe\x00\xd8", "expected a workflow"),
    "a list": (b"[1, 2]", "not an object of nodes"),
    "a number": (b"7", "not an object of nodes"),
    "no nodes": (b"{}", "no nodes"),
    "another object": (b'{"name": "x", "version": 3}', "class_type"),
    "nodes that are none": (b'{"nodes": [1]}', "a node should be an object"),
    "a node without a type": (b'{"nodes": [{"id": 1}]}', "needs an id and a type"),
    "no links": (b'{"nodes": [{"id": 1, "type": "Show"}], "links": 3}', "links should be a list"),
    "nothing that runs": (b'{"nodes": [{"id": 1, "type": "Note"}], "links": []}', "nothing in this workflow runs"),
    "inputs that are a list": (b'{"1": {"class_type": "Show", "inputs": []}}', "inputs is an object"),
    "a node that is text": (b'{"1": {"class_type": "Show"}, "2": "x"}', "node '2'"),
    "deep JSON": (b"[" * 100_000, "nested too deeply"),
    "deep object": (b'{"1":' * 700 + b"1" + b"}" * 700, "nested too deeply"),
    "a huge number": (b'{"1": {"class_type": "Show", "inputs": {"a": ' + b"9" * 5000 + b"}}}", "number"),
    "a PNG without a workflow": (picture("PNG"), "no workflow inside"),
    "a WebP without a workflow": (picture("WEBP"), "no workflow inside"),
    "half a PNG": (picture("PNG", pnginfo=png_info(PROMPT))[:100], "cut short"),
    "a PNG's first bytes": (b"\x89PNG\r\n\x1a\n", "no workflow inside"),
    "a PNG whose texts are rubbish": (picture("PNG", pnginfo=png_info({}, {"workflow": 3})), "cannot be used"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    data, expected = BAD[name]
    (tmp_path / "bad.json").write_bytes(data)
    with pytest.raises(PromptError, match=expected):
        read(data, TYPES)
    with pytest.raises(PromptError, match=expected) as caught:
        read(tmp_path / "bad.json", TYPES)
    assert "bad.json" in str(caught.value) or "picture" in str(caught.value)


def test_a_file_that_is_too_large_is_refused_without_reading_it(tmp_path: Path) -> None:
    huge = tmp_path / "huge.json"
    with open(huge, "wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(PromptError, match="100,000,000 bytes, more than 20,000,000"):
        read(huge, TYPES)
    with pytest.raises(PromptError, match="more than"):
        read(b"{" + b" " * MAX_BYTES + b"}", TYPES)


@pytest.mark.parametrize("path", ["", "nowhere.json", "/", "nul\0.json", "x" * 5000, "\ud800.json"])
def test_a_path_that_cannot_be_read_is_refused(path: str) -> None:
    with pytest.raises(PromptError, match=r"cannot be read|this is empty"):
        read(path, TYPES)
    if path:
        with pytest.raises(PromptError, match="cannot be read"):
            read(Path(path), TYPES)


def test_a_picture_that_unpacks_to_a_bomb_is_refused() -> None:
    plain = picture("PNG")
    body = b"zTXtprompt\0\0" + zlib.compress(b" " * (65 << 20))
    bomb = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    with pytest.raises(PromptError, match="no workflow inside"):
        read(plain[:33] + bomb + plain[33:], TYPES)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
WORDS = st.sampled_from(
    (
        *("id", "type", "mode", "inputs", "outputs", "links", "link", "name", "widget", "widgets_values"),
        *("widgets_values_named", "properties", "proxyWidgets", "definitions", "subgraphs", "extra", "groupNodes"),
        *("nodes", "config", "origin_id", "origin_slot", "target_id", "target_slot", "prompt", "workflow"),
        *("class_type", "input", "output", "1", "2", "-10", "-20", "Number", "Show", "Reroute", "PrimitiveNode"),
        *("GetNode", "SetNode", "workflow/g"),
    )
)
NEAR_JSON = st.recursive(
    WORDS | st.integers(-20, 5) | st.none() | st.floats(),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(WORDS, inner, max_size=6),
    max_leaves=40,
)


def only_a_prompt_error(source: object) -> None:
    with suppress(PromptError):
        assert read(source, TYPES).prompt  # type: ignore[arg-type]


@given(st.binary() | st.text().map(lambda text: "{" + text) | JSON.map(lambda value: json.dumps(value).encode()))
@example(b"\x00\x00\x00{")
@example(b"{\x00\x00\x00")
def test_rubbish_raises_nothing_but_prompt_errors(source: bytes | str) -> None:
    only_a_prompt_error(source)


@given(st.dictionaries(WORDS, NEAR_JSON))
def test_almost_a_workflow_raises_nothing_but_prompt_errors(source: dict[str, object]) -> None:
    only_a_prompt_error(source)


NODE = st.fixed_dictionaries(
    {"id": st.integers(-20, 6) | WORDS, "type": WORDS | st.sampled_from(["sub"])},
    optional={
        "mode": st.sampled_from([0, 2, 4]) | NEAR_JSON,
        "inputs": st.lists(
            st.fixed_dictionaries({"name": WORDS, "link": st.integers(0, 6), "widget": st.none() | NEAR_JSON}),
            max_size=3,
        ),
        "outputs": st.lists(st.fixed_dictionaries({"type": WORDS}), max_size=2) | NEAR_JSON,
        "widgets_values": st.lists(NEAR_JSON, max_size=4) | NEAR_JSON,
        "properties": st.fixed_dictionaries({"proxyWidgets": NEAR_JSON}) | NEAR_JSON,
        "widgets_values_named": NEAR_JSON,
    },
)
WIRES = st.lists(st.lists(st.integers(-20, 6) | st.sampled_from([-10, -20, None]), min_size=6, max_size=6), max_size=8)
GRAPH = st.fixed_dictionaries({"nodes": st.lists(NODE, max_size=6), "links": WIRES})


@given(GRAPH, GRAPH, GRAPH)
def test_graphs_wired_at_random_raise_nothing_but_prompt_errors(
    root: dict[str, object], inner: dict[str, object], group: dict[str, object]
) -> None:
    definition = {**inner, "id": "sub", "inputs": [{"name": "1"}, {"name": "value"}]}
    only_a_prompt_error({**root, "definitions": {"subgraphs": [definition]}, "extra": {"groupNodes": {"g": group}}})
