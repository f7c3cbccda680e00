"""CLIP vision objects: transformers' numbers, outputs by attribute and by item."""

import comfy.clip_vision
import pytest
import torch
from safetensors.torch import save_file

from engine.errors import CheckpointError
from tests import families


@pytest.fixture(scope="module")
def theirs():
    return families.tower()


@pytest.fixture
def weights(theirs):
    return {name: tensor for name, tensor in theirs.state_dict().items() if not name.endswith("position_ids")}


@pytest.fixture
def picture():
    return torch.rand(2, 40, 48, 3, generator=torch.Generator().manual_seed(1))


def test_a_file_sees_what_transformers_sees(host, theirs, weights, picture, tmp_path):
    save_file(weights, tmp_path / "vision.safetensors")
    model = comfy.clip_vision.load(str(tmp_path / "vision.safetensors"))
    assert isinstance(model, comfy.clip_vision.ClipVisionModel)
    found = model.encode_image(picture)
    pixels = comfy.clip_vision.clip_preprocess(picture, 32)
    with torch.no_grad():
        expected = theirs(pixels, output_hidden_states=True)
    torch.testing.assert_close(found.image_embeds, expected.image_embeds)
    torch.testing.assert_close(found["last_hidden_state"], expected.last_hidden_state)
    torch.testing.assert_close(found.penultimate_hidden_states, expected.hidden_states[-2])
    assert found["mm_projected"] is None
    assert "image_embeds" in found
    assert model.patcher.model is model.model
    assert model.get_sd().keys() == weights.keys()


def test_size_mean_and_deviation_may_be_written(host, weights, picture):
    model = comfy.clip_vision.load_clipvision_from_sd(weights)
    assert (model.image_size, list(model.image_mean)) == (32, list(comfy.clip_vision.MEAN))
    usual = model.encode_image(picture).image_embeds
    model.image_mean, model.image_std = [0.5] * 3, [0.5] * 3
    assert not torch.allclose(model.encode_image(picture).image_embeds, usual)
    assert not torch.allclose(model.encode_image(picture, crop=False).image_embeds, usual)


def test_a_prefix_may_be_before_the_names(host, weights, picture):
    wrapped = {f"clip.{name}": tensor for name, tensor in weights.items()}
    model = comfy.clip_vision.load_clipvision_from_sd(wrapped, "clip.")
    plain = comfy.clip_vision.load_clipvision_from_sd(weights)
    assert torch.equal(model.encode_image(picture).image_embeds, plain.encode_image(picture).image_embeds)
    assert comfy.clip_vision.load_clipvision_from_sd({"a": torch.zeros(1)}) is None


def test_a_model_without_weights_takes_them_later(host, weights, picture):
    model = comfy.clip_vision.ClipVisionModel({"image_size": 32})
    with pytest.raises(RuntimeError, match="no weights yet"):
        model.encode_image(picture)
    assert model.load_sd(weights) == ([], [])
    assert model.encode_image(picture).image_embeds.shape == (2, 24)


def test_a_file_of_something_else_is_refused(host, tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match=r"other\.safetensors: no CLIP vision tower"):
        comfy.clip_vision.load(str(tmp_path / "other.safetensors"))


def test_an_output_can_be_made_by_hand():
    made = comfy.clip_vision.Output()
    made["image_embeds"] = 1
    made.last_hidden_state = 2
    assert (made.image_embeds, made["last_hidden_state"]) == (1, 2)
    assert not hasattr(made, "mm_projected")


def test_eyes_cross_the_border_and_come_back_as_they_were(host, weights, picture):
    from compat.crossing import enter, leave
    from engine.checkpoints.tensors import in_memory

    ours = host.loader.clip_vision(in_memory("eyes", weights))
    theirs = enter(ours)
    assert enter(ours) is theirs
    assert leave(theirs) is ours
    theirs.image_mean = [0.5] * 3
    left = leave(theirs)
    assert left is not ours
    assert torch.equal(left.look(picture).image_embeds, theirs.encode_image(picture).image_embeds)
    assert enter(left) is theirs


def test_what_our_node_saw_reads_for_a_plugin_as_its_own(host, weights, picture):
    from compat.crossing import enter
    from engine.checkpoints.tensors import in_memory

    ours = host.loader.clip_vision(in_memory("eyes", weights))
    seen = enter(ours.look(picture))
    assert isinstance(seen, comfy.clip_vision.Output)
    expected = comfy.clip_vision.load_clipvision_from_sd(weights).encode_image(picture)
    for name in ("image_embeds", "last_hidden_state", "penultimate_hidden_states"):
        assert torch.equal(seen[name], expected[name])
    assert (seen.mm_projected, seen.image_sizes) == (None, expected.image_sizes)
