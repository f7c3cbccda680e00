"""SDXL with fewer blocks (SSD-1B, Segmind-Vega, KOALA): known by its shapes, and drawn as diffusers draws it.

Source of the depths: node_behaviour.md A.4, and the model cards of etri-vilab/koala-1b and koala-700m ("Tx blocks").
What they leave open (what is left in the middle, how deep SSD-1B's decoder is) is settled by the published numbers of
parameters: 1,161 and 782 million (the same cards), 247 + 31 + 460 million below, in the middle and above (Segmind-Vega,
github.com/openvinotoolkit/openvino_notebooks, pull request 1553), 1.3 billion (Gupta et al. 2024, arXiv 2401.02677).
"""

from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.embeddings import get_timestep_embedding
from torch import nn

from engine.checkpoints import keys
from engine.checkpoints.detect import detect
from engine.checkpoints.load import Loader
from engine.checkpoints.tensors import in_memory
from engine.models.unet import UNet
from engine.models.unet_config import UNetConfig
from tests import families

RESNET, ALL = "UNetMidBlock2D", "UNetMidBlock2DCrossAttn"

REDUCED: dict[str, dict[str, Any]] = {
    "SSD-1B": {
        "transformer_layers_per_block": [1, [2, 2], [4, 4]],
        "reverse_transformer_layers_per_block": [[4, 4, 10], [2, 1, 1], 1],
        "mid_block_type": RESNET,
    },
    "Segmind-Vega": {"transformer_layers_per_block": [1, 1, 2], "mid_block_type": RESNET},
    "KOALA-1B": {"transformer_layers_per_block": [1, 2, 6], "mid_block_type": ALL, "layers_per_block": 1},
    "KOALA-700M": {"transformer_layers_per_block": [1, 2, 5], "mid_block_type": None, "layers_per_block": 1},
}
DEPTHS: dict[str, tuple[tuple[int, ...], int | None]] = {
    "SSD-1B": ((0, 0, 2, 2, 4, 4), 0),
    "Segmind-Vega": ((0, 0, 1, 1, 2, 2), 0),
    "KOALA-1B": ((0, 2, 6), 6),
    "KOALA-700M": ((0, 2, 5), None),
}
MILLIONS = {"SSD-1B": 1331, "Segmind-Vega": 745, "KOALA-1B": 1161, "KOALA-700M": 783}


def made(name: str, widths: tuple[int, ...] = (320, 640, 1280), text: int = 2048) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        block_out_channels=widths,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=tuple(max(1, width // 64) for width in widths),
        cross_attention_dim=text,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2816,
        **{"layers_per_block": 2, **REDUCED[name]},
    )


def millions(network: nn.Module) -> int:
    return round(sum(each.numel() for each in network.parameters()) / 1e6)


@pytest.mark.parametrize("name", REDUCED)
def test_the_published_layouts_are_sdxl_and_their_depths_are_read_off_their_shapes(name: str) -> None:
    with torch.device("meta"):
        network = made(name)
    assert millions(network) == MILLIONS[name]
    shapes = {key: tuple(each.shape) for key, each in families.ours(network).items()}
    for prefix in (families.NETWORK, ""):
        match = detect(in_memory(name, families.below(prefix, families.ours(network))))
        assert (match.family.id, match.prefix) == ("sdxl", prefix)
    config = UNetConfig.from_shapes(shapes)
    assert (config.input_depths, config.middle_depth) == DEPTHS[name]
    assert (config.context_width, config.class_width, config.head_width) == (2048, 2816, 64)
    with torch.device("meta"):
        built = UNet(config)
    assert {key: tuple(each.shape) for key, each in built.named_parameters()} == shapes


@pytest.mark.parametrize("is_diffusers", [False, True])
@pytest.mark.parametrize("name", REDUCED)
def test_a_network_with_fewer_blocks_answers_as_diffusers(name: str, is_diffusers: bool) -> None:
    torch.manual_seed(0)
    network = families._randomised(made(name, (32, 64, 128), 96))
    tensors = network.state_dict() if is_diffusers else families.below(families.NETWORK, families.ours(network))
    model = Loader().denoiser(in_memory(name, tensors))
    assert model.family == "sdxl"
    generator = torch.Generator().manual_seed(1)
    x, text = torch.randn(2, 4, 8, 8, generator=generator), torch.randn(2, 5, 96, generator=generator)
    pooled, sizes = torch.randn(2, 1280, generator=generator), torch.tensor([[64.0, 64, 0, 0, 64, 64]] * 2)
    time = torch.tensor([10.0, 900.0])
    waves = waves_of(sizes)
    with torch.no_grad(), model.ready() as ours:
        told = {"text_embeds": pooled, "time_ids": sizes}
        theirs = network(x, time, encoder_hidden_states=text, added_cond_kwargs=told).sample
        answer = ours(x, time, text, y=torch.cat([pooled, waves], dim=1))
    torch.testing.assert_close(answer, theirs, rtol=1e-4, atol=1e-4)


def waves_of(sizes: torch.Tensor) -> torch.Tensor:
    """The sizes as diffusers' network tells them to itself."""
    return get_timestep_embedding(sizes.flatten(), 256, flip_sin_to_cos=True, downscale_freq_shift=0).reshape(2, -1)


@pytest.mark.parametrize("name", REDUCED)
def test_loras_reach_the_blocks_that_are_left(name: str) -> None:
    """diffusers' names for modules are found again, those of the lone block in the middle too."""
    with torch.device("meta"):
        theirs = made(name).state_dict()
    shapes = {key: tuple(each.shape) for key, each in theirs.items()}
    names = keys.unet_names(keys.diffusers_unet_config(shapes))
    ours = {keys.our_name(key, names) for key in shapes}
    assert len(ours) == len(shapes)
    has_middle = any(key.startswith("middle_block.0.") for key in ours)
    assert has_middle is (REDUCED[name]["mid_block_type"] is not None)
