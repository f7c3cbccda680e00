"""CLIP's eyes against transformers' own, in both layouts of files."""

import pytest
import torch
from torch import Tensor
from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

from engine.checkpoints.load import Loader
from engine.checkpoints.tensors import in_memory
from engine.errors import CheckpointError
from engine.models.vision import preprocessed
from tests import families


@pytest.fixture(scope="module")
def theirs() -> CLIPVisionModelWithProjection:
    return families.tower()


@pytest.fixture
def pixels() -> Tensor:
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def _weights(model) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in model.state_dict().items() if not name.endswith("position_ids")}


def test_it_sees_what_transformers_sees(theirs, pixels):
    seen = Loader().clip_vision(in_memory("vision", _weights(theirs))).see(pixels, keeps_all=True)
    with torch.no_grad():
        expected = theirs(pixels, output_hidden_states=True)
    torch.testing.assert_close(seen.image_embeds, expected.image_embeds)
    torch.testing.assert_close(seen.last_hidden_state, expected.last_hidden_state)
    torch.testing.assert_close(seen.penultimate_hidden_states, expected.hidden_states[-2])
    torch.testing.assert_close(seen.all_hidden_states[:, 1], expected.hidden_states[1])


def test_a_tower_in_open_clips_layout_is_the_same_tower(theirs, pixels):
    vision = Loader().clip_vision(in_memory("vision", _as_open_clip(_weights(theirs))))
    expected = Loader().clip_vision(in_memory("vision", _weights(theirs))).see(pixels)
    torch.testing.assert_close(vision.see(pixels).image_embeds, expected.image_embeds)


def test_pictures_are_made_ready_as_by_transformers(theirs):
    y, x = torch.meshgrid(torch.linspace(0, 1, 50), torch.linspace(0, 1, 40), indexing="ij")
    picture = torch.stack([x, y, (x * y * 6).sin().abs()], dim=-1)[None]
    processor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    eight = (picture * 255).round().to(torch.uint8)[0].numpy()
    expected = processor(eight, return_tensors="pt").pixel_values
    found = preprocessed(torch.from_numpy(eight)[None] / 255.0, 32)
    torch.testing.assert_close(found, expected, atol=0.02, rtol=0)  # one step of 8 bits: Pillow rounds in between


def test_without_cropping_the_whole_picture_is_stretched():
    picture = torch.linspace(0, 1, 64).view(1, 1, 64, 1).expand(1, 32, 64, 3)
    plain = preprocessed(picture, 32, (0.0,) * 3, (1.0,) * 3, crop=False)
    assert plain.shape == (1, 3, 32, 32)
    assert plain[0, 0, 0, 0] < 0.03
    assert plain[0, 0, 0, -1] > 0.97
    cropped = preprocessed(picture, 32, (0.0,) * 3, (1.0,) * 3)
    assert cropped[0, 0, 0, 0] > 0.2


def test_a_file_of_something_else_is_refused_by_name():
    with pytest.raises(CheckpointError, match=r"model.bin: no CLIP vision tower inside"):
        Loader().clip_vision(in_memory("model.bin", {"a": torch.zeros(1)}))


def _as_open_clip(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    made: dict[str, Tensor] = {}
    plain = {name.removeprefix("vision_model."): tensor for name, tensor in tensors.items()}
    names = {
        "embeddings.class_embedding": "class_embedding",
        "embeddings.patch_embedding.weight": "conv1.weight",
        "embeddings.position_embedding.weight": "positional_embedding",
        "pre_layrnorm.weight": "ln_pre.weight",
        "pre_layrnorm.bias": "ln_pre.bias",
        "post_layernorm.weight": "ln_post.weight",
        "post_layernorm.bias": "ln_post.bias",
    }
    for ours, name in names.items():
        made[f"visual.{name}"] = plain[ours]
    made["visual.proj"] = plain["visual_projection.weight"].T
    for i in range(3):
        block, other = f"encoder.layers.{i}", f"visual.transformer.resblocks.{i}"
        for kind in ("weight", "bias"):
            parts = [plain[f"{block}.self_attn.{each}_proj.{kind}"] for each in "qkv"]
            made[f"{other}.attn.in_proj_{kind}"] = torch.cat(parts)
            made[f"{other}.attn.out_proj.{kind}"] = plain[f"{block}.self_attn.out_proj.{kind}"]
            for a, b in (("ln_1", "layer_norm1"), ("ln_2", "layer_norm2")):
                made[f"{other}.{a}.{kind}"] = plain[f"{block}.{b}.{kind}"]
            for a, b in (("c_fc", "fc1"), ("c_proj", "fc2")):
                made[f"{other}.mlp.{a}.{kind}"] = plain[f"{block}.mlp.{b}.{kind}"]
    return made
