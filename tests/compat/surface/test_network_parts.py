"""comfy.ops, comfy.ldm, conds, hooks and patcher_extension: members that at least two packs use."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import compat.install  # noqa: F401


@pytest.fixture(autouse=True)
def _names(host: Any) -> None:
    """ComfyUI's module names are there."""


def reference(q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Tensor | None = None) -> Tensor:
    """Attention as the paper writes it."""
    out = []
    for a, b, c in zip(q.chunk(heads, -1), k.chunk(heads, -1), v.chunk(heads, -1), strict=True):
        scores = a @ b.transpose(1, 2) / a.shape[-1] ** 0.5
        out.append((scores if mask is None else scores + mask).softmax(-1) @ c)
    return torch.cat(out, -1)


@pytest.mark.parametrize(
    "name",
    [
        "optimized_attention",
        "optimized_attention_masked",
        "attention_basic",
        "attention_pytorch",
        "attention_sub_quad",
        "attention_split",
    ],
)
def test_attention_in_every_shape(name: str) -> None:
    from comfy.ldm.modules import attention

    function = getattr(attention, name)
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, n, 12, generator=generator) for n in (5, 7, 7))
    mask = torch.randn(2, 5, 7, generator=generator)
    expected = reference(q, k, v, 3, mask)
    assert torch.allclose(function(q, k, v, 3), reference(q, k, v, 3), atol=1e-5)
    assert torch.allclose(function(q, k, v, 3, mask=mask), expected, atol=1e-5)
    apart = [x.unflatten(-1, (3, 4)).transpose(1, 2) for x in (q, k, v)]
    assert torch.allclose(function(*apart, 3, mask, skip_reshape=True), expected, atol=1e-5)
    kept = function(*apart, 3, mask=mask[:, None], skip_reshape=True, skip_output_reshape=True)
    assert torch.allclose(kept.transpose(1, 2).flatten(2), expected, atol=1e-5)


def test_layers_start_without_random_weights_and_cast_when_asked() -> None:
    from comfy import ops

    for name, args in (("Linear", (4, 3)), ("Conv2d", (4, 3, 1)), ("GroupNorm", (2, 4)), ("LayerNorm", (4,))):
        layer = getattr(ops.manual_cast, name)(*args, dtype=torch.float16)
        for weight in layer.parameters():
            weight.data = torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)).half()
        x = torch.randn(2, 4, *([5, 5] if name in ("Conv2d", "GroupNorm") else []))
        plain = getattr(nn, name)(*args)
        plain.load_state_dict({key: value.float() for key, value in layer.state_dict().items()})
        assert torch.allclose(layer(x), plain(x), atol=1e-5)
        assert isinstance(layer, getattr(nn, name))
        assert isinstance(layer, getattr(ops.disable_weight_init, name))
    assert isinstance(ops.disable_weight_init.conv_nd(2, 3, 4, 1), ops.disable_weight_init.Conv2d)
    assert isinstance(ops.manual_cast.conv_nd(3, 3, 4, 1), ops.manual_cast.Conv3d)


def test_a_layers_functions_go_over_its_weights() -> None:
    from comfy import ops

    layer = ops.disable_weight_init.Linear(2, 2)
    layer.weight.data, layer.bias.data = torch.eye(2), torch.ones(2)
    layer.weight_function.append(lambda weight: weight * 2)
    layer.bias_function.append(lambda bias: bias - 1)
    x = torch.randn(3, 2)
    assert torch.equal(layer(x), x * 2)
    weight, bias = ops.cast_bias_weight(layer, x.half())
    assert weight.dtype == bias.dtype == torch.float16
    assert torch.equal(weight.float(), torch.eye(2) * 2)
    ops.uncast_bias_weight(layer, weight, bias)


