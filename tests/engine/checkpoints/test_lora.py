"""LoRA files in every spelling, bound to a miniature and checked with the product of their matrices."""

from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from engine.checkpoints import lora
from engine.checkpoints.load import Loader
from engine.values import Clip

KEY = "input_blocks.1.1.transformer_blocks.0.attn1.to_out.0"
THEIRS = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0"
TEXT_KEY = "encoder.layers.1.self_attn.q_proj"
UP = torch.randn(32, 4, generator=torch.Generator().manual_seed(1))
DOWN = torch.randn(4, 32, generator=torch.Generator().manual_seed(2))
TEXT_UP = torch.randn(64, 2, generator=torch.Generator().manual_seed(3))
TEXT_DOWN = torch.randn(2, 64, generator=torch.Generator().manual_seed(4))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory, miniature):
    path = tmp_path_factory.mktemp("lora") / "x.safetensors"
    save_file(miniature, path)
    return Loader().checkpoint(path)


def weights(value):
    """The weights a value computes with."""
    if isinstance(value, Clip):
        (encoder,) = value.encoders
        return weights(SimpleNamespace(part=encoder.part, patches=value.patches_of(encoder), keeper=value.keeper))
    with value.keeper.using(value.part, value.patches) as network:
        return {name: parameter.clone() for name, parameter in network.named_parameters()}


def applied(loaded, entries, strength_model=1.0, strength_clip=1.0):
    return lora.apply(loaded.model, loaded.clip, lora.Lora("x", entries), strength_model, strength_clip)


def pair(name, up=UP, down=DOWN, suffixes=(".lora_up.weight", ".lora_down.weight")):
    return {name + suffixes[0]: up, name + suffixes[1]: down}


UNDERSCORED = THEIRS.replace(".", "_")


@pytest.mark.parametrize(
    "name",
    [
        "lora_unet_" + KEY.replace(".", "_"),
        "diffusion_model." + KEY,
        "lora_unet_" + UNDERSCORED,
        "lycoris_" + UNDERSCORED,
        THEIRS,
        "unet." + THEIRS,
        "unet." + THEIRS.replace(".to_", ".processor.to_").removesuffix(".0"),
    ],
)
def test_every_spelling_of_a_unet_weight_is_understood(loaded, caplog, name):
    before = weights(loaded.model)
    after = weights(applied(loaded, pair(name))[0])
    expected = (before[f"{KEY}.weight"] + UP @ DOWN).half().float()
    assert torch.allclose(after[f"{KEY}.weight"], expected, atol=1e-2)
    assert {key for key in before if not torch.equal(before[key], after[key])} == {f"{KEY}.weight"}
    assert not caplog.records


@pytest.mark.parametrize(
    "name",
    [
        "lora_te_text_model_encoder_layers_1_self_attn_q_proj",
        "lora_te1_text_model_encoder_layers_1_self_attn_q_proj",
        "text_encoder.text_model.encoder.layers.1.self_attn.q_proj",
        "text_encoders.clip_l.transformer.text_model.encoder.layers.1.self_attn.q_proj",
    ],
)
def test_every_spelling_of_a_text_weight_is_understood(loaded, name):
    before = weights(loaded.clip)
    after = weights(applied(loaded, pair(name, TEXT_UP, TEXT_DOWN))[1])
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert changed == {f"{TEXT_KEY}.weight"}


@pytest.mark.parametrize("suffixes", lora.UP_DOWN)
def test_every_suffix_of_the_two_matrices_is_understood(loaded, suffixes):
    after = weights(applied(loaded, pair("diffusion_model." + KEY, suffixes=suffixes))[0])
    expected = weights(loaded.model)[f"{KEY}.weight"] + UP @ DOWN
    assert torch.allclose(after[f"{KEY}.weight"], expected, atol=1e-2)


