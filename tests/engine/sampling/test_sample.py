"""The whole way from noise to latent: closed-form networks, the goldens, and the real UNet in miniature."""

from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler
from safetensors.torch import load_file
from torch import Tensor, nn

from engine.conditioning import Condition
from engine.errors import Cancelled, SamplingError
from engine.models.latent_format import FLUX, SD1, LatentFormat
from engine.models.unet import UNet
from engine.sampling import noise
from engine.sampling.guidance import Answers, Hooks
from engine.sampling.prediction import Prediction
from engine.sampling.sample import SAMPLERS, sample
from engine.sampling.schedules import Part, sigmas
from engine.sampling.table import SigmaTable
from tests.engine.models.nets import UNETS, randomised
from tests.engine.sampling.gaussian import MEAN, denoised

TABLE = SigmaTable.from_betas()
EPS = Prediction("eps", TABLE)
PLAIN = LatentFormat(scale=1.0)
GOLDENS = load_file(Path(__file__).parents[2] / "goldens" / "samplers.safetensors")
EMPTY = torch.zeros(1, 4, 8, 8)
SEED = 1234567


def gaussian_network(x: Tensor, timesteps: Tensor, context: Tensor, y=None, control=None) -> Tensor:
    """The noise a perfect network sees; the text is 1 for the mean μ and −1 for −μ."""
    sigma = TABLE.sigmas[timesteps.long()].view(-1, 1, 1, 1)
    noisy = x * (1 + sigma**2).sqrt()
    clean = denoised(noisy, sigma, MEAN * context[:, :1, :1, None])
    return (noisy - clean) / sigma


def clean_network(x: Tensor, timesteps: Tensor, context: Tensor, y=None, control=None) -> Tensor:
    """Always sees the same clean latent: what its text says."""
    return context.mean(dim=(1, 2)).view(-1, 1, 1, 1).expand_as(x[:, :4])


def text(value: float = 1.0, **options) -> Condition:
    return Condition(torch.full((1, 7, 4), value), **options)


def drawn(network=gaussian_network, prediction=EPS, latent_format=PLAIN, **job) -> Tensor:
    latent = job.setdefault("latent", EMPTY)
    job.setdefault("noise", noise.initial(latent, SEED))
    job = {"positive": [text()], "negative": [text(-1.0)], "cfg": 1.0, "sampler": "euler", "seed": SEED, **job}
    job.setdefault("sigmas", sigmas("simple", prediction.table, 5))
    return sample(network, prediction, latent_format, **job)


# The one left out looks between the levels of the schedule, where the network below does not know where it is.
GUIDED = sorted(
    key for key in GOLDENS if key.startswith("sample_cfgpp") and key.endswith("normal.12") and "2s" not in key
)


@pytest.mark.parametrize("key", GUIDED)
def test_cfg_pp_samplers_reach_the_goldens_through_guidance(key: str) -> None:
    _, name, schedule, steps = key.split(".")
    levels = sigmas(schedule, TABLE, int(steps))

    def network(x, timesteps, context, y=None, control=None):
        # Times are rounded to the table's, so the network looks up which level of the schedule is meant.
        nearest = levels[:-1][(TABLE.timestep(levels[:-1])[:, None] - timesteps).abs().argmin(dim=0)].view(-1, 1, 1, 1)
        noisy = x * (1 + nearest**2).sqrt()
        return (noisy - denoised(noisy, nearest, MEAN * context[:, :1, :1, None])) / nearest

    made = drawn(network, sampler=name, sigmas=levels, cfg=1.5)
    assert float((made - GOLDENS[key]).norm() / GOLDENS[key].norm()) < 1e-4


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_draws_what_the_model_sees(name: str) -> None:
    levels = sigmas("karras", TABLE, 8, sampler=name)
    made = drawn(clean_network, Prediction("x0", TABLE), sampler=name, sigmas=levels, positive=[text(0.5)])
    # dpm_fast, dpm_adaptive and UniPC stop a little above no noise at all.
    torch.testing.assert_close(made, torch.full_like(EMPTY, 0.5), rtol=0, atol=0.2 if "dpm_" in name else 0.02)


