"""Phrases in boxes: our UNet with a GLIGEN file beside it, against diffusers' UNet that has the same inside."""

import pytest
import torch
from diffusers import UNet2DConditionModel

from engine.checkpoints.keys import diffusers_unet_config, our_name, unet_names
from engine.checkpoints.load import Loader
from engine.checkpoints.tensors import in_memory
from engine.conditioning import BoxedPhrase
from engine.errors import CheckpointError, SamplingError
from engine.models.unet import UNet
from engine.models.unet_config import UNetConfig
from tests.engine.models.nets import apart, randomised

WIDTH = 40
X = torch.randn(2, 4, 8, 16, generator=torch.Generator().manual_seed(1))
TIMES = torch.tensor([3.0, 741.25])
CONTEXT = torch.randn(2, 5, WIDTH, generator=torch.Generator().manual_seed(2))
PHRASES = torch.randn(2, WIDTH, generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def theirs():
    net = UNet2DConditionModel(
        block_out_channels=(64, 128),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2,
        attention_head_dim=(1, 2),
        cross_attention_dim=WIDTH,
        use_linear_projection=True,
        attention_type="gated",
    )
    return randomised(net, seed=4)


@pytest.fixture(scope="module")
def tensors(theirs):
    """Everything in it, under the names of the first checkpoints."""
    weights = {name: tensor.detach() for name, tensor in theirs.state_dict().items()}
    names = unet_names(diffusers_unet_config({name: tuple(each.shape) for name, each in weights.items()}))
    return {our_name(name, names): tensor for name, tensor in weights.items()}


@pytest.fixture(scope="module")
def unet(tensors):
    own = {name: tensor for name, tensor in tensors.items() if not _is_gligen(name)}
    net = UNet(UNetConfig.from_shapes({name: tuple(tensor.shape) for name, tensor in own.items()}))
    net.load_state_dict(own)
    return net.eval()


@pytest.fixture(scope="module")
def file(tensors):
    return in_memory("boxes.safetensors", {name: each for name, each in tensors.items() if _is_gligen(name)})


def _is_gligen(name: str) -> bool:
    return ".fuser." in name or name.startswith("position_net.")


def drawn(unet, patch=None):
    with torch.inference_mode():
        return unet(X, TIMES, CONTEXT, patches=None if patch is None else {"patches": {"middle_patch": [patch]}})


def test_phrases_in_boxes_agree_with_diffusers(theirs, unet, file):
    gligen = Loader().gligen(file)
    given = (BoxedPhrase(PHRASES[:1], 4, 2, 1, 8), BoxedPhrase(PHRASES[1:], 8, 8, 0, 0))
    boxes, masks, vectors = torch.zeros(2, 30, 4), torch.zeros(2, 30), torch.zeros(2, 30, WIDTH)
    boxes[:, 0], boxes[:, 1] = torch.tensor([8 / 16, 1 / 8, 10 / 16, 5 / 8]), torch.tensor([0.0, 0.0, 0.5, 1.0])
    masks[:, :2], vectors[:, :2] = 1.0, PHRASES
    told = {"boxes": boxes, "masks": masks, "positive_embeddings": vectors}
    with torch.inference_mode():
        expected = theirs(X, TIMES, CONTEXT, cross_attention_kwargs={"gligen": told}).sample
    assert apart(drawn(unet, gligen.shown(given, (8, 16))), expected) < 1e-4
    assert apart(drawn(unet, gligen.shown(given[:1], (8, 16))), expected) > 0.001
    assert apart(drawn(unet), expected) > 0.01
    assert gligen.text_width == WIDTH


def test_a_box_too_many_is_left_out(unet, file):
    gligen = Loader().gligen(file)
    many = [BoxedPhrase(PHRASES[:1], 4, 2, 1, place % 8) for place in range(31)]
    assert torch.equal(drawn(unet, gligen.shown(many, (8, 16))), drawn(unet, gligen.shown(many[:30], (8, 16))))


def test_a_unet_of_another_family_is_refused(file):
    gligen = Loader().gligen(file)
    other = randomised(UNet(UNetConfig(model_channels=32, context_width=WIDTH)))
    with pytest.raises(SamplingError, match=r"the GLIGEN of boxes.* expects 64 channels at transformer 1, .* has 32"):
        drawn(other, gligen.shown((BoxedPhrase(PHRASES[:1], 4, 4, 0, 0),), (8, 16)))


def test_files_that_are_none_or_incomplete_say_so(file):
    with pytest.raises(CheckpointError, match=r"x\.safetensors: a LoRA; .*, no GLIGEN; expected tensors such as posi"):
        Loader().gligen(in_memory("x.safetensors", {"lora_unet_a.lora_up.weight": torch.zeros(1)}))
    cut = file.read()
    del cut["position_net.linears.0.bias"]
    with pytest.raises(CheckpointError, match=r"the GLIGEN is incomplete, .*position_net\.linears\.0\.bias is missing"):
        Loader().gligen(in_memory("boxes.safetensors", cut))