def test_operations_are_picked_by_formats_and_can_be_inherited_from() -> None:
    from comfy import ops

    assert ops.pick_operations(torch.float32, torch.float32) is ops.disable_weight_init
    assert ops.pick_operations(torch.float16, None) is ops.disable_weight_init
    assert ops.pick_operations(torch.float16, torch.float32) is ops.manual_cast

    class Mine(ops.manual_cast):
        class Linear(ops.manual_cast.Linear):
            def forward_comfy_cast_weights(self, input: Tensor) -> Tensor:
                return input * 7

    assert torch.equal(Mine.Linear(2, 2)(torch.ones(2)), torch.full((2,), 7.0))


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_rounding_by_chance_keeps_the_mean_and_stays_with_neighbours(dtype: torch.dtype) -> None:
    from comfy.float import stochastic_rounding

    x = torch.full((20000,), 0.3137)
    rounded = stochastic_rounding(x, dtype, seed=3).float()
    assert len(rounded.unique()) == 2
    assert float(rounded.mean()) == pytest.approx(0.3137, rel=5e-3)
    assert torch.equal(rounded, stochastic_rounding(x, dtype, seed=3).float())
    exact = torch.tensor([1.0, -2.0, 0.0, 0.5])
    assert torch.equal(stochastic_rounding(exact, dtype, 1).float(), exact)
    tiny = torch.linspace(-0.02, 0.02, 101)
    off = (stochastic_rounding(tiny, dtype, 1).float() - tiny).abs()
    assert float(off.max()) <= 2**-9 if dtype == torch.float8_e4m3fn else 2**-8
    assert stochastic_rounding(x, torch.float16).dtype == torch.float16