def test_the_real_unet_agrees_with_a_loop_written_by_hand_over_diffusers() -> None:
    config = UNETS["miniature"]
    net = randomised(UNet(config))
    generator = torch.Generator().manual_seed(3)
    wanted, unwanted = torch.randn(2, 1, 77, config.context_width, generator=generator)
    start = noise.initial(torch.zeros(2, 4, 8, 12), 5)
    scheduler = DDIMScheduler(
        beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, clip_sample=False, set_alpha_to_one=True
    )
    scheduler.set_timesteps(4)
    x = start
    with torch.no_grad():
        for timestep in scheduler.timesteps:
            times = timestep.expand(2).float()
            c, u = (net(x, times, each.expand(2, -1, -1)) for each in (wanted, unwanted))
            x = scheduler.step(u + 7.0 * (c - u), timestep, x).prev_sample
    levels = torch.cat([TABLE.sigmas[scheduler.timesteps], torch.zeros(1)])
    made = sample(
        net, EPS, SD1, positive=[Condition(wanted)], negative=[Condition(unwanted)], cfg=7.0,
        latent=torch.zeros_like(start), noise=start * (1 + levels[0] ** 2).sqrt() / levels[0], sampler="ddim",
        sigmas=levels, seed=5,
    )  # fmt: skip
    expected = x / 0.18215
    assert float((made - expected).norm() / expected.norm()) < 1e-4


def test_a_half_precision_network_is_asked_in_its_own_format_and_answers_in_float32() -> None:
    class Half(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(0.5, dtype=torch.bfloat16))

        def forward(self, x, timesteps, context, y=None, control=None):
            assert x.dtype == context.dtype == torch.bfloat16
            assert timesteps.dtype == torch.float32
            return torch.ones_like(x) * self.scale

    made = drawn(Half(), Prediction("x0", TABLE))
    assert made.dtype == torch.float32
    torch.testing.assert_close(made, torch.full_like(EMPTY, 0.5))


