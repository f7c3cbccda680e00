"""Merged models against the sums written out in float64."""

from dataclasses import replace

import pytest
import torch

from engine.adapters import lora, merging
from engine.checkpoints.lora_files import Lora
from engine.devices.device import CPU, Place
from engine.devices.residency import Part
from engine.errors import CheckpointError

KEY = "input_blocks.1.1.transformer_blocks.0.attn1.to_q"


def stored(value):
    """Weights at rest, exactly."""
    found = value.part.weights if hasattr(value, "part") else value.weights
    return {name: weight.double() for name, weight in found.items()}


def close(found, expected):
    assert found.keys() == expected.keys()
    for name, weight in found.items():
        # Stored in half precision: rounded once, after everything.
        torch.testing.assert_close(weight.double(), expected[name].half().double(), rtol=2e-3, atol=2e-6, msg=name)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def with_lora(model, strength, seed):
    up, down = drawn(32, 2, seed=seed), drawn(2, 32, seed=seed + 1)
    entries = {f"diffusion_model.{KEY}.lora_up.weight": up, f"diffusion_model.{KEY}.lora_down.weight": down}
    return lora.apply(model, None, Lora("x", entries), strength, 0.0)[0], (up @ down).double() * strength


@pytest.mark.parametrize(("first", "second"), [(0.3, 0.7), (1.0, 1.0), (1.5, -1.5), (0.0, 1.0), (1.0, 0.0)])
def test_every_weight_is_so_much_of_both(loaded, other, weights, first, second):
    merged = merging.models(loaded.model, other.model, lambda name: (first, second))
    a, b = stored(loaded.model), stored(other.model)
    close(weights(merged), {name: first * a[name] + second * b[name] for name in a})


def test_merging_costs_nothing_until_the_model_is_used(loaded, other, weights):
    before = weights(loaded.model)
    merged = merging.models(loaded.model, other.model, lambda name: (0.5, 0.5))
    assert merged.part is loaded.model.part
    assert (merged.prediction, merged.latent_format) == (loaded.model.prediction, loaded.model.latent_format)
    weights(merged)
    after = weights(loaded.model)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_both_models_bring_their_own_changes_and_later_ones_come_after_the_merge(loaded, other, weights):
    first, of_first = with_lora(loaded.model, 0.5, 1)
    second, of_second = with_lora(other.model, -0.8, 3)
    merged = merging.models(first, second, lambda name: (0.25, 0.75))
    final, later = with_lora(merged, 2.0, 5)
    a, b = stored(loaded.model)[f"{KEY}.weight"], stored(other.model)[f"{KEY}.weight"]
    expected = 0.25 * (a + of_first) + 0.75 * (b + of_second) + later
    found = weights(final)[f"{KEY}.weight"]
    torch.testing.assert_close(found.double(), expected, rtol=2e-3, atol=5e-3)


def test_a_difference_can_be_added_to_a_third_model(loaded, other, weights):
    difference = merging.models(other.model, loaded.model, lambda name: (1.0, -1.0))
    back = merging.models(loaded.model, difference, lambda name: (1.0, 1.0))
    close(weights(back), stored(other.model))


def test_blocks_go_by_the_longest_beginning_and_the_others_by_the_first_ratio(loaded, other, weights):
    ratios = {"input": 0.9, "middle": 0.5, "out": 0.1, "input_blocks.1.": 0.0}
    a, b = stored(loaded.model), stored(other.model)

    def ratio(name):
        if name.startswith("input_blocks.1."):
            return 0.0
        return {"inp": 0.9, "mid": 0.5, "out": 0.1}.get(name[:3], 0.9)

    merged = merging.models(loaded.model, other.model, merging.by_block(ratios))
    close(weights(merged), {name: ratio(name) * a[name] + (1 - ratio(name)) * b[name] for name in a})
    assert any(name.startswith("time_embed") for name in a)


@pytest.mark.parametrize(("first", "second"), [(0.3, 0.7), (1.0, 1.0), (-2.0, 2.0)])
def test_text_encoders_are_merged_in_the_same_way(loaded, other, weights, first, second):
    merged = merging.clips(loaded.clip, other.clip, (first, second))
    a, b = stored(loaded.clip), stored(other.clip)
    close(weights(merged), {name: first * a[name] + second * b[name] for name in a})


def changed(model, shapes):
    """The same model, some of its weights of other shapes."""
    weights = {name: weight.new_ones(shapes.get(name, weight.shape)) for name, weight in model.part.weights.items()}
    module = torch.nn.Module()
    for name in weights:
        place = module
        for each in name.split(".")[:-1]:
            if not hasattr(place, each):
                place.add_module(each, torch.nn.Module())
            place = getattr(place, each)
        place.register_parameter(name.rpartition(".")[2], None)
    return replace(model, part=Part("other", module, weights, Place(CPU, torch.float32)))


def test_a_weight_with_more_channels_keeps_the_first_ones_share_with_a_warning(loaded, other, weights, caplog):
    conv = "input_blocks.0.0.weight"
    inpainting = changed(other.model, {conv: (32, 9, 3, 3)})
    merged = merging.models(loaded.model, inpainting, lambda name: (0.25, 0.75))
    assert torch.allclose(weights(merged)[conv].double(), 0.25 * stored(loaded.model)[conv], atol=1e-3)
    (record,) = caplog.records
    assert "1 weights of model2 have other shapes" in record.message
    assert f"{conv} [32, 4, 3, 3] and [32, 9, 3, 3]" in record.message


def test_models_of_two_families_are_refused_with_examples(loaded, other):
    wider = {
        name: (32, 128)
        for name in other.model.part.weights
        if name.endswith(("attn2.to_k.weight", "attn2.to_v.weight"))
    }
    with pytest.raises(CheckpointError, match="model2 is of another family than model1") as failure:
        merging.models(loaded.model, changed(other.model, wider), lambda name: (0.5, 0.5))
    assert "attn2.to_k.weight [32, 64] and [32, 128]" in str(failure.value)
    elsewhere = replace(other.clip, encoders=tuple(replace(each, id="clip_g") for each in other.clip.encoders))
    with pytest.raises(CheckpointError, match="clip2 is of another family"):
        merging.clips(loaded.clip, elsewhere, (0.5, 0.5))