def test_transformer_mathematics() -> None:
    from comfy.ldm import common_dit
    from comfy.ldm.flux.layers import EmbedND, timestep_embedding
    from comfy.ldm.flux.math import apply_rope
    from comfy.ldm.modules.diffusionmodules import mmdit, util

    padded = common_dit.pad_to_patch_size(torch.arange(9.0).reshape(1, 1, 3, 3), (2, 2))
    assert padded.shape == (1, 1, 4, 4)
    assert padded[0, 0, 3, 3] == 0
    x = torch.randn(2, 3, 8)
    weight = torch.rand(8)
    expected = x / (x.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt() * weight
    assert torch.allclose(common_dit.rms_norm(x, weight, 1e-6), expected, atol=1e-6)
    norm = mmdit.RMSNorm(8, elementwise_affine=True)
    norm.weight.data = weight
    assert torch.allclose(norm(x), expected, atol=1e-6)
    times = torch.tensor([0.25, 0.5])
    assert torch.allclose(timestep_embedding(times, 8), util.timestep_embedding(times * 1000, 8), atol=1e-4)
    pe = EmbedND(8, 10000, [4, 4])(torch.randint(0, 9, (1, 5, 2)).float())
    assert pe.shape == (1, 1, 5, 4, 2, 2)
    q, k = torch.randn(1, 2, 5, 8), torch.randn(1, 2, 5, 8)
    turned_q, _ = apply_rope(q, k, pe)
    assert torch.allclose(turned_q.norm(dim=-1), q.norm(dim=-1), atol=1e-5)
    assert turned_q.shape == q.shape
    still = EmbedND(8, 10000, [4, 4])(torch.zeros(1, 5, 2))
    assert torch.allclose(apply_rope(q, k, still)[1], k, atol=1e-6)


def test_rotary_positions_know_only_distances() -> None:
    from comfy.ldm.flux.layers import EmbedND
    from comfy.ldm.flux.math import apply_rope

    q, k = torch.randn(1, 1, 1, 8), torch.randn(1, 1, 1, 8)

    def score(a: float, b: float) -> Tensor:
        embed = EmbedND(8, 10000, [8])
        turned = apply_rope(q, q, embed(torch.tensor([[[a]]])))[0], apply_rope(k, k, embed(torch.tensor([[[b]]])))[0]
        return (turned[0] * turned[1]).sum()

    assert torch.allclose(score(3, 5), score(10, 12), atol=1e-4)
    assert not torch.allclose(score(3, 5), score(3, 9), atol=1e-3)


def test_lightricks_mathematics() -> None:
    from comfy.ldm.lightricks.model import apply_rotary_emb
    from comfy.ldm.lightricks.symmetric_patchifier import SymmetricPatchifier, latent_to_pixel_coords

    x = torch.tensor([[[1.0, 2.0, 3.0, 4.0]]])
    quarter = torch.zeros(1, 1, 4), torch.ones(1, 1, 4)
    assert torch.equal(apply_rotary_emb(x, quarter), torch.tensor([[[-2.0, 1.0, -4.0, 3.0]]]))
    coords = torch.tensor([[[0, 1], [2, 3], [4, 5]]])
    expected = [[[0, 1], [64, 96], [128, 160]]]
    assert latent_to_pixel_coords(coords, (8, 32, 32), causal_fix=True).tolist() == expected
    latent = torch.randn(2, 3, 2, 4, 6)
    patchifier = SymmetricPatchifier(2)
    tokens, places = patchifier.patchify(latent)
    assert (tokens.shape, places.shape) == ((2, 12, 12), (2, 3, 12))
    assert torch.equal(patchifier.unpatchify(tokens, 4, 6, 2, 3), latent)


@pytest.mark.parametrize(
    "name",
    [
        "flux.model.Flux",
        "flux.layers.DoubleStreamBlock",
        "flux.layers.SingleStreamBlock",
        "modules.attention.SpatialVideoTransformer",
        "modules.diffusionmodules.openaimodel.VideoResBlock",
        "modules.diffusionmodules.mmdit.JointBlock",
        "lightricks.model.LTXVModel",
        "wan.model.WanT2VCrossAttention",
        "wan.model.WanI2VCrossAttention",
        "cosmos.predict2.Attention",
    ],
)
def test_networks_that_are_not_here_can_be_asked_for_and_say_so_when_made(name: str) -> None:
    import comfy

    from engine.errors import LatentwireError

    kind: Any = comfy.ldm
    for part in name.split("."):
        kind = getattr(kind, part)
    assert not isinstance(nn.Linear(1, 1), kind)

    class Mine(kind):
        pass

    with pytest.raises(LatentwireError, match=name.rpartition(".")[2]):
        Mine()


def test_names_that_are_not_there_are_named_by_the_error() -> None:
    import comfy.model_patcher

    with pytest.raises(AttributeError, match=r"comfy\.model_patcher\.QuantizedTensor"):
        _ = comfy.model_patcher.QuantizedTensor
    with pytest.raises(ImportError, match="LTXRopeType"):
        from comfy.ldm.lightricks.model import LTXRopeType  # noqa: F401


def test_a_unet_of_a_plugins_own_operations() -> None:
    from comfy import ops
    from comfy.ldm.modules.diffusionmodules.openaimodel import Downsample, ResBlock, UNetModel, Upsample

    class Mine(ops.manual_cast):
        class Linear(ops.manual_cast.Linear):
            pass

    net = UNetModel(
        in_channels=4,
        out_channels=4,
        model_channels=32,
        num_res_blocks=[1, 1],
        channel_mult=[1, 2],
        transformer_depth=[1, 1],
        transformer_depth_output=[1, 1, 1, 1],
        context_dim=16,
        num_heads=4,
        dtype=torch.float16,
        device="cpu",
        operations=Mine,
    )
    kinds = {type(m) for m in net.modules()}
    assert Mine.Linear in kinds
    assert nn.Linear not in kinds
    assert net.dtype == torch.float16
    assert all(weight.dtype == torch.float16 for weight in net.parameters())
    for layer, shape in (
        (Downsample(8, True), (1, 8, 2, 2)),
        (Downsample(8, False), (1, 8, 2, 2)),
        (Upsample(8, True), (1, 8, 8, 8)),
        (ResBlock(8, 6, 0.0, out_channels=5), None),
    ):
        for weight in layer.parameters():
            weight.data = torch.randn_like(weight)
        x = torch.randn(1, 8, 4, 4)
        if shape is None:
            assert layer(x, torch.randn(1, 6)).shape == (1, 5, 4, 4)
        else:
            assert layer(x).shape == shape
    assert Upsample(8, False)(torch.randn(1, 8, 4, 4), output_shape=(1, 8, 7, 9)).shape == (1, 8, 7, 9)


def test_cross_attention_and_blocks_by_themselves() -> None:
    from comfy.ldm.modules.attention import BasicTransformerBlock, CrossAttention, SpatialTransformer, default

    torch.manual_seed(0)
    layer = CrossAttention(8, context_dim=6, heads=2, dim_head=4)
    block = BasicTransformerBlock(8, 2, 4, context_dim=6)
    spatial = SpatialTransformer(8, 2, 4, depth=2, context_dim=[6, 6], use_linear=True)
    for module in (layer, block, spatial):
        for weight in module.parameters():
            weight.data = torch.randn_like(weight) * 0.3
    x, context = torch.randn(1, 9, 8), torch.randn(1, 5, 6)
    q, k, v = layer.to_q(x), layer.to_k(context), layer.to_v(context)
    assert torch.allclose(layer(x, context), layer.to_out(reference(q, k, v, 2)), atol=1e-5)
    h = x + block.attn1(block.norm1(x))
    h = h + block.attn2(block.norm2(h), context)
    assert torch.allclose(block(x, context, {}), h + block.ff(block.norm3(h)), atol=1e-5)
    picture = torch.randn(1, 8, 3, 3)
    tokens = functional.linear(spatial.norm(picture).flatten(2).mT, spatial.proj_in.weight, spatial.proj_in.bias)
    for each in spatial.transformer_blocks:
        tokens = each(tokens, context)
    expected = picture + spatial.proj_out(tokens).mT.reshape(picture.shape)
    assert torch.allclose(spatial(picture, context, {"transformer_index": 0}), expected, atol=1e-5)
    assert (default(None, 3), default(2, 3), default(None, lambda: 4)) == (3, 2, 4)


def test_conds_fit_batches_and_go_together() -> None:
    from comfy.conds import CONDConstant, CONDCrossAttn, CONDList, CONDNoiseShape, CONDRegular

    one = CONDRegular(torch.arange(3.0).reshape(1, 3))
    assert one.process_cond(2).cond.tolist() == [[0, 1, 2], [0, 1, 2]]
    assert one.can_concat(CONDRegular(torch.zeros(1, 3)))
    assert not one.can_concat(CONDRegular(torch.zeros(1, 4)))
    assert one.concat([CONDRegular(torch.ones(1, 3))]).shape == (2, 3)
    shaped = CONDNoiseShape(torch.arange(16.0).reshape(1, 1, 4, 4))
    assert shaped.process_cond(1, area=(2, 2, 1, 2)).cond.tolist() == [[[[6, 7], [10, 11]]]]
    short, long = CONDCrossAttn(torch.randn(1, 77, 2)), CONDCrossAttn(torch.randn(1, 154, 2))
    assert short.can_concat(long)
    joined = short.concat([long])
    assert torch.equal(joined[0, 77:], short.cond[0])
    assert not short.can_concat(CONDCrossAttn(torch.randn(1, 80, 2)))
    constant = CONDConstant(0.5)
    assert constant.process_cond(4).concat([CONDConstant(0.5)]) == 0.5
    assert not constant.can_concat(CONDConstant(0.6))
    several = CONDList([torch.zeros(1, 2), torch.ones(1, 3)])
    assert [x.shape for x in several.process_cond(2).cond] == [(2, 2), (2, 3)]
    assert [x.shape for x in several.concat([several])] == [(2, 2), (2, 3)]


def test_executors_go_through_wrappers_in_order() -> None:
    from comfy import patcher_extension as extension

    options: dict[str, Any] = {}
    extension.add_wrapper_with_key("kind", "a", lambda executor, x: executor(x + 1) * 2, options)
    extension.add_wrapper_with_key("kind", "b", lambda executor, x: executor(x * 10), options)
    wrappers = extension.get_all_wrappers("kind", options)
    assert extension.WrapperExecutor.new_executor(lambda x: x - 3, wrappers).execute(1) == (20 - 3) * 2
    seen = []
    owner = object()
    spy = extension.WrapperExecutor.new_class_executor(
        lambda x: x, owner, [lambda executor, x: seen.append(executor.class_obj) or executor(x)]
    )
    assert spy.execute(5) == 5
    assert seen == [owner]
    model_options: dict[str, Any] = {}
    extension.add_wrapper_with_key("kind", "a", print, model_options, is_model_options=True)
    assert model_options["transformer_options"]["wrappers"]["kind"]["a"] == [print]
    merged = extension.merge_nested_dicts({"a": {"b": [1]}}, {"a": {"b": [2], "c": 3}})
    assert merged == {"a": {"b": [1, 2], "c": 3}}


def test_hooks_change_weights_for_their_conditions_and_by_schedule(host: Any, tiny_models: Any) -> None:
    from comfy import hooks

    from compat.crossing import enter

    patcher = enter(host.loader.checkpoint(tiny_models / "checkpoints" / "tiny.safetensors").model).clone()
    lora = host.loader.lora(tiny_models / "loras" / "tiny.safetensors").tensors
    group = hooks.create_hook_lora(lora, 1.0, 0.0)
    keyframes = hooks.HookKeyframeGroup()
    keyframes.add(hooks.HookKeyframe(0.5, start_percent=0.5))
    keyframes.add(hooks.HookKeyframe(1.0, start_percent=0.0))
    group.set_keyframes_on_hooks(keyframes)
    patcher.register_all_hook_patches(group, hooks.create_target_dict(hooks.EnumWeightTarget.Model), {})
    patcher.patch_model(patcher.load_device)
    for hook in group.hooks:
        hook.initialize_timesteps(patcher.model)
    key = "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"

    def weight() -> Tensor:
        return patcher.model.diffusion_model.state_dict()[key].clone()

    plain = weight()
    options = {"transformer_options": {"sample_sigmas": torch.tensor([14.0, 7.0, 0.5, 0.0])}}
    patcher.prepare_hook_patches_current_keyframe(torch.tensor([14.0]), group, options)
    patcher.apply_hooks(group)
    full = weight()
    patcher.apply_hooks(None)
    assert torch.equal(weight(), plain)
    patcher.prepare_hook_patches_current_keyframe(torch.tensor([0.5]), group, options)
    patcher.apply_hooks(group)
    assert torch.allclose(weight() - plain, (full - plain) * 0.5, atol=2e-3)
    assert not torch.allclose(full, plain, atol=1e-2)
    patcher.cleanup()
    patcher.restore_hook_patches()
    assert torch.equal(weight(), plain)
    assert patcher.hook_patches == {}
    patcher.detach()


def test_groups_of_hooks_are_sets_with_an_order() -> None:
    from comfy import hooks

    a, b = hooks.create_hook_lora({}, 1.0, 1.0), hooks.create_hook_lora({}, 1.0, 1.0)
    both = hooks.HookGroup.combine_all_hooks([a, None, b, a.clone()])
    assert both is not None
    assert len(both) == 2
    assert a.clone() == a
    assert a != b
    assert hooks.HookGroup.combine_all_hooks([None]) is None
    cond = [[torch.zeros(1, 1, 1), {"hooks": a}], [torch.zeros(1, 1, 1), {}]]
    joined = hooks.set_hooks_for_conditioning(cond, b)
    assert len(joined[0][1]["hooks"]) == 2
    assert joined[1][1]["hooks"] == b
    assert hooks.set_hooks_for_conditioning(cond, b, append_hooks=False)[0][1]["hooks"] == b
    assert cond[0][1]["hooks"] is a
    masked = hooks.set_conds_props([cond], 0.5, "default", mask=torch.ones(4, 4), timesteps_range=(0.1, 0.6))[0]
    assert masked[0][1]["mask"].shape == (1, 4, 4)
    assert (masked[0][1]["mask_strength"], masked[0][1]["end_percent"]) == (0.5, 0.6)
    assert hooks.set_default_conds_and_combine([cond], [cond])[0][2][1]["default"] is True
    ranges = both.get_hooks_for_clip_schedule()
    assert [each[0] for each in ranges] == [(0.0, 1.0)]
