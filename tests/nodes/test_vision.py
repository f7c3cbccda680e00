"""Nodes that look at pictures: files in real layouts, outputs by attribute and item, and what is refused."""

import pytest
import torch
from safetensors.torch import save_file
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from engine.checkpoints.load import Loader
from engine.errors import CheckpointError, ImageError, SamplingError
from engine.folders import Folders
from nodes.vision import clip_vision_encode, clip_vision_loader

SMALL = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 1,
    "patch_size": 8,
    "image_size": 32,
}


@pytest.fixture
def folders(tmp_path):
    (tmp_path / "models" / "clip_vision").mkdir(parents=True)
    return Folders(tmp_path, embedded=tmp_path / "none")


@pytest.fixture(scope="module")
def clip():
    torch.manual_seed(0)
    return CLIPVisionModelWithProjection(CLIPVisionConfig(**SMALL, projection_dim=24)).eval()


@pytest.fixture(scope="module")
def siglip():
    torch.manual_seed(0)
    return SiglipVisionModel(SiglipVisionConfig(**SMALL)).eval()


@pytest.fixture
def picture():
    return torch.rand(2, 41, 53, 3, generator=torch.Generator().manual_seed(1))


def weights(net):
    return {name: tensor.contiguous() for name, tensor in net.state_dict().items() if "position_ids" not in name}


def load(folders, tensors, name="eyes.safetensors"):
    save_file(tensors, folders.base / "models" / "clip_vision" / name)
    return clip_vision_loader(clip_name=name, folders=folders, loader=Loader())


@pytest.mark.parametrize("crop", ["center", "none"])
def test_a_picture_of_odd_size_is_seen_as_transformers_sees_it(folders, clip, picture, crop):
    eyes = load(folders, weights(clip))
    seen = clip_vision_encode(clip_vision=eyes, image=picture, crop=crop)
    with torch.no_grad():
        expected = clip(eyes.ready(picture, crop == "center"), output_hidden_states=True)
    torch.testing.assert_close(seen.image_embeds, expected.image_embeds)
    torch.testing.assert_close(seen["last_hidden_state"], expected.last_hidden_state)
    torch.testing.assert_close(seen.penultimate_hidden_states, expected.hidden_states[-2])
    assert "image_embeds" in seen
    assert seen["mm_projected"] is None


def test_a_picture_of_the_right_size_is_made_ready_exactly_as_by_transformers(folders, clip):
    eyes = load(folders, weights(clip))
    eight = torch.randint(0, 256, (1, 32, 32, 3), generator=torch.Generator().manual_seed(2), dtype=torch.uint8)
    processor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    expected = processor(eight[0].numpy(), return_tensors="pt").pixel_values
    torch.testing.assert_close(eyes.ready(eight / 255.0), expected, atol=1e-5, rtol=0)


def test_alpha_is_dropped_and_grey_is_grey(folders, clip, picture):
    eyes = load(folders, weights(clip))
    plain = eyes.look(picture).image_embeds
    alpha = torch.cat([picture, torch.rand(2, 41, 53, 1)], dim=-1)
    assert torch.equal(eyes.look(alpha).image_embeds, plain)
    grey = picture[..., :1]
    assert torch.equal(eyes.look(grey).image_embeds, eyes.look(grey.expand(-1, -1, -1, 3)).image_embeds)


def test_siglip_sees_as_in_transformers(folders, siglip, picture):
    wanted = {f"vision_model.{name.removeprefix('vision_model.')}": each for name, each in weights(siglip).items()}
    eyes = load(folders, wanted)
    seen = clip_vision_encode(clip_vision=eyes, image=picture, crop="center")
    pixels = eyes.ready(picture)
    assert pixels.amin() >= -1.0
    with torch.no_grad():
        expected = siglip(pixels, output_hidden_states=True)
    torch.testing.assert_close(seen.last_hidden_state, expected.last_hidden_state)
    torch.testing.assert_close(seen.image_embeds, expected.last_hidden_state)
    torch.testing.assert_close(seen.penultimate_hidden_states, expected.hidden_states[-2])


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"lora_unet_x.lora_up.weight": torch.zeros(2)}, r"no CLIP vision tower inside; it is a LoRA"),
        ({"image_proj.latents": torch.zeros(2)}, r"no CLIP vision tower inside; it is an IP-Adapter"),
        ({"embeddings.cls_token": torch.zeros(2)}, r"DINOv2"),
        ({"vision_model.embeddings.class_embedding": torch.zeros(2)}, r"with the projection"),
    ],
    ids=["LoRA", "IP-Adapter", "DINOv2", "no projection"],
)
def test_a_file_of_something_else_is_named(folders, tensors, message):
    with pytest.raises(CheckpointError, match=message) as caught:
        load(folders, tensors, "other.safetensors")
    assert "other.safetensors" in str(caught.value)
    assert caught.value.input == "clip_name"


def test_a_tower_that_lacks_a_tensor_is_refused_by_its_name(folders, clip):
    tensors = weights(clip)
    del tensors["vision_model.encoder.layers.1.mlp.fc2.weight"]
    with pytest.raises(CheckpointError, match=r"encoder\.layers\.1\.mlp\.fc2\.weight is missing"):
        load(folders, tensors)


def test_what_is_no_number_is_refused(folders, clip, picture):
    eyes = load(folders, weights(clip))
    with pytest.raises(ImageError, match="no numbers"):
        clip_vision_encode(clip_vision=eyes, image=picture * float("nan"), crop="center")
    tensors = weights(clip)
    tensors["visual_projection.weight"] = tensors["visual_projection.weight"] * float("nan")
    with pytest.raises(SamplingError, match="its file is damaged"):
        clip_vision_encode(clip_vision=load(folders, tensors), image=picture, crop="center")


def test_a_checkpoint_without_eyes_is_told(picture):
    with pytest.raises(CheckpointError, match="CLIPVisionLoader"):
        clip_vision_encode(clip_vision=None, image=picture, crop="center")
