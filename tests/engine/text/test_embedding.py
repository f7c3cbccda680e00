from pathlib import Path

import pytest
import torch

from engine.errors import CheckpointError
from engine.text.embedding import Embeddings, vectors

A = torch.arange(8.0).reshape(2, 4)
B = torch.arange(4.0)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"string_to_param": {"*": A}, "name": "x", "step": 5}, A),
        ([{"w": A, "other": torch.ones(3)}, {"v": B}], torch.cat([A, B[None]])),
        ({"clip_l": A, "clip_g": torch.ones(2, 9)}, A),
        ({"bundle_emb.x.string_to_param.*": A, "bundle_emb.y.clip_l": B, "lora_unet": B}, torch.cat([A, B[None]])),
        ({"emb_params": A}, A),
        ({"<cat>": B}, B[None]),
        ({"name": "no tensor"}, None),
        (A.half(), A),
        ({"clip_l": "no tensor"}, None),
        ({"bundle_emb.x.clip_l": A, "bundle_emb.x.clip_g": torch.ones(2, 9)}, A),
        ({"bundle_emb.x.string_to_param.*": A, "bundle_emb.y.string_to_param.*": torch.ones(2, 9)}, A),
        ({"*": torch.empty(0, 4)}, None),
    ],
)
def test_every_shape_of_embedding_file_gives_its_vectors(content, expected):
    found = vectors(content, "clip_l", 4)
    assert found is None if expected is None else torch.equal(found, expected)


def folders(tmp_path, read=lambda path: {"x": A}):
    (tmp_path / "embeddings" / "people").mkdir(parents=True)
    (tmp_path / "embeddings" / "style.pt").write_bytes(b"")
    (tmp_path / "embeddings" / "people" / "anna.safetensors").write_bytes(b"")
    (tmp_path / "secret.pt").write_bytes(b"")
    return Embeddings([tmp_path / "embeddings"], read)


@pytest.mark.parametrize("name", ["style", "style.pt", "anna", "people/anna"])
def test_a_name_is_found_with_or_without_its_suffix_and_in_any_subfolder(tmp_path, name):
    assert torch.equal(folders(tmp_path).find(name, "clip_l", 4), A)


@pytest.mark.parametrize("name", ["nobody", "../secret", "/etc/passwd", "style\0", "people", "x" * 5000])
def test_a_name_without_a_file_inside_the_folders_is_nothing(tmp_path, name, caplog):
    assert folders(tmp_path).find(name, "clip_l", 4) is None
    assert "no embedding" in caplog.text


def test_an_unreadable_file_is_left_out_with_its_reason(tmp_path, caplog):
    def read(path):
        raise CheckpointError("style.pt: empty")

    assert folders(tmp_path, read).find("style", "clip_l", 4) is None
    assert "style.pt: empty" in caplog.text


def test_a_file_whose_pickle_cannot_be_read_still_gives_its_numbers(tmp_path, caplog):
    rows = torch.randn(3, 768)
    found = folders(tmp_path, unreadable)
    torch.save({"string_to_param": {"*": rows}, "strange": Path("x")}, tmp_path / "embeddings" / "style.pt")
    assert torch.equal(found.find("style", "clip_l", 768), rows)
    assert found.find("style", "clip_l", 640) is None
    assert "read without" in caplog.text


def unreadable(path):
    raise CheckpointError("strange")


def test_every_file_that_is_no_zip_of_numbers_is_left_out(tmp_path):
    found = folders(tmp_path, unreadable)
    for content in (b"", b"PK\x03\x04 cut off", bytes(768 * 4)):
        (tmp_path / "embeddings" / "style.pt").write_bytes(content)
        assert found.find("style", "clip_l", 768) is None


@pytest.mark.parametrize(("encoder", "width"), [("clip_l", 768), ("clip_h", 1024), ("clip_g", 1280)])
def test_each_encoder_takes_its_own_vectors_from_a_file_for_several(tmp_path, encoder, width):
    words = {"clip_l": torch.randn(2, 768), "clip_h": torch.randn(3, 1024), "clip_g": torch.randn(4, 1280)}
    found = folders(tmp_path, lambda path: words).find("style", encoder, width)
    assert torch.equal(found, words[encoder])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"emb_params": torch.ones(2, 1024)}, "style.pt) is left out: its vectors are 1024 wide, clip_l reads 768"),
        ({"emb_params": torch.full((2, 768), torch.nan)}, "no numbers"),
        ({"name": "x"}, "no vectors for clip_l in it"),
    ],
)
def test_an_embedding_that_cannot_be_used_is_named_with_the_reason(tmp_path, caplog, content, said):
    folders(tmp_path, lambda path: content).find("style", "clip_l", 768)
    assert said in caplog.text