def test_strength_and_alpha_scale_each_side_apart(loaded):
    name, text = "lora_unet_" + KEY.replace(".", "_"), "lora_te_text_model_" + TEXT_KEY.replace(".", "_")
    entries = {**pair(name), f"{name}.alpha": torch.tensor(2.0), **pair(text, TEXT_UP, TEXT_DOWN)}
    model, clip = applied(loaded, entries, -0.5, 2.0)
    change = weights(model)[f"{KEY}.weight"] - weights(loaded.model)[f"{KEY}.weight"]
    assert torch.allclose(change, -0.5 * (2.0 / 4) * UP @ DOWN, atol=1e-2)
    change = weights(clip)[f"{TEXT_KEY}.weight"] - weights(loaded.clip)[f"{TEXT_KEY}.weight"]
    assert torch.allclose(change, 2.0 * TEXT_UP @ TEXT_DOWN, atol=2e-2)


def test_two_loras_add_up_and_the_model_without_them_is_as_before(loaded):
    before = weights(loaded.model)
    entries = pair("diffusion_model." + KEY)
    once, _ = applied(loaded, entries)
    twice, _ = lora.apply(once, None, lora.Lora("y", entries), 1.0, 1.0)
    change = weights(twice)[f"{KEY}.weight"] - before[f"{KEY}.weight"]
    assert torch.allclose(change, 2 * UP @ DOWN, atol=2e-2)
    after = weights(loaded.model)
    assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize(
    "kind",
    [
        {
            "hada_w1_a": torch.randn(32, 2),
            "hada_w1_b": torch.randn(2, 32),
            "hada_w2_a": torch.randn(32, 2),
            "hada_w2_b": torch.randn(2, 32),
        },
        {"lokr_w1": torch.randn(4, 4), "lokr_w2": torch.randn(8, 8)},
        {"lokr_w1": torch.randn(4, 4), "lokr_w2_a": torch.randn(8, 2), "lokr_w2_b": torch.randn(2, 8)},
        {
            "a1.weight": torch.randn(32, 2),
            "a2.weight": torch.randn(2, 32),
            "b1.weight": torch.randn(32, 2),
            "b2.weight": torch.randn(2, 32),
        },
        {"oft_blocks": torch.randn(8, 4, 4)},
        {"oft_blocks": torch.randn(2, 8, 4, 4)},
        {"diff": torch.randn(32, 32)},
        {"set_weight": torch.randn(32, 32)},
        {"lora_up.weight": UP, "lora_down.weight": DOWN, "dora_scale": torch.rand(32, 1)},
    ],
    ids=lambda kind: "+".join(kind),
)
def test_every_kind_of_change_reaches_its_weight(loaded, caplog, kind):
    entries = {f"diffusion_model.{KEY}.{suffix}": tensor for suffix, tensor in kind.items()}
    before, after = weights(loaded.model), weights(applied(loaded, entries)[0])
    assert {key for key in before if not torch.equal(before[key], after[key])} == {f"{KEY}.weight"}
    assert not caplog.records


def test_biases_and_norms_are_changed_too(loaded):
    norm = "input_blocks.1.0.in_layers.0"
    entries = {
        f"diffusion_model.{KEY}.diff_b": torch.ones(32),
        f"diffusion_model.{norm}.w_norm": torch.ones(32),
        f"diffusion_model.{norm}.b_norm": 2 * torch.ones(32),
    }
    before, after = weights(loaded.model), weights(applied(loaded, entries, 0.5)[0])
    for key, change in ((f"{KEY}.bias", 0.5), (f"{norm}.weight", 0.5), (f"{norm}.bias", 1.0)):
        assert torch.allclose(after[key] - before[key], torch.full((32,), change), atol=1e-2)


def test_entries_that_fit_nothing_are_named_in_a_warning(loaded, caplog):
    applied(loaded, {**pair("diffusion_model." + KEY), "lora_unet_nowhere.lora_up.weight": UP})
    assert "1 entries fit no weight" in caplog.text
    assert "lora_unet_nowhere" in caplog.text


