"""LoRA files in every spelling, bound to a miniature and checked with the product of their matrices."""

import gzip
import json
import os
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from engine.adapters import lora, names
from engine.checkpoints.load import Loader
from engine.checkpoints.lora_files import UP_DOWN, Lora
from engine.errors import CheckpointError
from engine.models.unet_config import UNetConfig
from tests.random_checkpoint import LAYOUTS

KEY = "input_blocks.1.1.transformer_blocks.0.attn1.to_out.0"
THEIRS = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0"
TEXT_KEY = "encoder.layers.1.self_attn.q_proj"
UP = torch.randn(32, 4, generator=torch.Generator().manual_seed(1))
DOWN = torch.randn(4, 32, generator=torch.Generator().manual_seed(2))
TEXT_UP = torch.randn(64, 2, generator=torch.Generator().manual_seed(3))
TEXT_DOWN = torch.randn(2, 64, generator=torch.Generator().manual_seed(4))


def applied(loaded, entries, strength_model=1.0, strength_clip=1.0):
    return lora.apply(loaded.model, loaded.clip, Lora("x", entries), strength_model, strength_clip)


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
def test_every_spelling_of_a_unet_weight_is_understood(loaded, caplog, name, weights):
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
def test_every_spelling_of_a_text_weight_is_understood(loaded, name, weights):
    before = weights(loaded.clip)
    after = weights(applied(loaded, pair(name, TEXT_UP, TEXT_DOWN))[1])
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert changed == {f"clip_l.{TEXT_KEY}.weight"}


@pytest.mark.parametrize("suffixes", UP_DOWN)
def test_every_suffix_of_the_two_matrices_is_understood(loaded, suffixes, weights):
    after = weights(applied(loaded, pair("diffusion_model." + KEY, suffixes=suffixes))[0])
    expected = weights(loaded.model)[f"{KEY}.weight"] + UP @ DOWN
    assert torch.allclose(after[f"{KEY}.weight"], expected, atol=1e-2)


def test_strength_and_alpha_scale_each_side_apart(loaded, weights):
    name, text = "lora_unet_" + KEY.replace(".", "_"), "lora_te_text_model_" + TEXT_KEY.replace(".", "_")
    entries = {**pair(name), f"{name}.alpha": torch.tensor(2.0), **pair(text, TEXT_UP, TEXT_DOWN)}
    model, clip = applied(loaded, entries, -0.5, 2.0)
    change = weights(model)[f"{KEY}.weight"] - weights(loaded.model)[f"{KEY}.weight"]
    assert torch.allclose(change, -0.5 * (2.0 / 4) * UP @ DOWN, atol=1e-2)
    change = weights(clip)[f"clip_l.{TEXT_KEY}.weight"] - weights(loaded.clip)[f"clip_l.{TEXT_KEY}.weight"]
    assert torch.allclose(change, 2.0 * TEXT_UP @ TEXT_DOWN, atol=2e-2)


def test_two_loras_add_up_and_the_model_without_them_is_as_before(loaded, weights):
    before = weights(loaded.model)
    entries = pair("diffusion_model." + KEY)
    once, _ = applied(loaded, entries)
    twice, _ = lora.apply(once, None, Lora("y", entries), 1.0, 1.0)
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
def test_every_kind_of_change_reaches_its_weight(loaded, caplog, kind, weights):
    entries = {f"diffusion_model.{KEY}.{suffix}": tensor for suffix, tensor in kind.items()}
    before, after = weights(loaded.model), weights(applied(loaded, entries)[0])
    assert {key for key in before if not torch.equal(before[key], after[key])} == {f"{KEY}.weight"}
    assert not caplog.records


def test_biases_and_norms_are_changed_too(loaded, weights):
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
    _model, clip = lora.apply(loaded.model, None, Lora("x", {**pair("diffusion_model." + KEY), **pair(text)}), 1.0, 0.0)
    assert clip is None
    assert not caplog.records


