"""Whose fault it is that no numbers came out of a network."""

import pytest
import torch
from torch import nn

from engine.devices.deltas import Difference
from engine.devices.device import CPU, Place
from engine.devices.finite import flaw, is_finite, suspicion
from engine.devices.patches import NONE, Patch
from engine.devices.residency import Keeper, Part
from engine.devices.streaming import source_of


def layer(weight, dtype=torch.float32):
    with torch.device("meta"):
        module = nn.Linear(2, 2, bias=False)
    return Part("the denoiser of x.safetensors", module, {"weight": weight}, Place(CPU, dtype))


def found(part, patches=NONE):
    with Keeper().using(part, patches) as network:
        source = source_of(network)
        assert source is part
        return flaw(source)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn])
def test_values_of_any_format_are_looked_at(dtype):
    sound = torch.ones(3).to(dtype)
    damaged = torch.tensor([1.0, torch.nan, 1.0]).to(dtype)
    assert (is_finite(sound), is_finite(damaged)) == (True, False)


def test_a_sum_that_overflows_is_no_damage():
    assert is_finite(torch.full((4,), 60000.0, dtype=torch.float16))


def test_a_damaged_file_is_named_with_the_weight():
    weight = torch.tensor([[1.0, torch.nan], [0.0, 1.0]])
    assert found(layer(weight)) == (
        "the denoiser of x.safetensors: weight holds values that are no numbers (NaN or infinite); the file is "
        "damaged, fetch it again"
    )


def test_a_change_that_spoils_a_weight_is_not_the_files_fault():
    patches = {"weight": (Patch(Difference(torch.full((2, 2), torch.inf))),)}
    said = found(layer(torch.eye(2)), patches)
    assert said is not None
    assert said.endswith("once it is changed; leave out the LoRA, merge or hook on it")


def test_a_weight_beyond_half_precision_is_told_from_both():
    said = found(layer(torch.full((2, 2), 70000.0), torch.float16))
    assert said == "the denoiser of x.safetensors: weight holds values that are too large for float16"


def test_where_all_weights_are_sound_the_precision_is_suspected():
    assert found(layer(torch.eye(2))) is None
    assert suspicion(torch.float16, "--fp32-vae").startswith("float16 overflowed")
    assert "--fp32-vae" in suspicion(torch.bfloat16, "--fp32-vae")
    assert "far too large" in suspicion(torch.float32, "--fp32-vae")
