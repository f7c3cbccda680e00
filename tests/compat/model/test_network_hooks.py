"""The places of plugin_surface.md 8.3, on our UNet: what each function is shown, and that what it says counts."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import compat.host  # noqa: F401 -- comfy is importable once a host was installed

HEADS, WIDTH, TOKENS = 8, 32, 64


def changed(patcher: Any, ask: Any, before: Tensor) -> bool:
    return not torch.allclose(ask(patcher), before, atol=1e-4)


@pytest.fixture
def plain(patcher: Any, ask: Any) -> Tensor:
    return ask(patcher)


@pytest.mark.parametrize("name", ["attn1", "attn2"])
def test_an_attention_patch_sees_tokens_before_they_are_projected(
    patcher: Any, ask: Any, plain: Tensor, name: str
) -> None:
    seen: list[Any] = []

    def patch(n: Tensor, context: Tensor, value: Tensor, extra: dict[str, Any]) -> Any:
        seen.append((n.shape, context.shape, value.shape, dict(extra)))
        return n, context, value * 2

    mine = patcher.clone()
    getattr(mine, f"set_model_{name}_patch")(patch)
    assert changed(mine, ask, plain)
    n, context, value, extra = seen[0]
    assert n == (2, TOKENS, WIDTH)
    assert context == value == ((2, 77, 64) if name == "attn2" else n)
    assert extra["n_heads"] == HEADS
    assert extra["dim_head"] == WIDTH // HEADS
    assert extra["block"] == ("input", 1)
    assert extra["original_shape"] == [2, 4, 8, 8]
    assert extra["cond_or_uncond"] == [0, 1]
    assert "patches" not in extra
    assert [each[3]["transformer_index"] for each in seen] == list(range(len(seen)))
    assert {each[3]["block"][0] for each in seen} == {"input", "middle", "output"}


def test_a_replaced_attention_sees_projected_tokens_and_may_be_the_host_function(
    patcher: Any, ask: Any, plain: Tensor
) -> None:
    from comfy.ldm.modules.attention import optimized_attention

    def same(q: Tensor, k: Tensor, v: Tensor, extra: dict[str, Any]) -> Tensor:
        assert q.shape == (2, 16, 2 * WIDTH)
        return optimized_attention(q, k, v, extra["n_heads"])

    mine = patcher.clone()
    mine.set_model_attn1_replace(same, "middle", 0)
    mine.set_model_attn2_replace(same, "middle", 0)
    assert torch.allclose(ask(mine), plain, atol=1e-5)
    mine.set_model_attn1_replace(lambda q, k, v, extra: v * 3, "middle", 0)
    assert changed(mine, ask, plain)


def test_the_longer_key_of_a_replacement_wins(patcher: Any, ask: Any, plain: Tensor) -> None:
    calls: list[str] = []
    mine = patcher.clone()
    mine.set_model_attn2_replace(lambda q, k, v, extra: calls.append("short") or q, "input", 1)
    mine.set_model_attn2_replace(lambda q, k, v, extra: calls.append("long") or q, "input", 1, 0)
    ask(mine)
    assert calls == ["long"]


def test_output_and_middle_patches_come_in_the_order_of_the_block(patcher: Any, ask: Any, plain: Tensor) -> None:
    calls: list[str] = []
    mine = patcher.clone()

    def noted(name: str) -> Any:
        def patch(n: Tensor, extra: dict[str, Any]) -> Tensor:
            calls.append(name)
            return n * 1.5

        return patch

    mine.set_model_attn2_output_patch(noted("attn2"))
    mine.set_model_attn1_output_patch(noted("attn1"))
    mine.set_model_patch(noted("middle"), "middle_patch")
    assert changed(mine, ask, plain)
    assert calls[:3] == ["attn1", "middle", "attn2"]


def test_block_patches_see_activations_and_skips(patcher: Any, ask: Any, plain: Tensor) -> None:
    places: list[Any] = []

    def block(h: Tensor, options: dict[str, Any]) -> Tensor:
        places.append((options["block"], h.shape))
        return h

    def output(h: Tensor, skip: Tensor, options: dict[str, Any]) -> Any:
        places.append((options["block"], h.shape[1], skip.shape[1]))
        return h, skip * 0.5

    mine = patcher.clone()
    mine.set_model_input_block_patch(block)
    mine.set_model_output_block_patch(output)
    assert changed(mine, ask, plain)
    assert places[0] == (("input", 0), (2, WIDTH, 8, 8))
    assert places[4] == (("output", 0), 2 * WIDTH, 2 * WIDTH)
    assert len(places) == 8


def test_a_patch_after_the_skip_leaves_the_skip_alone(patcher: Any, ask: Any, plain: Tensor) -> None:
    skips: list[Tensor] = []
    mine = patcher.clone()
    mine.set_model_input_block_patch_after_skip(lambda h, options: h * 0)
    mine.set_model_output_block_patch(lambda h, skip, options: (skips.append(skip), (h, skip))[1])
    assert changed(mine, ask, plain)
    assert skips[-1].abs().sum() > 0


def test_the_embedding_of_time_can_be_changed(patcher: Any, ask: Any, plain: Tensor) -> None:
    mine = patcher.clone()

    def patch(emb: Tensor, model_channels: int, options: dict[str, Any]) -> Tensor:
        assert (emb.shape, model_channels) == ((2, 4 * WIDTH), WIDTH)
        return emb + 1

    mine.set_model_emb_patch(patch)
    assert changed(mine, ask, plain)


def test_layers_of_a_plugins_own_are_run_by_its_handler(patcher: Any, ask: Any, plain: Tensor) -> None:
    class Motion(nn.Module):
        pass

    calls: list[Any] = []

    def handler(layer: Any, x: Tensor, emb: Tensor, context: Tensor, options: Any, shape: Any, *more: Any) -> Tensor:
        calls.append((type(layer), x.shape, len(more)))
        return x * 0.9

    block = patcher.model.diffusion_model.input_blocks[1]
    block.append(Motion())
    try:
        mine = patcher.clone()
        mine.set_model_forward_timestep_embed_patch((Motion, handler))
        assert changed(mine, ask, plain)
    finally:
        del block[-1]
    assert calls == [(Motion, (2, WIDTH, 8, 8), 3)]


def test_attention_can_be_overridden_everywhere(patcher: Any, ask: Any, plain: Tensor) -> None:
    calls: list[str] = []

    def override(func: Any, *args: Any, **kwargs: Any) -> Tensor:
        calls.append(func.__name__)
        return func(*args, **kwargs)

    mine = patcher.clone()
    mine.model_options["transformer_options"]["optimized_attention_override"] = override
    assert torch.equal(ask(mine), plain)
    assert calls == ["attention_pytorch"] * len(calls)
    assert len(calls) > 4


def test_a_replaced_attention_function_of_the_module_is_the_one_asked(
    patcher: Any, ask: Any, plain: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from comfy.ldm.modules import attention

    monkeypatch.setattr(attention, "optimized_attention", lambda q, k, v, heads, **kwargs: q)
    assert changed(patcher, ask, plain)


def test_controls_are_taken_off_the_ends_of_their_lists(patcher: Any, ask: Any, engine_says: Any, model: Any) -> None:
    from engine.models.control import ControlResiduals

    generator = torch.Generator().manual_seed(3)
    shapes = [(WIDTH, 8), (WIDTH, 8), (WIDTH, 4), (2 * WIDTH, 4)]
    skips = [torch.randn(2, width, side, side, generator=generator) for width, side in shapes]
    middle = torch.randn(2, 2 * WIDTH, 4, 4, generator=generator)
    expected = engine_says(model, control=ControlResiduals(tuple(skips), middle, (None, skips[1] * 2, None, None)))
    control = {"input": [None, None, skips[1] * 2, None], "middle": [middle], "output": list(skips)}
    assert torch.allclose(ask(patcher, control=control), expected, atol=1e-5)
    assert control["output"] == []


def test_replaced_functions_of_the_unets_module_are_asked(
    patcher: Any, ask: Any, plain: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from comfy.ldm.modules.diffusionmodules import openaimodel

    calls: list[str] = []
    original = openaimodel.forward_timestep_embed

    def embed(*args: Any, **kwargs: Any) -> Tensor:
        calls.append("embed")
        return original(*args, **kwargs)

    monkeypatch.setattr(openaimodel, "forward_timestep_embed", embed)
    monkeypatch.setattr(openaimodel, "apply_control", lambda h, control, name: calls.append(name) or h)
    assert torch.equal(ask(patcher), plain)
    assert calls.count("embed") == 9
    assert (calls.count("input"), calls.count("middle"), calls.count("output")) == (4, 1, 4)


def test_wrappers_are_around_the_model_and_the_network(patcher: Any, ask: Any, plain: Tensor) -> None:
    from comfy.patcher_extension import WrappersMP

    seen: list[Any] = []

    def around_model(executor: Any, x: Tensor, t: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        seen.append(type(executor.class_obj).__name__)
        return executor(x, t, *args, **kwargs) + 1

    def around_network(executor: Any, x: Tensor, timesteps: Tensor, context: Tensor, *args: Any, **kw: Any) -> Tensor:
        seen.append((type(executor.class_obj).__name__, timesteps.shape, context.shape))
        return executor(x, timesteps, context, *args, **kw)

    mine = patcher.clone()
    mine.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "test", around_model)
    mine.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "test", around_network)
    assert torch.allclose(ask(mine), plain + 1, atol=1e-5)
    assert seen == ["BaseModel", ("UNetModel", (2,), (2, 77, 64))]


def test_the_network_is_made_of_the_classes_plugins_look_for(patcher: Any) -> None:
    from comfy.ldm.modules import attention
    from comfy.ldm.modules.diffusionmodules import openaimodel

    network = patcher.model.diffusion_model
    kinds = {type(module) for module in network.modules()}
    assert type(network) is openaimodel.UNetModel
    assert {
        openaimodel.TimestepEmbedSequential,
        openaimodel.ResBlock,
        openaimodel.Upsample,
        openaimodel.Downsample,
        attention.SpatialTransformer,
        attention.BasicTransformerBlock,
        attention.CrossAttention,
        attention.FeedForward,
    } <= kinds
    block = network.input_blocks[1][1].transformer_blocks[0]
    assert (block.n_heads, block.d_head) == (HEADS, WIDTH // HEADS)
    assert network.model_channels == WIDTH
    assert network.input_blocks[1][0].out_channels == WIDTH
    assert not any(isinstance(module, attention.SpatialVideoTransformer) for module in network.modules())
