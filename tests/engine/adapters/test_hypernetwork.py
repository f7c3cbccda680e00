"""Hypernetworks against the same sums written out beside the projections of keys and values."""

import pytest
import torch
from torch.nn import functional

from engine.adapters import hypernetwork
from engine.devices.device import CPU, Place
from engine.errors import CheckpointError

PLACE = Place(CPU, torch.float32)


def rand(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + sum(shape))) * 0.3


def net(width, seed, wide=2, norm=False):
    """A state dict of two linear layers, as web UIs write them: activations take up places too."""
    shapes = [(width * wide, width), (width, width * wide)]
    made, place = {}, 0
    for rows, columns in shapes:
        made[f"linear.{place}.weight"] = rand(rows, columns, seed=seed)
        made[f"linear.{place}.bias"] = rand(rows, seed=seed + 1)
        place += 2
        if norm:
            made[f"linear.{place}.weight"], made[f"linear.{place}.bias"] = rand(rows, seed=9) + 1, rand(rows, seed=8)
            place += 1
    return made


def file(tmp_path, content):
    torch.save(content, tmp_path / "style.pt")
    return tmp_path / "style.pt"


def by_hand(x, layers, activation, everywhere=False):
    places = sorted({int(name.split(".")[1]) for name in layers})
    linears = [place for place in places if layers[f"linear.{place}.weight"].ndim == 2]
    for place in places:
        weight, bias = layers[f"linear.{place}.weight"], layers[f"linear.{place}.bias"]
        if weight.ndim == 2:
            x = x @ weight.T + bias
            x = activation(x) if everywhere or place != linears[-1] else x
        else:
            x = functional.layer_norm(x, weight.shape, weight, bias)
    return x


@pytest.mark.parametrize(
    ("options", "activation", "everywhere", "norm"),
    [
        ({}, lambda x: x, False, False),
        ({"activation_func": "relu"}, lambda x: x.clamp(min=0), False, False),
        ({"activation_func": "swish", "activate_output": True}, lambda x: x * (x + 3).clamp(0, 6) / 6, True, False),
        ({"activation_func": "tanh", "is_layer_norm": True}, torch.tanh, False, True),
        ({"activation_func": "mish", "use_dropout": True}, lambda x: x * (1 + x.exp()).log().tanh(), False, False),
    ],
    ids=["linear", "relu", "swish everywhere", "layer norm", "dropout"],
)
def test_a_hypernetwork_adds_to_what_keys_and_values_are_projected_from(
    tmp_path, loaded, networks, options, activation, everywhere, norm
):
    pairs = {64: (net(64, 1, norm=norm), net(64, 2, norm=norm)), 32: (net(32, 3, norm=norm), net(32, 4, norm=norm))}
    nets = hypernetwork.read(file(tmp_path, {**pairs, **options, "name": "x", "step": 7}), PLACE)
    x, t, context = rand(1, 4, 8, 8), torch.tensor([5.0]), rand(1, 7, 64)
    model = hypernetwork.apply(loaded.model, nets, -0.7)
    with model.ready() as network, torch.no_grad():
        found = network(x, t, context, patches=model.hooks.patches)

    def changed(kind):
        def pre_hook(_layer, given):
            pair = pairs.get(given[0].shape[-1])
            if pair is None:
                return given
            return (given[0] - 0.7 * by_hand(given[0], pair[kind], activation, everywhere),)

        return pre_hook

    layers = [(name, layer) for name, layer in networks["unet"].named_modules() if name.endswith((".to_k", ".to_v"))]
    hooks = [layer.register_forward_pre_hook(changed(int(name.endswith("v")))) for name, layer in layers]
    with torch.no_grad():
        expected = networks["unet"](x, t, context)
        for hook in hooks:
            hook.remove()
        plain = networks["unet"](x, t, context)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert (expected - plain).abs().max() > 1e-2


def test_two_hypernetworks_both_act_and_the_model_without_them_has_none(tmp_path, loaded):
    nets = hypernetwork.read(file(tmp_path, {64: (net(64, 1), net(64, 2))}), PLACE)
    once = hypernetwork.apply(loaded.model, nets, 1.0)
    twice = hypernetwork.apply(once, nets, 0.5)
    assert [len(each.hooks.patches["patches"]["attn2_patch"]) for each in (once, twice)] == [1, 2]
    assert not loaded.model.hooks.patches


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"a": 1}, "not a hypernetwork"),
        ({768: (net(64, 1), net(64, 2))}, "768, keys, linear.0: expected a layer that takes 768 numbers"),
        ({64: (net(64, 1), {"linear.0.weight": rand(64, 64)})}, "64, values, linear.0: bias is missing"),
        ({64: (net(64, 1),)}, "expected two nets"),
        ({64: (net(64, 1), {"fc.weight": rand(64, 64)})}, "expected names like linear.0.weight, got 'fc.weight'"),
        ({64: (net(64, 1), {**net(64, 2), "linear.0.bias": torch.full((128,), torch.nan)})}, "no numbers"),
        ({64: (net(64, 1), net(64, 2)), "activation_func": "gelu2"}, "unknown activation 'gelu2'"),
        ({64: (net(64, 1), {name: each for name, each in net(64, 2).items() if ".0." in name})}, "they end with 128"),
    ],
)
def test_a_file_that_is_none_is_refused_with_the_reason(tmp_path, content, said):
    with pytest.raises(CheckpointError, match=r"style\.pt") as failure:
        hypernetwork.read(file(tmp_path, content), PLACE)
    assert said in str(failure.value)


def test_nets_for_widths_that_no_attention_reads_are_refused(tmp_path, loaded):
    nets = hypernetwork.read(file(tmp_path, {768: (net(768, 1), net(768, 2))}), PLACE)
    with pytest.raises(CheckpointError, match=r"style\.pt was made for another model family") as failure:
        hypernetwork.apply(loaded.model, nets, 1.0)
    assert "it has nets for 768, this model's attentions read 32, 64" in str(failure.value)


def test_nets_of_which_only_the_pictures_fit_are_used_with_a_warning(tmp_path, loaded, caplog):
    pair = net(32, 1), net(32, 2)
    for other in ({}, {64: (net(64, 1), net(64, 2)), 96: (net(96, 1), net(96, 2))}):
        hypernetwork.apply(loaded.model, hypernetwork.read(file(tmp_path, {32: pair, **other}), PLACE), 1.0)
    assert not caplog.records  # nets for pictures alone, or for the texts of two families
    nets = hypernetwork.read(file(tmp_path, {32: pair, 96: (net(96, 1), net(96, 2))}), PLACE)
    assert hypernetwork.apply(loaded.model, nets, 1.0).hooks.patches
    (record,) = caplog.records
    assert record.message == (
        "the hypernetwork style.pt has nets for another model family, which have no effect: "
        "it has nets for 32, 96, this model's attentions read 32, 64"
    )