def test_a_lora_made_for_other_shapes_leaves_the_weight_alone(loaded, caplog, weights):
    model, _ = applied(loaded, pair("diffusion_model." + KEY, torch.randn(48, 4), torch.randn(4, 48)))
    before, after = weights(loaded.model), weights(model)
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert "do not fit" in caplog.text


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
            "it makes the shape [32, 64]",
        ),
        (
            {"lora_up.weight": HUGE, "lora_down.weight": HUGE.T},
            "up [1048576, 1] and down [1, 1048576]: a product of 1,099,511,627,776 elements",
        ),
        (
            {"lora_up.weight": UP, "lora_down.weight": DOWN, "dora_scale": torch.ones(7, 1)},
            "a DoRA scale of shape [7, 1] for a weight of [32, 32]; expected [32, 1]",
        ),
        (
            {"lora_up.weight": UP[:16], "lora_down.weight": DOWN[:, :16]},
            "up [16, 4] and down [4, 16] make no change of this shape",
        ),
        (
            {"hada_w1_a": UP, "hada_w1_b": DOWN, "hada_w2_a": UP, "hada_w2_b": DOWN[:2]},
            "w2_a [32, 4] and w2_b [2, 32] make no change of this shape",
        ),
        ({"lokr_w1": torch.ones(4, 4), "lokr_w2": torch.ones(4, 4)}, "w1 [4, 4] and w2 [4, 4] make no change"),
        ({"oft_blocks": torch.ones(3, 5, 5)}, "blocks [3, 5, 5] make no change of this shape"),
    ],
    ids=["set_weight", "huge", "not a number", "negative", "larger", "product", "dora", "lora", "loha", "lokr", "oft"],
)
def test_a_change_that_cannot_be_made_leaves_the_weight_alone_and_says_why(loaded, caplog, entries, said, weights):
    model, _ = applied(loaded, {f"diffusion_model.{KEY}.{suffix}": entry for suffix, entry in entries.items()})
    before, after = weights(loaded.model), weights(model)
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert "do not fit" in caplog.text
    assert said in caplog.text


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"lora_up.weight": UP}, "expected .lora_up.weight and .lora_down.weight, found only .lora_up.weight"),
        ({"lora_A.weight": DOWN}, "expected .lora_B.weight and .lora_A.weight, found only .lora_A.weight"),
        ({"hada_w1_a": UP, "hada_w1_b": DOWN}, "found only .hada_w1_a and .hada_w1_b"),
        ({"lokr_w1": torch.ones(4, 4)}, "expected .lokr_w2 or .lokr_w2_a and _b, found only .lokr_w1"),
        ({"lokr_w1": torch.ones(4, 4), "lokr_w2_a": UP}, "expected .lokr_w2 or .lokr_w2_a and _b, found only .lokr_w1"),
        ({"a1.weight": UP, "b1.weight": UP}, "found only .a1.weight and .b1.weight"),
        ({"lora_up.weight": UP[:, :0], "lora_down.weight": DOWN[:0]}, "lora_up.weight is [32, 0], expected a rank of"),
        ({"oft_blocks": torch.zeros(0, 4, 4)}, "oft_blocks is [0, 4, 4], expected a rank of at least 1"),
        ({"lora_up.weight": UP, "lora_down.weight": DOWN, "alpha": UP[0]}, "alpha is [4], expected one number"),
    ],
)
@pytest.mark.parametrize("name", ["diffusion_model." + KEY, "lora_te_text_model_" + TEXT_KEY.replace(".", "_")])
def test_a_change_of_which_a_part_is_missing_is_refused_by_its_name(loaded, entries, said, name):
    with pytest.raises(CheckpointError, match="x is incomplete: ") as failure:
        applied(loaded, {f"{name}.{suffix}": entry for suffix, entry in entries.items()})
    assert name in str(failure.value)
    assert said in str(failure.value)


def test_a_lora_changes_what_the_model_draws_like_a_second_branch_would(loaded, networks):
    """peft's way: the layer's output plus strength · up(down(input)), without touching the weight."""
    name = "input_blocks.1.1.transformer_blocks.0.ff.net.2"
    drawn = torch.Generator().manual_seed(5)
    up, down = torch.randn(32, 4, generator=drawn) * 0.1, torch.randn(4, 128, generator=drawn) * 0.1
    x, context = torch.randn(1, 4, 8, 8, generator=drawn), torch.randn(1, 7, 64, generator=drawn)
    t = torch.tensor([5.0])
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


def test_matrices_of_two_ranks_were_never_one_change(loaded):
    with pytest.raises(CheckpointError, match="of two ranks") as failure:
        applied(loaded, pair("diffusion_model." + KEY, UP, DOWN[:2]))
    assert "[32, 4]" in str(failure.value)
    assert "[2, 32]" in str(failure.value)
    with pytest.raises(CheckpointError, match="of two ranks"):
        applied(loaded, pair("diffusion_model." + KEY, UP, torch.tensor(1.0)))


