"""LoRAs extracted from differences: a known LoRA comes back, and nothing of so low a rank is nearer."""

import re

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.loaders.lora_conversion_utils import _convert_non_diffusers_lora_to_diffusers
from torch import Tensor

from engine.adapters import attention_factors, extraction, lora, merging
from engine.adapters.extraction import Wish
from engine.checkpoints.load import Checkpoint, Loader
from engine.checkpoints.lora_files import Lora
from engine.checkpoints.tensors import in_memory
from engine.errors import CheckpointError
from tests import families

LINEAR = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
CONV = "lora_unet_down_blocks_0_resnets_0_conv1"
SMALL_CONV = "lora_unet_down_blocks_0_attentions_0_proj_in"
TEXT = "lora_te_text_model_encoder_layers_1_mlp_fc1"


def drawn(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 0.1


KNOWN = {
    f"{LINEAR}.lora_up.weight": drawn(32, 4, seed=1),
    f"{LINEAR}.lora_down.weight": drawn(4, 64, seed=2),
    f"{CONV}.lora_up.weight": drawn(32, 3, 1, 1, seed=3),
    f"{CONV}.lora_down.weight": drawn(3, 32, 3, 3, seed=4),
    f"{SMALL_CONV}.lora_up.weight": drawn(32, 2, 1, 1, seed=5),
    f"{SMALL_CONV}.lora_down.weight": drawn(2, 32, 1, 1, seed=6),
    f"{SMALL_CONV}.diff_b": drawn(32, seed=7),
    "lora_unet_down_blocks_0_resnets_0_norm1.diff": drawn(32, seed=8),
    f"{TEXT}.lora_up.weight": drawn(96, 4, seed=9),
    f"{TEXT}.lora_down.weight": drawn(4, 64, seed=10),
    f"{TEXT}.alpha": torch.tensor(2.0),
}


@pytest.fixture(scope="module")
def base(miniature: dict[str, Tensor]) -> Checkpoint:
    """Stable Diffusion 1 in single precision."""
    return Loader().checkpoint(in_memory("base", {name: each.float() for name, each in miniature.items()}))


def with_lora(base: Checkpoint, entries: dict[str, Tensor]) -> tuple:
    return lora.apply(base.model, base.clip, Lora("x", entries), 1.0, 1.0)


def extracted(base: Checkpoint, changed: tuple, wish: Wish) -> dict[str, Tensor]:
    model = merging.models(changed[0], base.model, lambda name: (1.0, -1.0))
    clip = merging.clips(changed[1], base.clip, (1.0, -1.0))
    return {
        **extraction.extracted(extraction.of_model(model), wish),
        **extraction.extracted(extraction.of_text(clip), wish),
    }


def product(entries: dict[str, Tensor], name: str) -> Tensor:
    """What kohya's scripts make of an entry: up · down · alpha / rank."""
    up, down = entries[f"{name}.lora_up.weight"], entries[f"{name}.lora_down.weight"]
    scale = float(entries.get(f"{name}.alpha", torch.tensor(len(down)))) / len(down)
    return (up.flatten(1).double() @ down.flatten(1).double() * scale).reshape(len(up), *down.shape[1:])


@pytest.mark.parametrize("rank", [4, 16])
def test_a_known_lora_comes_back_under_the_trainers_names(rank: int, base: Checkpoint, weights) -> None:
    changed = with_lora(base, KNOWN)
    found = extracted(base, changed, Wish(rank))
    assert found.keys() == {*KNOWN, *(f"{name}.alpha" for name in (LINEAR, CONV, SMALL_CONV))}
    for name in (LINEAR, CONV, SMALL_CONV, TEXT):
        torch.testing.assert_close(product(found, name), product(KNOWN, name), rtol=1e-4, atol=1e-6)
        assert found[f"{name}.lora_up.weight"].shape[2:] == KNOWN[f"{name}.lora_up.weight"].shape[2:]
        assert found[f"{name}.lora_down.weight"].shape[1:] == KNOWN[f"{name}.lora_down.weight"].shape[1:]
        assert len(found[f"{name}.lora_down.weight"]) <= rank
    for expected, again in zip(changed, with_lora(base, found), strict=True):
        before, after = weights(expected), weights(again)
        for name, weight in before.items():
            torch.testing.assert_close(after[name], weight, rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize("shape", [(32, 32, 3, 3), (48, 20), (16, 16)])
def test_no_product_of_so_low_a_rank_is_nearer(shape: tuple[int, ...]) -> None:
    difference = drawn(*shape, seed=11)
    values = torch.linalg.svdvals(difference.flatten(1).double())
    for rank in (1, 5, len(values) - 1):
        up, down = extraction.factors(difference, rank)
        assert (up.shape[:2], down.shape) == ((shape[0], rank), (rank, *shape[1:]))
        missed = (difference.flatten(1) - up.flatten(1) @ down.flatten(1)).double().norm()
        torch.testing.assert_close(missed, values[rank:].square().sum().sqrt(), rtol=1e-4, atol=1e-5)


def test_whole_differences_and_no_biases_where_they_are_asked_for(base: Checkpoint) -> None:
    found = extracted(base, with_lora(base, KNOWN), Wish(1, "full_diff", with_biases=False))
    assert found.keys() == {f"{name}.diff" for name in (LINEAR, CONV, SMALL_CONV, TEXT)}
    torch.testing.assert_close(found[f"{CONV}.diff"].double(), product(KNOWN, CONV), rtol=1e-4, atol=1e-6)


def test_a_model_in_half_precision_gives_a_lora_in_half_precision(loaded: Checkpoint) -> None:
    found = extracted(loaded, with_lora(loaded, KNOWN), Wish(4))
    assert {each.dtype for name, each in found.items() if not name.endswith("alpha")} == {torch.float16}
    torch.testing.assert_close(product(found, LINEAR), product(KNOWN, LINEAR), rtol=2e-3, atol=2e-4)


def test_diffusers_finds_the_layer_of_every_entry(base: Checkpoint) -> None:
    everywhere = {
        f"diffusion_model.{name}.diff": drawn(*weight.shape, seed=12)
        for name, weight in ((each.removesuffix(".weight"), each_) for each, each_ in base.model.part.weights.items())
        if "attn" in name and weight.ndim == 2
    }
    found = extraction.extracted(
        extraction.of_model(merging.models(with_lora(base, everywhere)[0], base.model, lambda name: (1.0, -1.0))),
        Wish(2),
    )
    converted, _ = _convert_non_diffusers_lora_to_diffusers(dict(found))
    # Diffusers' first names for LoRA entries: `….attn1.processor.to_q_lora.up.weight`.
    named = {re.sub(r"_lora\.(up|down)\.weight$|\.processor|^unet\.", "", name) for name in converted}
    named = {f"{name}.0" if name.endswith("to_out") else name for name in named}
    network = UNet2DConditionModel(
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2,
        cross_attention_dim=64,
        attention_head_dim=8,
        norm_num_groups=32,
    )
    modules = {name for name, each in network.named_modules() if "attn" in name and isinstance(each, torch.nn.Linear)}
    assert len(found) == 3 * len(everywhere)
    assert named <= modules
    assert len(named) == len(everywhere)


def test_sdxls_layers_are_called_as_its_trainers_call_them() -> None:
    base = Loader().checkpoint(in_memory("xl", families.sdxl().tensors))
    entries = {
        "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k": (64, 96),
        "lora_te1_text_model_encoder_layers_0_mlp_fc1": (64, 32),
        "lora_te2_text_model_encoder_layers_0_mlp_fc1": (128, 64),
    }
    given = {f"{name}.diff": drawn(*shape, seed=13) for name, shape in entries.items()}
    found = extracted(base, with_lora(base, given), Wish(2))
    assert {name.partition(".")[0] for name in found} == set(entries)
    assert extraction.metadata(base.model, 2)["ss_base_model_version"] == "sdxl_base_v1-0"


def test_weights_without_a_trainers_name_come_back_too(base: Checkpoint, weights) -> None:
    given = {
        "text_encoders.clip_l.transformer.text_model.final_layer_norm.diff": drawn(64, seed=14),
        "text_encoders.clip_l.transformer.text_model.embeddings.position_embedding.diff": drawn(77, 64, seed=15),
    }
    changed = with_lora(base, given)
    again = with_lora(base, extracted(base, changed, Wish(64)) | {})
    after = weights(again[1])
    for name, weight in weights(changed[1]).items():
        torch.testing.assert_close(after[name], weight, rtol=1e-4, atol=1e-5, msg=name)


def test_what_is_no_difference_is_refused(base: Checkpoint) -> None:
    for model in (base.model, with_lora(base, KNOWN)[0]):
        with pytest.raises(CheckpointError, match=r"model_diff: expected the difference .* with ModelMergeSubtract"):
            extraction.extracted(extraction.of_model(model), Wish(4))
    with pytest.raises(CheckpointError, match="text_encoder_diff: expected the difference"):
        extraction.extracted(extraction.of_text(base.clip), Wish(4))


def mixed(model, other, first: float, second: float):
    return merging.models(model, other, lambda name: (first, second))


def scaled(model):
    return model.with_patches(attention_factors.of_unet(model.part.weights, "attn1", {"q": 2.0, "out": 0.5}))


def with_dora(model):
    dora = {**KNOWN, f"{LINEAR}.dora_scale": torch.ones(32, 1)}
    return lora.apply(model, None, Lora("dora", dora), 1.0, 1.0)[0]


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda model, tuned: mixed(model, tuned, 0.5, 0.5), id="two halves"),
        pytest.param(lambda model, tuned: mixed(model, tuned, 1.0, 1.0), id="a sum"),
        pytest.param(lambda model, tuned: mixed(model, tuned, 0.5, -1.0), id="a subtraction of more than there is"),
        pytest.param(lambda model, tuned: scaled(model), id="a scaled model"),
        pytest.param(
            lambda model, tuned: mixed(mixed(tuned, model, 1.0, -1.0), model, 1.0, 1.0), id="a difference put back"
        ),
        pytest.param(
            lambda model, tuned: mixed(mixed(tuned, model, 1.0, -1.0), model, 1.0, -1.0), id="the model taken off twice"
        ),
        pytest.param(
            lambda model, tuned: mixed(mixed(model, tuned, 1.0, 1.0), model, 1.0, -1.0), id="a sum less one of the two"
        ),
        pytest.param(lambda model, tuned: with_dora(mixed(tuned, model, 1.0, -1.0)), id="a DoRA on a difference"),
    ],
)
def test_what_is_mixed_to_anything_but_a_difference_is_refused(base: Checkpoint, make) -> None:
    with pytest.raises(CheckpointError, match="model_diff: expected the difference"):
        extraction.extracted(extraction.of_model(make(base.model, with_lora(base, KNOWN)[0])), Wish(4))


