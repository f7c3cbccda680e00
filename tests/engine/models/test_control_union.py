import pytest
import torch
from diffusers import ControlNetUnionModel

from engine.checkpoints.keys import diffusers_controlnet_names, translated
from engine.errors import SamplingError
from engine.models.controlnet import ControlNet, ControlNetConfig
from tests.engine.models.nets import apart, randomised

KINDS = 6


@pytest.fixture(scope="module")
def theirs():
    """A union net of SDXL's shape, 32 channels wide."""
    net = ControlNetUnionModel(
        block_out_channels=(32, 64, 128),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        attention_head_dim=(1, 1, 2),
        cross_attention_dim=48,
        use_linear_projection=True,
        transformer_layers_per_block=(1, 2, 3),
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=20 + 6 * 256,
        conditioning_embedding_out_channels=(8, 16, 16, 32),
        num_control_type=KINDS,
        num_trans_channel=32,
        num_proj_channel=32,
    )
    return randomised(net, seed=4)


@pytest.fixture(scope="module")
def ours(theirs):
    weights = dict(theirs.state_dict())
    weights = translated(weights, diffusers_controlnet_names({name: tuple(w.shape) for name, w in weights.items()}))
    net = ControlNet(ControlNetConfig.from_shapes({name: tuple(w.shape) for name, w in weights.items()}))
    net.load_state_dict(weights)
    return net.eval()


def given():
    generator = torch.Generator().manual_seed(1)
    hint = torch.rand(1, 3, 64, 64, generator=generator).repeat(2, 1, 1, 1)
    x, context, pooled = (torch.randn(shape, generator=generator) for shape in ((2, 4, 8, 8), (2, 5, 48), (2, 20)))
    return x, hint, torch.tensor([3.0, 741.25]), context, pooled


def vector(pooled, sizes):
    """SDXL's vector by diffusers' own waves: the summary of the text, then each size."""
    from diffusers.models.embeddings import get_timestep_embedding

    waves = get_timestep_embedding(sizes.flatten(), 256, flip_sin_to_cos=True, downscale_freq_shift=0)
    return torch.cat([pooled, waves.reshape(len(pooled), -1)], dim=1)


@pytest.mark.parametrize("kind", [0, 3])
def test_a_hint_of_a_kind_agrees_with_diffusers(theirs, ours, kind):
    x, hint, times, context, pooled = given()
    sizes = torch.tensor([[64.0, 72.0, 0.0, 8.0, 64.0, 72.0]]).repeat(2, 1)
    told = torch.nn.functional.one_hot(torch.tensor([kind, kind]), KINDS).float()
    with torch.inference_mode():
        expected = theirs(
            x,
            times,
            context,
            [hint],
            told,
            [kind],
            added_cond_kwargs={"text_embeds": pooled, "time_ids": sizes},
        )
        found = ours(x, hint, times, context, vector(pooled, sizes), [kind])
        other = ours(x, hint, times, context, vector(pooled, sizes), [1])
    places = zip(found.input, expected.down_block_res_samples, strict=True)
    assert max(apart(mine, reference) for mine, reference in places) < 1e-4
    assert apart(found.middle, expected.mid_block_res_sample) < 1e-4
    assert apart(other.middle, expected.mid_block_res_sample) > 0.01


def test_a_hint_of_no_kind_is_read_as_it_is(ours):
    x, hint, times, context, pooled = given()
    sizes = torch.zeros(2, 6)
    with torch.inference_mode():
        auto = ours(x, hint, times, context, vector(pooled, sizes))
        told = ours(x, hint, times, context, vector(pooled, sizes), [0])
    assert auto.middle.isfinite().all()
    assert apart(auto.middle, told.middle) > 0.01


def test_a_kind_beyond_the_nets_is_named(ours):
    x, hint, times, context, pooled = given()
    with pytest.raises(SamplingError, match=r"knows hints of kind 0 to 5, got 7; .* ProMax"):
        ours(x, hint, times, context, vector(pooled, torch.zeros(2, 6)), [7])
