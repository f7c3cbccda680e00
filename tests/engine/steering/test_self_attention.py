"""Perturbed- and self-attention guidance, held to diffusers' UNet with the same weights and to the papers' formulas."""

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from diffusers.models.attention_processor import PAGIdentitySelfAttnProcessor2_0
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from engine.conditioning import Condition
from engine.errors import SamplingError
from engine.models.unet import UNet
from engine.models.unet_config import UNetConfig
from engine.sampling.batches import Chunks
from engine.sampling.fitting import fit
from engine.sampling.guidance import Guide, Hooks
from engine.sampling.hooks import joined_patches
from engine.sampling.prediction import Prediction
from engine.sampling.table import SigmaTable
from engine.steering import self_attention
from engine.steering.places import middle_layers, unet_width
from tests.engine.models.nets import apart, randomised, twin_unet

CFG = 4.0
SIGMA = torch.tensor(2.0)
PREDICTION = Prediction("eps", SigmaTable.from_betas())
SMALL = UNetConfig(
    model_channels=32,
    channel_multipliers=(1, 1, 1),
    res_blocks=(1, 1, 1),
    input_depths=(0, 1, 0),
    output_depths=(0, 0, 1, 1, 0, 0),
    context_width=24,
    heads=4,
)
TEXT = torch.randn(2, 5, 24, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def nets() -> tuple[UNet, nn.Module]:
    """Ours, and diffusers' of the same weights."""
    net = randomised(UNet(SMALL))
    return net, twin_unet(net, SMALL)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Tiny networks are slower with more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def latent(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(2)) * 2


def guided(net: nn.Module, x: Tensor, hooks: Hooks, cfg: float = CFG, room: int = 100) -> Tensor:
    sides = fit([Condition(TEXT[:1])], [Condition(TEXT[1:])], tuple(x.shape[-2:]), PREDICTION.table)
    with torch.no_grad():
        return Guide(net, PREDICTION, sides, cfg, hooks=hooks, chunks=Chunks(room)).both(x, SIGMA)[0]


def noise_seen(twin: nn.Module, x: Tensor, side: int) -> Tensor:
    """The noise that diffusers' UNet sees, with the positive (0) or the negative (1) text."""
    shown, time = x / math.sqrt(float(SIGMA) ** 2 + 1), PREDICTION.timestep(SIGMA)
    with torch.no_grad():
        answer: Tensor = twin(shown, time, encoder_hidden_states=TEXT[side : side + 1].expand(len(x), -1, -1)).sample
    return answer


def test_perturbed_attention_is_that_of_diffusers(nets) -> None:
    net, twin = nets
    x = latent(2, 4, 8, 8)
    positive, negative = (noise_seen(twin, x, side) for side in (0, 1))
    before = dict(twin.attn_processors)
    disturbed = PAGIdentitySelfAttnProcessor2_0()
    places = [name for name in before if name.startswith("mid_block") and "attn1" in name]
    twin.set_attn_processor({**before, **dict.fromkeys(places, disturbed)})
    # It leaves the first half of a batch as it is, and disturbs the second.
    perturbed = noise_seen(twin, torch.cat([x, x]), 0).chunk(2)[1]
    assert apart(perturbed, positive) > 1e-2
    twin.set_attn_processor(before)
    # Ahn et al., equation 15, beside classifier-free guidance.
    noise = negative + CFG * (positive - negative) + 3.0 * (positive - perturbed)
    made = guided(net, x, self_attention.perturbed(3.0, middle_layers(net, "")))
    assert apart(made, x - SIGMA * noise) < 1e-4


@pytest.mark.parametrize("cfg", [CFG, 1.0])
@pytest.mark.parametrize("size", [(16, 16), (16, 24), (18, 12)])
def test_self_attention_guidance_is_the_papers_with_diffusers_network(nets, size, cfg) -> None:
    net, twin = nets
    x = latent(2, 4, *size)
    looked: list[Tensor] = []
    attention = twin.mid_block.attentions[0].transformer_blocks[0].attn1

    def record(module, args, kwargs=None) -> None:
        q, k = (each(args[0]).unflatten(-1, (4, -1)).transpose(1, 2) for each in (module.to_q, module.to_k))
        looked.append((q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).softmax(-1).mean(1).sum(1))

    handle = attention.register_forward_pre_hook(record)
    negative = noise_seen(twin, x, 1)
    handle.remove()
    positive = noise_seen(twin, x, 0)
    clean = x - SIGMA * negative
    # Hong et al., algorithm 1: what is looked at most is blurred, and the same noise put on again.
    cells = [math.ceil(side / 4) for side in size]
    mask = (looked[0] > 1.0).reshape(2, 1, *cells).float()
    mask = nn.functional.interpolate(mask, size)
    blurred = torch.from_numpy(gaussian_filter(clean.numpy(), (0, 0, 1.5, 1.5), mode="mirror", radius=(0, 0, 4, 4)))
    degraded = blurred * mask + clean * (1 - mask)
    assert 0.05 < float(mask.mean()) < 0.95
    worse = noise_seen(twin, degraded + SIGMA * negative, 1)
    noise = negative + cfg * (positive - negative) + 0.75 * (negative - worse)
    hooks = self_attention.blurred(0.75, 1.5)
    assert apart(guided(net, x, hooks, cfg), x - SIGMA * noise) < 1e-4
    assert apart(guided(net, x, hooks, cfg, room=1), x - SIGMA * noise) < 1e-4  # asked row by row


def test_no_scale_and_small_latents_are_plain_guidance(nets) -> None:
    net, _ = nets
    x = latent(1, 4, 8, 8)
    torch.testing.assert_close(guided(net, x, self_attention.perturbed(0.0, 1)), guided(net, x, Hooks()))
    small = latent(1, 4, 4, 16)
    made = guided(net, small, self_attention.blurred(2.0, 2.0))
    torch.testing.assert_close(made, guided(net, small, Hooks()), rtol=1e-4, atol=1e-4)


def test_a_blur_of_nothing_changes_next_to_nothing(nets) -> None:
    net, _ = nets
    x = latent(1, 4, 16, 16)
    assert torch.equal(self_attention.gaussian_blur(x, 9, 0.0), x)
    assert apart(guided(net, x, self_attention.blurred(2.0, 0.0)), guided(net, x, Hooks())) < 1e-3


def test_both_go_together_whichever_comes_first(nets) -> None:
    net, _ = nets
    x = latent(1, 4, 16, 16)
    perturbed, blurred = self_attention.perturbed(3.0, 1), self_attention.blurred(0.75, 1.5)
    alone = [guided(net, x, each) - guided(net, x, Hooks()) for each in (perturbed, blurred)]
    for both in (perturbed.joined(blurred), blurred.joined(perturbed)):
        torch.testing.assert_close(guided(net, x, both) - guided(net, x, Hooks()), sum(alone), rtol=1e-3, atol=1e-3)


def test_attention_that_something_else_took_the_place_of_is_named(nets) -> None:
    net, _ = nets
    taken = {"patches_replace": {"attn1": {("middle", 0, 0): lambda q, k, v, extra: v}}}
    hooks = self_attention.blurred(0.75, 1.5)
    other = Hooks(after=hooks.after, patches=joined_patches(hooks.patches, taken), always_both=True)
    with pytest.raises(SamplingError, match="SelfAttentionGuidance expected attention of the negative"):
        guided(net, latent(1, 4, 8, 8), other)


def test_where_an_answer_was_guessed_the_attention_of_the_step_before_counts_until_the_next_run() -> None:
    x, record = latent(2, 4, 4, 4), self_attention.Record()
    q, k = torch.randn(2, 4, 16, 8, generator=torch.Generator().manual_seed(3)).unbind()

    def seen(*signs: int) -> None:
        extra = {"n_heads": 2, "original_shape": (4, 4, 4, 4), "cond_or_uncond": signs, "latent_indices": (0, 1, 0, 1)}
        record.attend(q, k, k, extra)

    seen(0, 1)
    taken = record.take(x)
    heads = (each[2:].unflatten(-1, (2, 4)).transpose(1, 2) for each in (q, k))
    torch.testing.assert_close(taken, (next(heads) @ next(heads).transpose(2, 3) / 2).softmax(-1))
    seen(1, 1)
    record.skip()
    assert torch.equal(record.take(x), taken)
    seen(0, 0)
    assert torch.equal(record.take(x), taken)
    seen(0, 0)
    with pytest.raises(SamplingError, match="there is none at this step"):
        record.take(torch.zeros_like(x))  # which is what comes where the negative has ended
    for forgotten in (x[:1], x[..., :2]):
        with pytest.raises(SamplingError, match="expected attention of the negative"):
            record.take(forgotten)
    record.start()
    with pytest.raises(SamplingError, match="expected attention of the negative"):
        record.take(x)


def test_networks_without_such_places_are_refused_by_name() -> None:
    with torch.device("meta"):
        lone, none = (UNet(replace(SMALL, middle_depth=depth)) for depth in (0, None))
    for net in (lone, none):
        with pytest.raises(SamplingError, match="PAG works on the attention in a UNet's middle block"):
            middle_layers(net, "PAG")
    with pytest.raises(SamplingError, match=r"FreeU changes a UNet .* network is a Linear"):
        unet_width(nn.Linear(1, 1), "FreeU")