@pytest.mark.parametrize(
    ("make", "times"),
    [
        pytest.param(lambda base, tuned: mixed(tuned, base, 0.3, -0.3), 0.3, id="a part of it"),
        pytest.param(lambda base, tuned: mixed(mixed(tuned, base, 0.7, 0.3), base, 1.0, -1.0), 0.7, id="of a merge"),
        pytest.param(
            lambda base, tuned: mixed(mixed(tuned, base, 1.0, -1.0), mixed(base, tuned, 1.0, -1.0), 2.0, 0.5), 1.5,
            id="a mix of two differences",
        ),
    ],
)  # fmt: skip
def test_the_difference_is_what_the_merges_leave_of_it(base: Checkpoint, make, times: float) -> None:
    made = extraction.extracted(extraction.of_model(make(base.model, with_lora(base, KNOWN)[0])), Wish(4, "full_diff"))
    known = times * KNOWN[f"{LINEAR}.lora_up.weight"] @ KNOWN[f"{LINEAR}.lora_down.weight"]
    (entry,) = (each for name, each in made.items() if name.startswith(LINEAR))
    torch.testing.assert_close(entry.float(), known, rtol=1e-3, atol=1e-5)


def test_a_difference_of_scaled_weights_is_one(base: Checkpoint) -> None:
    made = extraction.extracted(
        extraction.of_model(mixed(scaled(base.model), base.model, 1.0, -1.0)), Wish(4, "full_diff")
    )
    assert {name.partition("_attn1_")[2] for name in made} == {"to_q.diff", "to_out_0.diff", "to_out_0.diff_b"}


def test_a_damaged_model_is_named_with_the_weight(base: Checkpoint) -> None:
    damaged = with_lora(base, {f"{LINEAR}.diff": torch.full((32, 64), torch.nan)})
    with pytest.raises(CheckpointError, match=r"model_diff: input_blocks\.1\.1.*attn2\.to_k\.weight holds values"):
        extracted(base, damaged, Wish(4))