def test_a_lora_of_a_model_that_reads_wider_texts_is_named_once_with_what_did_not_fit(loaded, caplog):
    text = "input_blocks.1.1.transformer_blocks.0.attn2.to_k"
    entries = {
        **pair("diffusion_model." + KEY),
        **pair("diffusion_model." + text, UP, torch.randn(4, 128)),
        **pair("diffusion_model." + text.replace("to_k", "to_v"), UP, torch.randn(4, 128)),
    }
    made_for = {"ss_base_model_version": "sd_v2"}
    model, _ = lora.apply(loaded.model, None, Lora("wide.safetensors", entries, made_for), 1.0, 1.0)
    (record,) = caplog.records
    assert "wide.safetensors: 2 of 3 changes do not fit" in record.message
    assert "another family, sd_v2" in record.message
    assert text in record.message
    assert set(model.patches) == {f"{KEY}.weight"}


def test_parameters_other_than_weights_go_by_their_full_names(loaded, weights):
    entries = {f"diffusion_model.{KEY}.bias.diff": torch.ones(32), f"diffusion_model.{KEY}.bias.set_weight": UP[:, 0]}
    before, after = (
        weights(loaded.model),
        weights(applied(loaded, {f"diffusion_model.{KEY}.bias.diff": torch.ones(32)})[0]),
    )
    assert torch.allclose(after[f"{KEY}.bias"], before[f"{KEY}.bias"] + 1, atol=1e-2)
    replaced = weights(applied(loaded, entries)[0])
    assert torch.allclose(replaced[f"{KEY}.bias"], UP[:, 0], atol=1e-2)


# two text encoders, and a lonely second one


def with_encoders(clip, *ids):
    (encoder,) = clip.encoders
    return replace(clip, encoders=tuple(replace(encoder, id=each) for each in ids))


FLAT = TEXT_KEY.replace(".", "_")


@pytest.mark.parametrize(
    ("ids", "name", "changed"),
    [
        (("clip_l", "clip_g"), f"lora_te1_text_model_{FLAT}", "clip_l"),
        (("clip_l", "clip_g"), f"lora_te_text_model_{FLAT}", "clip_l"),
        (("clip_l", "clip_g"), f"lora_te2_text_model_{FLAT}", "clip_g"),
        (("clip_l", "clip_g"), f"text_encoder.text_model.{TEXT_KEY}", "clip_l"),
        (("clip_l", "clip_g"), f"text_encoder_2.text_model.{TEXT_KEY}", "clip_g"),
        (("clip_l", "clip_g"), f"text_encoders.clip_g.transformer.text_model.{TEXT_KEY}", "clip_g"),
        (("clip_g",), f"lora_te_text_model_{FLAT}", "clip_g"),
        (("clip_g",), f"lora_prior_te_text_model_{FLAT}", "clip_g"),
        (("clip_g",), f"text_encoder.text_model.{TEXT_KEY}", "clip_g"),
        (("clip_h",), f"lora_te_text_model_{FLAT}", "clip_h"),
        (("clip_h",), f"lora_te1_text_model_{FLAT}", "clip_h"),
        (("clip_l",), f"lora_te2_text_model_{FLAT}", None),
    ],
)
def test_which_text_encoder_a_name_means_goes_by_those_that_are_there(loaded, ids, name, changed):
    clip = with_encoders(loaded.clip, *ids)
    _, patched = lora.apply(loaded.model, clip, Lora("x", pair(name, TEXT_UP, TEXT_DOWN)), 1.0, 1.0)
    assert set(patched.patches) == ({f"{changed}.{TEXT_KEY}.weight"} if changed else set())


# real layouts, and diffusers' own names for them

