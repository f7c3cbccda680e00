import math

import pytest
import torch
from diffusers.models.embeddings import get_timestep_embedding

from engine.models.layers import Upsample, group_norm, timestep_embedding


def test_time_is_told_by_cosines_then_sines_of_falling_frequency():
    waves = timestep_embedding(torch.tensor([2.5]), 4)[0]
    slow = 10000 ** (-1 / 2)
    expected = [math.cos(2.5), math.cos(2.5 * slow), math.sin(2.5), math.sin(2.5 * slow)]
    torch.testing.assert_close(waves, torch.tensor(expected))


@pytest.mark.parametrize("width", [320, 7])
def test_the_time_embedding_agrees_with_diffusers(width):
    times = torch.tensor([0.0, 1.0, 499.37, 999.0])
    reference = get_timestep_embedding(times, width, flip_sin_to_cos=True, downscale_freq_shift=0)
    torch.testing.assert_close(timestep_embedding(times, width), reference, atol=2e-4, rtol=0)


def test_the_time_embedding_is_computed_in_float32_whatever_the_model_runs_in():
    embedded = timestep_embedding(torch.tensor([999.0], dtype=torch.bfloat16), 8)
    assert embedded.dtype == torch.float32


def test_norms_take_32_groups_or_as_many_as_there_are_channels():
    assert group_norm(320).num_groups == 32
    assert group_norm(8).num_groups == 8


def test_upsampling_repeats_pixels_and_returns_to_an_odd_size():
    layer = Upsample(1)
    torch.nn.init.dirac_(layer.conv.weight)
    torch.nn.init.zeros_(layer.conv.bias)
    x = torch.tensor([[[[1.0, 2.0]]]])
    assert layer(x).tolist() == [[[[1, 1, 2, 2], [1, 1, 2, 2]]]]
    assert layer(x, (1, 3)).tolist() == [[[[1, 1, 2]]]]
