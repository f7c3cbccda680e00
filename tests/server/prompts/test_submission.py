"""server.prompts.submission: a body taken apart and judged, without a server around it."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from engine.folders import Folders
from engine.graph import describe
from engine.graph.nodetype import Input, NodeType, Output
from engine.graph.registry import Registry
from server.prompts import submission
from server.prompts.submission import Candidate
from server.requests.refusal import Refused
from tests.server.quiet import PROMPT, prompt, snapshot

ID = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    base = tmp_path_factory.mktemp("base")
    for kind, name in (("checkpoints", "icons.safetensors"), ("checkpoints", "sub/other.ckpt"), ("vae", "small.pt")):
        file = base / "models" / kind / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    entries: dict[str, Any] = snapshot()
    entries["VAELoader"][describe.FLAGS]["files"] = {"vae_name": ["vae", "pixel_space"]}
    folders = Folders(base)
    types = [describe.read(entry, folders) for entry in entries.values()]
    asks = NodeType(
        "Asks", inputs=(Input("value", "INT"),), outputs=(Output("INT", "INT"),), validate_inputs=("value",)
    )
    shows = NodeType("Shows", inputs=(Input("value", "INT"),), is_output=True)
    return Registry([*types, asks, shows])


def read(**body: Any) -> submission.Submission:
    return submission.read(json.dumps(body).encode())


def judge(registry: Registry, **body: Any) -> Candidate:
    return submission.judge(read(**body), registry, 1_700_000_000_000)


def refused(registry: Registry, **body: Any) -> Mapping[str, Any]:
    with pytest.raises(Refused) as caught:
        judge(registry, **body)
    assert caught.value.status == 400
    assert caught.value.body is not None
    return caught.value.body


def test_every_field_finds_its_place() -> None:
    sent = read(
        prompt=PROMPT,
        client_id="me",
        prompt_id=ID,
        number=2,
        front=True,
        extra_data={"extra_pnginfo": {"workflow": {}}, "api_key_comfy_org": "k"},
        partial_execution_targets=["9"],
        unknown={"a": 1},
    )
    assert (sent.id, sent.is_named, sent.graph, sent.is_foreign) == (ID, True, PROMPT, False)
    assert (sent.client_id, sent.number, sent.front, sent.targets) == ("me", 2.0, True, ["9"])
    assert sent.extra_data == {"extra_pnginfo": {"workflow": {}}, "api_key_comfy_org": "k"}


def test_lenient_clients_are_understood() -> None:
    """They send texts of numbers, and numbers for texts and for true."""
    sent = read(prompt=PROMPT, client_id=17, number="-2.5", front=1)
    assert (sent.client_id, sent.number, sent.front) == ("17", -2.5, True)
    assert read(prompt=PROMPT, client_id=0, front=0).client_id == "0"


def test_null_is_as_good_as_nothing() -> None:
    names = ("client_id", "prompt_id", "number", "front", "extra_data", "partial_execution_targets")
    sent = read(prompt=PROMPT, **dict.fromkeys(names))
    assert (sent.is_named, sent.client_id, sent.number, sent.front, sent.extra_data, sent.targets) == (
        False,
        None,
        None,
        False,
        {},
        None,
    )
    assert read(prompt=PROMPT, client_id="").client_id is None


def test_the_digest_is_of_the_whole_body() -> None:
    assert read(prompt=PROMPT).digest == read(prompt=PROMPT).digest
    assert read(prompt=PROMPT).digest != read(prompt=PROMPT, client_id="me").digest
    assert read(prompt=PROMPT).digest != read(prompt=prompt(_3={"seed": 2})).digest
    assert read(prompt=PROMPT).id != read(prompt=PROMPT).id


def test_a_job_knows_its_model_files(registry: Registry) -> None:
    graph = {
        **PROMPT,
        "10": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sub/other.ckpt"}},
        "11": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "icons.safetensors"}},
        "12": {"class_type": "VAELoader", "inputs": {"vae_name": "small.pt"}},
        "13": {"class_type": "VAELoader", "inputs": {"vae_name": "pixel_space"}},
        "14": {"class_type": "LoadImage", "inputs": {"image": "a.png"}},
    }
    assert judge(registry, prompt=graph).new.models == ("icons.safetensors", "sub/other.ckpt", "small.pt")


def test_authors_are_asked_about_nodes_that_are_needed_and_not_about_others(registry: Registry) -> None:
    def node(name: str, value: object) -> dict[str, Any]:
        return {"class_type": name, "inputs": {"value": value}}

    graph = {"b": node("Asks", 1), "a": node("Asks", ["b", 0]), "c": node("Asks", 2), "d": node("Shows", ["a", 0])}
    assert judge(registry, prompt=graph).asks == ("b", "a")
    assert judge(registry, prompt=PROMPT).asks == ()


def test_checks_that_only_look_at_files_are_made_here(registry: Registry) -> None:
    body = refused(registry, prompt=prompt(_9={"filename_prefix": "../outside"}))
    assert body["node_errors"]["9"]["errors"][0]["type"] == "custom_validation_failed"


def test_values_are_converted_and_unknown_keys_kept(registry: Registry) -> None:
    graph = prompt(_3={"steps": "20"})
    graph["3"]["_meta"] = {"title": "Draw"}
    graph["3"]["mine"] = {"a": [1]}
    new = judge(registry, prompt=graph).new
    assert new.prompt["3"]["inputs"]["steps"] == 20
    assert new.prompt["3"]["_meta"] == {"title": "Draw"}
    assert new.prompt["3"]["mine"] == {"a": [1]}
    assert (new.outputs, new.created) == (("9",), 1_700_000_000_000)


def test_an_unknown_class_names_node_class_and_title(registry: Registry) -> None:
    graph = {**PROMPT, "3": {"class_type": "Ksample", "inputs": {}, "_meta": {"title": "Draw"}}}
    error = refused(registry, prompt=graph)["error"]
    assert error["type"] == "missing_node_type"
    info = error["extra_info"]
    assert (info["node_id"], info["class_type"], info["node_title"]) == ("3", "Ksample", "Draw")
    assert "KSampler" in info["remedy"]


def test_a_text_in_the_picture_that_is_there_already_is_kept(registry: Registry) -> None:
    drawn = {"nodes": [{"id": 1, "type": "Shows", "widgets_values": [3]}], "links": [], "id": "drawn"}
    theirs = {"extra_pnginfo": {"workflow": {"id": "theirs"}, "other": 1}}
    candidate = judge(registry, prompt=drawn, extra_data=theirs)
    assert candidate.new.extra_data == theirs
    candidate = judge(registry, prompt=drawn, extra_data={"extra_pnginfo": {"other": 1}})
    assert candidate.new.extra_data == {"extra_pnginfo": {"other": 1, "workflow": drawn}}
    assert candidate.became == {"1": {"class_type": "Shows", "inputs": {"value": 3}, "_meta": {"title": "Shows"}}}


def test_a_picture_named_file_of_another_kind_is_no_picture() -> None:
    for data in (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"RIFF....WEBP"):
        assert submission.read(data).is_foreign
    with pytest.raises(Refused):
        submission.read(b"GIF89a")


@pytest.mark.parametrize("body", [{}, {"client_id": "me"}, {"workflow": {}}, {"workflow": None}, {"output": []}])
def test_a_request_without_a_prompt_says_so(registry: Registry, body: dict[str, Any]) -> None:
    assert refused(registry, **body)["error"]["type"] == "no_prompt"


def test_ids_of_jobs_are_uuids_in_their_one_form() -> None:
    assert submission.is_id(ID)
    for text in (
        "",
        "a",
        ID.upper(),
        ID.replace("-", ""),
        f"{ID}\n",
        f"{{{ID}}}",
        f"urn:uuid:{ID}",
        ID.replace("6", "٦"),
    ):
        assert not submission.is_id(text)


def test_nodes_with_errors_are_told_up_to_a_bound(registry: Registry) -> None:
    graph = {str(number): {"class_type": "Shows", "inputs": {}} for number in range(1500)}
    assert len(refused(registry, prompt=graph)["node_errors"]) == submission.MAX_REPORTED_NODES


def test_an_empty_object_is_said_to_be_empty(registry: Registry) -> None:
    with pytest.raises(Refused) as caught:
        submission.judge(submission.read(b"{}"), registry, 1)
    assert caught.value.body is not None
    assert caught.value.body["error"]["details"] == "the object is empty"