SHAPES = {
    "sd15": {"cross_attention_dim": 768, "attention_head_dim": 8},
    "sd21": {"cross_attention_dim": 1024, "attention_head_dim": [5, 10, 20, 20], "use_linear_projection": True},
    "sdxl_base": {
        "cross_attention_dim": 2048,
        "attention_head_dim": [5, 10, 20],
        "use_linear_projection": True,
        "block_out_channels": (320, 640, 1280),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": [1, 2, 10],
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
}


@pytest.mark.parametrize("layout", SHAPES)
def test_every_layer_of_diffusers_unet_is_found_under_every_spelling_in_the_real_layout(layout):
    from diffusers import UNet2DConditionModel

    prefix = "model.diffusion_model."
    shapes = {
        name.removeprefix(prefix): tuple(shape)
        for name, shape in json.loads(gzip.decompress((LAYOUTS / f"{layout}.json.gz").read_bytes())).items()
        if name.startswith(prefix)
    }
    known = dict(names.of_unet(shapes, UNetConfig.from_shapes(shapes)))
    with torch.device("meta"):
        unet = UNet2DConditionModel(sample_size=64, **SHAPES[layout])
    layers = [(n, m) for n, m in unet.named_modules() if isinstance(m, torch.nn.Linear | torch.nn.Conv2d)]
    met = set()
    for name, layer in layers:
        flat, old = name.replace(".", "_"), name.replace(".to_", ".processor.to_")
        old = old.removesuffix(".0") if old.endswith("to_out.0") else old
        spellings = [f"lora_unet_{flat}", f"lycoris_{flat}", name, f"unet.{name}", f"unet.{old}"]
        (ours,) = {known[each] for each in spellings}
        assert shapes[ours] == tuple(layer.weight.shape)
        met.add(ours)
        kohya = "lora_unet_" + ours.removesuffix(".weight").replace(".", "_")
        assert known[kohya] == known["diffusion_model." + ours.removesuffix(".weight")] == ours
    assert len(met) == len(layers)
    assert {name for name, shape in shapes.items() if len(shape) > 1} == met


# files


def written(tmp_path, entries, name="x.safetensors", metadata=None):
    save_file({key: each.contiguous() for key, each in entries.items()}, tmp_path / name, metadata=metadata)
    return tmp_path / name


def test_a_file_is_read_once_until_it_changes(tmp_path):
    loader, path = Loader(), written(tmp_path, pair("a"), metadata={"ss_base_model_version": "sd_v1"})
    first = loader.lora(path)
    assert loader.lora(path) is first
    assert first.metadata["ss_base_model_version"] == "sd_v1"
    written(tmp_path, pair("b"))
    os.utime(path, ns=(1, 1))
    assert set(loader.lora(path).tensors) == set(pair("b"))


def test_strengths_of_one_file_share_its_numbers(tmp_path, loaded):
    path = written(tmp_path, pair("diffusion_model." + KEY))
    loader = Loader()
    found = [lora.apply(loaded.model, None, loader.lora(path), each, 0.0)[0].patches for each in (0.5, 1.0)]
    deltas = [patches[f"{KEY}.weight"][0].delta for patches in found]
    assert deltas[0].up is deltas[1].up


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"model.diffusion_model.input_blocks.0.0.weight": UP}, "a checkpoint; put it in models/checkpoints"),
        ({"lora_controlnet": DOWN, "input_blocks.0.0.lora.up.weight": UP}, "a control-LoRA"),
        ({"emb_params": UP}, "a learned embedding"),
        ({"input_blocks.0.0.weight": UP, "zero_convs.0.0.weight": DOWN}, "a ControlNet; put it in models/controlnet"),
        (
            {"input_blocks.1.1.transformer_blocks.0.fuser.linear.weight": UP, "position_net.linears.0.bias": DOWN},
            "a GLIGEN",
        ),
        ({"body.0.block1.weight": UP}, "a T2I-Adapter"),
        ({"body.0.rdb1.conv1.weight": UP}, "an upscale model"),
        ({"style_embedding": UP}, "a style model"),
        ({"vision_model.embeddings.class_embedding": UP}, "a CLIP vision model"),
        ({"text_model.embeddings.token_embedding.weight": UP}, "a text encoder"),
        ({"weight": UP}, "of an unknown kind"),
        (pair("a", up=torch.full((2, 2), torch.nan)), "a.lora_up.weight holds values that are no numbers"),
        (pair("a", down=torch.full((2, 2), torch.inf)), "a.lora_down.weight holds values that are no numbers"),
    ],
)
def test_a_file_that_is_something_else_is_refused_saying_what(tmp_path, entries, said):
    with pytest.raises(CheckpointError, match=r"x\.safetensors") as failure:
        Loader().lora(written(tmp_path, entries))
    assert said in str(failure.value)


def test_learned_words_in_a_lora_are_no_mistake(tmp_path, loaded, caplog):
    entries = {**pair("diffusion_model." + KEY), "bundle_emb.cat.string_to_param.*": torch.ones(2, 64)}
    lora.apply(loaded.model, loaded.clip, Loader().lora(written(tmp_path, entries)), 1.0, 1.0)
    assert not caplog.records