def test_a_lora_of_another_family_says_so(loaded, caplog):
    applied(loaded, {"lora_transformer_double_blocks_0.lora_up.weight": UP})
    assert "made for another family" in caplog.text


def test_entries_for_a_text_encoder_that_is_not_asked_about_are_no_mistake(loaded, caplog):
    text = "lora_te_text_model_" + TEXT_KEY.replace(".", "_")
    _model, clip = lora.apply(
        loaded.model, None, lora.Lora("x", {**pair("diffusion_model." + KEY), **pair(text)}), 1.0, 0.0
    )
    assert clip is None
    assert not caplog.records


def test_a_lora_made_for_other_shapes_leaves_the_weight_alone(loaded, caplog):
    model, _ = applied(loaded, pair("diffusion_model." + KEY, torch.randn(48, 4), torch.randn(4, 48)))
    before, after = weights(loaded.model), weights(model)
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert "does not fit" in caplog.text


HUGE = torch.ones(1 << 20, 1)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"set_weight": torch.randn(32, 48)}, "a replacement of shape (32, 48)"),
        ({"lora_up.weight": UP, "lora_down.weight": DOWN, "reshape_weight": torch.tensor([2**40, 2**20])}, "as large"),
        ({"lora_up.weight": UP, "lora_down.weight": DOWN, "reshape_weight": torch.tensor([32.0, torch.nan])}, "()"),
        ({"lora_up.weight": UP, "lora_down.weight": DOWN, "reshape_weight": torch.tensor([-1, -1])}, "as large"),
        (
            {"lora_up.weight": UP, "lora_down.weight": DOWN.repeat(1, 2), "reshape_weight": torch.tensor([32, 64])},
            "it makes the shape (32, 64)",
        ),
        ({"lora_up.weight": HUGE, "lora_down.weight": HUGE.T}, "1,099,511,627,776 elements"),
        ({"lora_up.weight": UP[:, :0], "lora_down.weight": DOWN[:0], "alpha": torch.tensor(1.0)}, "division by zero"),
        ({"lora_up.weight": UP, "lora_down.weight": torch.tensor(1.0)}, "does not fit"),
    ],
    ids=["set_weight", "huge", "not a number", "negative", "larger", "product", "no rank", "no axes"],
)
def test_a_change_that_cannot_be_made_leaves_the_weight_alone_and_says_why(loaded, caplog, entries, said):
    model, _ = applied(loaded, {f"diffusion_model.{KEY}.{suffix}": entry for suffix, entry in entries.items()})
    before, after = weights(loaded.model), weights(model)
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert "does not fit" in caplog.text
    assert said in caplog.text


def test_a_lora_changes_what_the_model_draws_like_a_second_branch_would(loaded, networks):
    """peft's way: the layer's output plus strength · up(down(input)), without touching the weight."""
    name = "input_blocks.1.1.transformer_blocks.0.ff.net.2"
    up, down = torch.randn(32, 4) * 0.1, torch.randn(4, 128) * 0.1
    x, t, context = torch.randn(1, 4, 8, 8), torch.tensor([5.0]), torch.randn(1, 7, 64)
    layer = networks["unet"].get_submodule(name)
    hook = layer.register_forward_hook(lambda _, given, out: out + 0.7 * given[0] @ down.T @ up.T)
    with torch.no_grad():
        expected = networks["unet"](x, t, context)
        hook.remove()
        plain = networks["unet"](x, t, context)
    model, _ = applied(loaded, pair("diffusion_model." + name, up, down), 0.7)
    with model.ready() as network, torch.no_grad():
        out = network(x, t, context)
    # The patched weight is rounded to half precision, as it is stored.
    torch.testing.assert_close(out, expected, rtol=5e-3, atol=5e-3)
    assert (expected - plain).abs().max() > 0.1