def test_the_picture_is_scaled_on_the_way_in_and_out() -> None:
    picture = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(0))
    seen = []

    def network(x, timesteps, context, y=None, control=None):
        seen.append(x)
        return torch.zeros_like(x)

    level = torch.tensor([1e-3, 0.0])
    made = drawn(network, Prediction("eps", TABLE), FLUX, latent=picture, sigmas=level, noise=torch.zeros_like(picture))
    torch.testing.assert_close(seen[0], (picture - 0.1159) * 0.3611, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(made, picture, rtol=1e-4, atol=1e-5)


def test_an_empty_latent_stays_empty_even_where_pictures_are_shifted() -> None:
    seen = []

    def network(x, timesteps, context, y=None, control=None):
        seen.append(x)
        return torch.zeros_like(x)

    empty = torch.zeros(1, 16, 8, 8)
    drawn(network, EPS, FLUX, latent=empty, sigmas=torch.tensor([1.0, 0.0]), noise=torch.zeros_like(empty))
    assert torch.equal(seen[0], empty)


def test_where_the_mask_is_zero_the_picture_comes_back_untouched() -> None:
    picture = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(1, 64, 64)
    mask[:, 16:48, 8:40] = 1.0
    for name in ("euler", "ddim", "dpmpp_2m_sde", "euler_ancestral", "euler_cfg_pp", "plms"):
        made = drawn(latent_format=SD1, latent=picture, noise_mask=mask, sampler=name)
        torch.testing.assert_close(made[..., 6:], picture[..., 6:], rtol=1e-5, atol=1e-5)
        assert float((made[:, :, 3:5, 2:4] - picture[:, :, 3:5, 2:4]).abs().min()) > 1e-3


def test_each_picture_of_a_batch_has_its_own_mask() -> None:
    pictures = torch.ones(3, 4, 8, 8)
    masks = torch.stack([torch.zeros(8, 8), torch.ones(8, 8)])  # the third begins again with the first
    made = drawn(clean_network, Prediction("x0", TABLE), latent=pictures, noise_mask=masks, positive=[text(5.0)])
    assert made.mean(dim=(1, 2, 3)).tolist() == pytest.approx([1.0, 5.0, 1.0])


def test_ddim_hides_what_it_keeps_under_new_noise() -> None:
    picture = torch.ones(1, 4, 8, 8)
    seen: dict[str, Tensor] = {}

    def first_look(name: str) -> Tensor:
        def network(x, timesteps, context, y=None, control=None):
            seen.setdefault(name, x)
            return torch.zeros_like(x)

        levels = torch.tensor([2.0, 0.0])
        drawn(network, latent=picture, noise_mask=torch.zeros(8, 8), sampler=name, sigmas=levels)
        return seen[name] * 5**0.5

    torch.testing.assert_close(first_look("euler"), picture + 2 * noise.initial(picture, SEED))
    torch.testing.assert_close(first_look("ddim"), picture + 2 * noise.initial(picture, SEED + 1))


def test_a_run_cut_in_two_is_the_whole_run() -> None:
    levels = sigmas("simple", TABLE, 6)
    whole = drawn(sigmas=levels, latent_format=SD1)
    first = drawn(sigmas=Part(0, 3, keep_noise=True).of(levels), latent_format=SD1)
    second = drawn(sigmas=Part(3).of(levels), latent=first, noise=torch.zeros_like(first), latent_format=SD1)
    torch.testing.assert_close(second, whole, rtol=1e-4, atol=1e-4)


def test_a_weak_denoising_stays_near_the_picture() -> None:
    picture = MEAN.expand(1, 4, 8, 8) + 0.3
    weak, strong = (drawn(latent=picture, sigmas=sigmas("karras", TABLE, 10, denoise=d)) for d in (0.1, 1.0))
    assert float((weak - picture).norm()) < 0.3 * float((strong - picture).norm())


def test_with_no_levels_the_latent_comes_back_as_it_is() -> None:
    picture = torch.randn(1, 4, 8, 8)
    assert drawn(latent=picture, sigmas=torch.zeros(0)) is picture


def test_one_level_alone_is_nothing_to_walk_but_noise_to_add() -> None:
    picture, noise = torch.randn(2, 1, 4, 8, 8)
    made = drawn(latent=picture, noise=noise, sigmas=torch.tensor([3.0]), latent_format=SD1)
    torch.testing.assert_close(made, picture + 3.0 * noise / 0.18215)


def test_a_flow_begins_with_pure_noise_and_is_brought_back_when_stopped_early() -> None:
    table = SigmaTable.from_flow(3.0)
    flow = Prediction("flow", table)
    seen = []

    def network(x, timesteps, context, y=None, control=None):
        seen.append((x, timesteps))
        return torch.zeros_like(x)

    picture = torch.ones(1, 4, 8, 8)
    start = noise.initial(picture, 1)
    made = drawn(network, flow, latent=picture, noise=start, sigmas=torch.tensor([1.0, 0.5]))
    assert torch.equal(seen[0][0], start)
    assert float(seen[0][1][0]) == 1000.0
    torch.testing.assert_close(made, start / 0.5)


def test_every_step_is_shown_and_what_is_raised_there_stops_the_run() -> None:
    shown: list[tuple[int, int, tuple[int, ...]]] = []
    drawn(on_step=lambda i, n, x: shown.append((i, n, tuple(x.shape))))
    assert shown == [(i, 5, (1, 4, 8, 8)) for i in range(5)]

    def stop(i: int, n: int, x: Tensor) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        drawn(on_step=stop)


def test_hooks_are_told_of_each_run_once_and_of_its_end_when_it_fails() -> None:
    told: list[str] = []

    def after(answers: Answers, guided: Tensor) -> Tensor:
        told.append("step")
        return guided

    hooks = Hooks(starts=(lambda: told.append("starts"),), after=(after,), ends=(lambda: told.append("ends"),))
    drawn(hooks=hooks)
    assert told == ["starts", *["step"] * 5, "ends"]

    def stop(*step: object) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        drawn(hooks=hooks, on_step=stop)
    assert told[7:] == ["starts", "step", "ends"]


def test_the_same_seed_draws_the_same_and_leaves_the_worlds_random_numbers_alone() -> None:
    state = torch.get_rng_state()
    first, second, other = (drawn(sampler="dpmpp_sde", seed=seed) for seed in (2**64 - 1, 2**64 - 1, 0))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_an_inpainting_network_is_shown_mask_and_picture() -> None:
    class Inpainting(nn.Module):
        config = UNETS["inpainting"]

        def forward(self, x, timesteps, context, y=None, control=None):
            assert x.shape[1] == 9
            assert bool((x[:, 4] == 1).all())
            torch.testing.assert_close(x[:, 5:], torch.full_like(x[:, 5:], 0.5 * 0.18215))
            return torch.zeros_like(x[:, :4])

    wide = Condition(torch.zeros(1, 7, Inpainting.config.context_width))
    picture = torch.full((1, 4, 8, 8), 0.5)
    drawn(Inpainting(), latent_format=SD1, latent=picture, noise_mask=torch.ones(64, 64), positive=[wide], negative=[])


def test_the_check_of_a_run_reaches_the_network() -> None:
    calls = []

    def network(x, timesteps, context, y=None, control=None, cancelled=None):
        cancelled()
        return torch.zeros_like(x)

    drawn(network, hooks=Hooks(check=lambda: calls.append(1)))
    assert len(calls) == 10  # before and within each of five evaluations


@pytest.mark.parametrize(
    ("job", "message"),
    [
        ({"latent": torch.zeros(4, 8, 8), "noise": torch.zeros(4, 8, 8)}, "batch, channels, height, width"),
        ({"latent": torch.zeros(0, 4, 8, 8), "noise": torch.zeros(0, 4, 8, 8)}, "batch, channels, height, width"),
        ({"noise": torch.zeros(2, 4, 8, 8)}, "noise has the shape"),
        ({"latent": torch.ones(1, 16, 8, 8)}, "16 channels, this model works on 4"),
        ({"latent": torch.full((1, 4, 8, 8), float("inf"))}, "the latent holds values that are no numbers"),
        ({"noise": torch.full((1, 4, 8, 8), float("nan"))}, "the noise holds values that are no numbers"),
        ({"sigmas": torch.tensor([float("nan"), 0.0])}, "finite"),
        ({"sigmas": torch.tensor([3.0, -1.0])}, "finite numbers, 0 or more"),
        ({"sigmas": torch.ones(2, 2)}, "a list"),
        ({"positive": []}, "positive: expected at least one"),
        ({"negative": [Condition(torch.zeros(7, 4))]}, "negative: expected text"),
        ({"sampler": "oiler"}, "unknown"),
        ({"noise_mask": torch.zeros(3)}, "height and a width"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(job: dict, message: str) -> None:
    with pytest.raises(SamplingError, match=message):
        drawn(**job)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_network_that_answers_with_no_number_stops_the_run_at_once(name: str) -> None:
    shown: list[int] = []

    def damaged(x: Tensor, timesteps: Tensor, context: Tensor, y=None, control=None) -> Tensor:
        answer = gaussian_network(x, timesteps, context)
        answer[0, 0, 3, 3] = torch.nan
        return answer

    with pytest.raises(SamplingError, match=r"no numbers .* at step 1 of \d+ \(noise level .*try --force-fp32"):
        drawn(damaged, sampler=name, on_step=lambda i, n, x: shown.append(i))
    assert not shown


def test_a_network_that_overflows_late_says_when() -> None:
    def overflowing(x: Tensor, timesteps: Tensor, context: Tensor, y=None, control=None) -> Tensor:
        answer = gaussian_network(x, timesteps, context)
        return answer * torch.inf if float(timesteps[0]) < 500 else answer

    with pytest.raises(SamplingError, match="at step 4 of 5"):
        drawn(overflowing)


def test_text_of_another_model_family_is_refused() -> None:
    net = UNet(UNETS["miniature"])
    with pytest.raises(SamplingError, match="4 features, this model reads 192"):
        drawn(net)
