"""Author hooks at their places in narrow nets with the layout of SD1 and SDXL."""

import pytest
import torch
from torch import Tensor

from engine.devices.attention import attention
from engine.models.unet import UNet
from tests.engine.models.nets import UNETS, randomised

SD1 = UNETS["sd1"]
X = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
TIMES = torch.tensor([10.0, 500.0])
CONTEXT = torch.randn(2, 5, SD1.context_width, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def net() -> UNet:
    return randomised(UNet(SD1))


def run(net: UNet, **patches) -> Tensor:
    with torch.inference_mode():
        return net(X, TIMES, CONTEXT, patches=patches or None)


def recorder(seen: list, *, of: int = 1):
    """A patch that notes the options it was shown and changes nothing."""

    def patch(*given):
        seen.append(given[-1])
        return given[0] if of == 1 else given[:of]

    return patch


def test_patches_that_change_nothing_change_nothing(net):
    names = {"input_block_patch": 1, "input_block_patch_after_skip": 1, "output_block_patch": 2, "middle_patch": 1}
    names |= {"attn1_patch": 3, "attn1_output_patch": 1, "attn2_patch": 3, "attn2_output_patch": 1}
    seen: dict[str, list] = {name: [] for name in names}
    lists = {name: [recorder(seen[name], of=of)] for name, of in names.items()}
    torch.testing.assert_close(run(net, patches=lists), run(net))
    blocks, transformers = 12, 16
    calls = {name: len(options) for name, options in seen.items()}
    assert calls == {name: blocks if "block" in name else transformers for name in names}


def test_a_patch_is_told_where_it_is(net):
    shown: list[tuple] = []

    def patch(n, options):
        shown.append((options["block"], options["block_index"], options["transformer_index"], n.shape[1]))
        assert (options["n_heads"], options["dim_head"], options["sigmas"]) == (4, n.shape[-1] // 4, "given")
        assert "patches" not in options
        return n

    run(net, patches={"attn1_output_patch": [patch]}, sigmas="given")
    places = [place for place, *_ in shown]
    assert places[:3] == [("input", 1), ("input", 2), ("input", 4)]
    assert places[6] == ("middle", 0)
    assert places[7:] == [("output", i) for i in range(3, 12)]
    assert [index for *_, index, _ in shown] == list(range(16))
    assert [tokens for *_, tokens in shown][:6] == [64, 64, 16, 16, 4, 4]


def test_the_callers_mapping_is_left_as_it_was(net):
    options = {"patches": {"input_block_patch": [recorder([])]}}
    net(X, TIMES, CONTEXT, patches=options)
    assert set(options) == {"patches"}


def test_depth_inside_one_transformer_is_the_block_index():
    config = UNETS["sdxl"]
    seen: list[dict] = []
    patch = recorder(seen)
    context, y = torch.zeros(1, 3, config.context_width), torch.zeros(1, config.class_width)
    UNet(config)(X[:1], TIMES[:1], context, y, patches={"patches": {"attn2_output_patch": [patch]}})
    first_five = [(options["block"], options["block_index"], options["transformer_index"]) for options in seen[:5]]
    assert first_five == [
        (("input", 4), 0, 0),
        (("input", 4), 1, 0),
        (("input", 5), 0, 1),
        (("input", 5), 1, 1),
        (("input", 7), 0, 2),
    ]
    assert seen[0]["original_shape"] == [1, 4, 8, 8]
    assert seen[0]["activations_shape"] == [1, 64, 4, 4]


def test_attention_is_replaced_at_one_place_only(net):
    with torch.inference_mode():
        silenced = randomised(UNet(SD1))
        silenced.output_blocks[4][1].transformer_blocks[0].attn2.to_out[0].weight.zero_()
    for key in [("output", 4), ("output", 4, 0)]:
        replace = {"attn2": {key: lambda q, k, v, extra: torch.zeros_like(q)}}
        torch.testing.assert_close(run(net, patches_replace=replace), run(silenced))
    elsewhere = {"attn2": {("output", 4, 1): lambda q, k, v, extra: torch.zeros_like(q)}}
    assert torch.equal(run(net, patches_replace=elsewhere), run(net))


def test_a_longer_key_picks_one_layer_of_a_deep_transformer():
    config = UNETS["sdxl"]
    net = randomised(UNet(config))
    given = {"x": X[:1], "timesteps": TIMES[:1], "y": torch.ones(1, config.class_width)}
    given["context"] = torch.ones(1, 3, config.context_width)
    replace = {"attn1": {("input", 7, 1): lambda q, k, v, extra: torch.zeros_like(q)}}
    with torch.inference_mode():
        replaced = net(**given, patches={"patches_replace": replace})
        net.input_blocks[7][1].transformer_blocks[1].attn1.to_out[0].weight.zero_()
        torch.testing.assert_close(replaced, net(**given))


def test_a_replacement_with_the_same_attention_changes_nothing(net):
    replace = {"attn1": {("middle", 0): lambda q, k, v, extra: attention(q, k, v, extra["n_heads"])}}
    torch.testing.assert_close(run(net, patches_replace=replace), run(net))


def test_every_attention_can_be_overridden(net):
    widths: list[int] = []

    def override(original, q, k, v, heads, **_):
        widths.append(k.shape[1])
        return original(q, k, v, heads)

    torch.testing.assert_close(run(net, optimized_attention_override=override), run(net))
    assert len(widths) == 32
    assert widths[:2] == [64, 5]


def test_attn2_patch_can_put_another_text_in_place(net):
    other = torch.randn(2, 9, SD1.context_width, generator=torch.Generator().manual_seed(2))
    swapped = run(net, patches={"attn2_patch": [lambda n, context, value, extra: (n, other, other)]})
    with torch.inference_mode():
        torch.testing.assert_close(swapped, net(X, TIMES, other))


def test_attn1_patch_sees_what_will_be_projected(net):
    block = net.input_blocks[1][1].transformer_blocks[0]
    projected: list[Tensor] = []
    hook = block.attn1.to_k.register_forward_pre_hook(lambda _, given: projected.append(given[0]))
    run(net, patches={"attn1_patch": [lambda n, context, value, extra: (n, context[:, :7], value[:, :7])]})
    hook.remove()
    assert projected[0].shape == (2, 7, 32)


def test_input_patches_before_and_after_the_skip_is_stored(net):
    def double(h, options):
        return h * 2 if options["block"] == ("input", 11) else h

    taken: dict[str, Tensor] = {}

    def note(h, skip, options):
        if options["block"] == ("output", 0):
            taken.update(skip=skip)
        return h, skip

    run(net, patches={"output_block_patch": [note]})
    plain = taken["skip"]
    run(net, patches={"output_block_patch": [note], "input_block_patch": [double]})
    torch.testing.assert_close(taken["skip"], plain * 2)
    run(net, patches={"output_block_patch": [note], "input_block_patch_after_skip": [double]})
    torch.testing.assert_close(taken["skip"], plain)


def test_output_patches_change_what_is_joined(net):
    width = 128

    def mute_skip(h, skip, options):
        return (h, skip * 0) if options["block"] == ("output", 0) else (h, skip)

    joined: list[Tensor] = []
    hook = net.output_blocks[0].register_forward_pre_hook(lambda _, given: joined.append(given[0]))
    run(net, patches={"output_block_patch": [mute_skip]})
    hook.remove()
    assert joined[0][:, width:].abs().max() == 0
    assert joined[0][:, :width].abs().max() > 0


def test_emb_patch_changes_the_time(net):
    later = net.time_embed(torch.zeros(2, 32))
    seen: list[int] = []

    def patch(embedding, model_channels, options):
        seen.append(model_channels)
        return later

    changed = run(net, patches={"emb_patch": [patch]})
    assert seen == [32]
    assert not torch.allclose(changed, run(net))
