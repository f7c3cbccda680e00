"""Our names for diffusers' weights, checked with diffusers' own networks: same numbers in, same numbers out."""

import pytest
import torch
from diffusers import AutoencoderKL as DiffusersVAE
from diffusers import ControlNetModel, UNet2DConditionModel

from engine.checkpoints.keys import (
    controlnet_names,
    diffusers_controlnet_names,
    diffusers_unet_config,
    diffusers_vae_names,
    expanded,
    our_name,
    translated,
    unet_names,
)
from engine.models.controlnet import ControlNet, ControlNetConfig
from engine.models.unet import UNet
from engine.models.unet_config import UNetConfig
from engine.models.vae import AutoencoderKL, VAEConfig

SMALL = {
    "sample_size": 8,
    "block_out_channels": (32, 64, 64),
    "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    "cross_attention_dim": 16,
    "layers_per_block": 2,
    "attention_head_dim": 4,
}


def shapes_of(tensors):
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def random_weights(module):
    """Nothing left at zero or one, so that two weights that changed places show."""
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return module.eval()


def unet():
    up = ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D")
    return random_weights(UNet2DConditionModel(up_block_types=up, **SMALL))


def test_a_diffusers_unet_computes_the_same_under_our_names():
    theirs = unet()
    weights = theirs.state_dict()
    ours_weights = translated(weights, unet_names(diffusers_unet_config(shapes_of(weights))))
    ours = UNet(UNetConfig.from_shapes(shapes_of(ours_weights), heads=4)).eval()
    ours.load_state_dict(ours_weights)
    x, t, context = torch.randn(2, 4, 8, 8), torch.tensor([3.0, 700.0]), torch.randn(2, 5, 16)
    with torch.no_grad():
        torch.testing.assert_close(ours(x, t, context), theirs(x, t, context).sample, rtol=1e-4, atol=1e-4)


def test_a_diffusers_controlnet_computes_the_same_under_our_names():
    theirs = random_weights(ControlNetModel.from_unet(unet(), conditioning_embedding_out_channels=(8, 16, 16, 32)))
    weights = theirs.state_dict()
    ours_weights = translated(weights, diffusers_controlnet_names(shapes_of(weights)))
    ours = ControlNet(ControlNetConfig.from_shapes(shapes_of(ours_weights), heads=4)).eval()
    ours.load_state_dict(ours_weights)
    x, t, context, hint = torch.randn(1, 4, 8, 8), torch.tensor([30.0]), torch.randn(1, 5, 16), torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        expected = theirs(x, t, context, hint)
        residuals = ours(x, hint, t, context)
    for mine, other in zip(residuals.input, expected.down_block_res_samples, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(residuals.middle, expected.mid_block_res_sample, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("old_names", [False, True])
def test_a_diffusers_vae_computes_the_same_under_our_names(old_names):
    theirs = random_weights(
        DiffusersVAE(
            block_out_channels=(32, 32, 64),
            down_block_types=["DownEncoderBlock2D"] * 3,
            up_block_types=["UpDecoderBlock2D"] * 3,
            layers_per_block=1,
        )
    )
    weights = theirs.state_dict()
    if old_names:
        for new, old in {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}.items():
            weights = {name.replace(new, old): tensor for name, tensor in weights.items()}
    ours_weights = translated(weights, diffusers_vae_names(shapes_of(weights)))
    ours = AutoencoderKL(VAEConfig.from_shapes(shapes_of(ours_weights))).eval()
    ours.load_state_dict(ours_weights)
    pixels = torch.rand(1, 3, 16, 16) * 2 - 1
    with torch.no_grad():
        latent = theirs.encode(pixels).latent_dist.mean
        torch.testing.assert_close(ours.encode(pixels), latent, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(ours.decode(latent), theirs.decode(latent).sample, rtol=1e-4, atol=1e-4)


def test_the_names_of_sd15_are_complete_and_go_one_to_one():
    with torch.device("meta"):
        ours = UNet(UNetConfig()).state_dict()
        theirs = UNet2DConditionModel(cross_attention_dim=768).state_dict()
    names = unet_names(UNetConfig())
    assert {our_name(name, names): tuple(t.shape) for name, t in theirs.items()} == shapes_of(ours)


def test_the_names_of_an_sd15_controlnet_are_complete_and_go_one_to_one():
    with torch.device("meta"):
        ours = ControlNet(ControlNetConfig()).state_dict()
        theirs = ControlNetModel(cross_attention_dim=768).state_dict()
    names = controlnet_names(UNetConfig(), 6)
    assert {our_name(name, names): tuple(t.shape) for name, t in theirs.items()} == shapes_of(ours)


def test_a_table_of_tokens_is_filled_up_with_the_mean_row():
    table = expanded(torch.tensor([[1.0, 3.0], [3.0, 5.0]]), torch.tensor([4, 1]), 6)
    assert table.tolist() == [[2, 4], [3, 5], [2, 4], [2, 4], [1, 3], [2, 4]]
