"""comfy_extras under old and new method names, against closed forms, SciPy and our own nodes."""

import types

import numpy
import pytest
import torch
from torch.nn.functional import interpolate

from compat.host import Host
from engine.errors import LatentwireError

torch.manual_seed(0)


@pytest.fixture
def model(nodes):
    return nodes.CheckpointLoaderSimple().load_checkpoint("tiny.safetensors")[0]


@pytest.fixture
def text(nodes, host: Host):
    clip = nodes.CheckpointLoaderSimple().load_checkpoint("tiny.safetensors")[1]
    return nodes.CLIPTextEncode().encode(clip, "a")[0]


# ----------------------------------------------------------------------------------------------------- custom sampling


def test_custom_sampling_is_the_samplers_own(nodes, model, text, host: Host):
    from comfy_extras import nodes_custom_sampler as custom

    latent = nodes.EmptyLatentImage().generate(64, 64)[0]
    (wanted,) = nodes.KSampler().sample(model, 3, 4, 2.0, "euler", "karras", text, text, latent)
    (sigmas,) = custom.BasicScheduler().get_sigmas(model, "karras", 4, 1.0)
    (sampler,) = custom.KSamplerSelect().get_sampler("euler")
    drawn, denoised = custom.SamplerCustom().sample(model, True, 3, 2.0, text, text, sampler, sigmas, latent)
    assert torch.allclose(drawn["samples"], wanted["samples"], atol=1e-5)
    # At the last step of euler, which ends without noise, both are the same.
    assert torch.allclose(denoised["samples"], drawn["samples"], atol=1e-4)
    (guider,) = custom.CFGGuider().get_guider(model, text, text, 2.0)
    (noise,) = custom.RandomNoise().get_noise(3)
    again = custom.SamplerCustomAdvanced().sample(noise, guider, sampler, sigmas, latent)[0]
    assert torch.allclose(again["samples"], wanted["samples"], atol=1e-5)
    first, rest = custom.SplitSigmas().get_sigmas(sigmas, 2)
    half, clean = custom.SamplerCustomAdvanced.execute(noise, guider, sampler, first, latent)
    assert not torch.allclose(half["samples"], clean["samples"], atol=1e-3)
    done = custom.SamplerCustomAdvanced.execute(custom.Noise_EmptyNoise(), guider, sampler, rest, half)[0]
    assert torch.allclose(done["samples"], wanted["samples"], atol=1e-4)


def test_one_side_alone_guides_like_a_scale_of_one(nodes, model, text):
    from comfy_extras import nodes_custom_sampler as custom

    latent = nodes.EmptyLatentImage().generate(64, 64)[0]
    (wanted,) = nodes.KSampler().sample(model, 3, 2, 1.0, "euler", "normal", text, text, latent)
    (sigmas,) = custom.BasicScheduler.execute(model, "normal", 2, 1.0)
    sampler = custom.KSamplerSelect.execute("euler")[0]
    guider = custom.BasicGuider().get_guider(model, text)[0]
    made = custom.SamplerCustomAdvanced.execute(custom.Noise_RandomNoise(3), guider, sampler, sigmas, latent)[0]
    assert torch.allclose(made["samples"], wanted["samples"], atol=1e-5)


def test_noise_is_drawn_by_seed_and_place(nodes):
    from comfy_extras.nodes_custom_sampler import Noise_EmptyNoise, Noise_RandomNoise

    latent = {"samples": torch.zeros(2, 4, 3, 3)}
    noise = Noise_RandomNoise(5).generate_noise(latent)
    assert torch.equal(noise, torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(5)))
    moved = Noise_RandomNoise(5).generate_noise({"samples": torch.zeros(1, 4, 3, 3), "batch_index": [1]})
    one_by_one = torch.Generator().manual_seed(5)
    wanted = [torch.randn(1, 4, 3, 3, generator=one_by_one) for _ in range(2)][1]
    assert torch.equal(moved, wanted)
    assert (Noise_EmptyNoise().seed, Noise_EmptyNoise().generate_noise(latent).any().item()) == (0, False)


def test_levels_are_cut_and_turned(model):
    from comfy_extras.nodes_custom_sampler import BasicScheduler, FlipSigmas, SplitSigmas

    (whole,) = BasicScheduler.execute(model, "simple", 8, 1.0)
    (half,) = BasicScheduler.execute(model, "simple", 4, 0.5)
    assert torch.equal(half, whole[-5:])
    assert len(BasicScheduler.execute(model, "simple", 4, 0.0)[0]) == 0
    high, low = SplitSigmas.execute(whole, 3)
    assert torch.equal(torch.cat([high, low[1:]]), whole)
    (rising,) = FlipSigmas.execute(whole)
    assert rising[0] == pytest.approx(0.0001)
    assert torch.equal(rising[1:], whole.flip(0)[1:])


def test_searched_levels_are_the_authors(host: Host):
    from comfy_extras.nodes_align_your_steps import NOISE_LEVELS, AlignYourStepsScheduler

    ten = AlignYourStepsScheduler().get_sigmas("SDXL", 10, 1.0)[0]
    assert ten[:-1].tolist() == pytest.approx(NOISE_LEVELS["SDXL"][:-1])
    assert ten[-1] == 0
    (twenty,) = AlignYourStepsScheduler().get_sigmas("SD1", 20, 1.0)
    assert twenty[::2][:-1].tolist() == pytest.approx(NOISE_LEVELS["SD1"][:-1], rel=1e-5)
    assert twenty[1] == pytest.approx((14.615 * 6.475) ** 0.5, rel=1e-5)
    assert len(AlignYourStepsScheduler.execute("SD1", 10, 0.5)[0]) == 6


def test_guidance_at_right_angles_ignores_what_is_alike(model, text, nodes):
    from comfy_extras.nodes_custom_sampler import (
        BasicScheduler,
        KSamplerSelect,
        Noise_RandomNoise,
        SamplerCustomAdvanced,
    )
    from comfy_extras.nodes_perpneg import Guider_PerpNeg, perp_neg

    empty = torch.zeros(1, 2, 1, 1)
    pos, neg = torch.tensor([2.0, 0.0]).reshape(1, 2, 1, 1), torch.tensor([3.0, 5.0]).reshape(1, 2, 1, 1)
    assert perp_neg(empty, pos, neg, empty, 0.5, 4.0).flatten().tolist() == [8, -10]
    guider = Guider_PerpNeg(model)
    guider.set_conds(text, text, text)
    guider.set_cfg(3.0, 1.0)
    assert guider.neg_scale == 1.0
    latent = nodes.EmptyLatentImage().generate(64, 64)[0]
    (sigmas,), (sampler,) = BasicScheduler.execute(model, "normal", 2, 1.0), KSamplerSelect.execute("euler")
    third = [[text[0][0] * 0.5, text[0][1]]]
    guider.set_conds(text, third, third)
    made = SamplerCustomAdvanced.execute(Noise_RandomNoise(1), guider, sampler, sigmas, latent)[0]
    # With the negative side the same as the empty one this is plain guidance between positive and empty.
    (wanted,) = nodes.KSampler().sample(model, 1, 2, 3.0, "euler", "normal", text, third, latent)
    assert torch.allclose(made["samples"], wanted["samples"], atol=1e-3)


# ------------------------------------------------------------------------------------------ texts, alpha, batches, flux


class Encoder:
    """A CLIP that keeps what it was asked."""

    def tokenize(self, text):
        count = 1 if not text else len(text)
        return {"g": [("g", text)] * count, "l": [("l", text)] * count}

    def encode_from_tokens_scheduled(self, tokens, add_dict=None):
        return (tokens, add_dict)


def test_sdxls_texts_are_made_equally_long(host: Host):
    from comfy_extras.nodes_clip_sdxl import CLIPTextEncodeSDXL, CLIPTextEncodeSDXLRefiner

    tokens, said = CLIPTextEncodeSDXL().encode(Encoder(), 1, 2, 3, 4, 5, 6, "ab", "a")[0]
    assert tokens["g"] == [("g", "ab")] * 2
    assert tokens["l"] == [("l", "a"), ("l", "")]
    assert [*said.values()] == [1, 2, 3, 4, 5, 6]
    tokens, _ = CLIPTextEncodeSDXL.execute(Encoder(), 1, 2, 3, 4, 5, 6, "a", "abc")[0]
    assert len(tokens["g"]) == len(tokens["l"]) == 3
    _, said = CLIPTextEncodeSDXLRefiner().encode(Encoder(), 6.0, 7, 8, "x")[0]
    assert said == {"aesthetic_score": 6.0, "width": 7, "height": 8}


def test_alpha_is_joined_and_taken_off(host: Host):
    from comfy_extras.nodes_compositing import JoinImageWithAlpha, SplitImageWithAlpha

    image, mask = torch.rand(3, 4, 6, 3), torch.rand(2, 8, 12)
    made = JoinImageWithAlpha().join_image_with_alpha(image, mask)[0]
    assert made.shape == (2, 4, 6, 4)
    assert torch.allclose(made[..., 3], 1 - interpolate(mask[:, None], (4, 6), mode="bilinear")[:, 0])
    back, alpha = SplitImageWithAlpha.execute(made)
    assert torch.equal(back, image[:2])
    assert torch.allclose(alpha, 1 - made[..., 3])
    assert not SplitImageWithAlpha.execute(image)[1].any()


def test_latents_are_put_into_one_batch(host: Host):
    from comfy_extras.nodes_latent import LatentBatch

    one, two = {"samples": torch.rand(1, 4, 4, 4), "batch_index": [7]}, {"samples": torch.rand(2, 4, 8, 8)}
    made = LatentBatch().batch(one, two)[0]
    assert made["samples"].shape == (3, 4, 4, 4)
    assert torch.equal(made["samples"][1:], interpolate(two["samples"], (4, 4), mode="bilinear"))
    assert made["batch_index"] == [7, 0, 1]


def test_flux_is_told_how_strongly(host: Host):
    from comfy_extras.nodes_flux import FluxGuidance

    before = [[torch.zeros(1), {"strength": 1}]]
    assert FluxGuidance().append(before, 2.5)[0][0][1] == {"strength": 1, "guidance": 2.5}
    assert before[0][1] == {"strength": 1}


# -------------------------------------------------------------------------------------------------------- model patches


def test_flow_models_levels_are_shifted(model):
    from comfy_extras.nodes_model_advanced import ModelSamplingAuraFlow, ModelSamplingFlux, ModelSamplingSD3

    (sd3,) = ModelSamplingSD3().patch(model, 3.0)
    sampling = sd3.get_model_object("model_sampling")
    assert float(sampling.sigma(torch.tensor(500.0))) == pytest.approx(3 * 0.5 / (1 + 2 * 0.5))
    assert float(sampling.timestep(torch.tensor(0.5))) == 500
    aura = ModelSamplingAuraFlow().patch_aura(model, 1.73)[0].get_model_object("model_sampling")
    assert float(aura.timestep(torch.tensor(0.5))) == 0.5
    flux = ModelSamplingFlux().patch(model, 1.15, 0.5, 1024, 1024)[0].get_model_object("model_sampling")
    assert float(flux.sigma(torch.tensor(0.5))) == pytest.approx(numpy.exp(1.15) / (numpy.exp(1.15) + 1), rel=1e-5)
    assert model.get_model_object("model_sampling") is not sampling
    x, out = torch.tensor([[[[2.0]]]]), torch.tensor([[[[1.0]]]])
    assert float(sampling.calculate_denoised(torch.tensor([0.25]), out, x)) == 1.75


def test_a_distilled_model_knows_every_twentieth_level(model):
    from comfy_extras.nodes_model_advanced import LCM, ModelSamplingDiscrete

    plain = model.get_model_object("model_sampling")
    (changed,) = ModelSamplingDiscrete().patch(model, "lcm", False)
    made = changed.get_model_object("model_sampling")
    assert isinstance(made, LCM)
    assert torch.equal(made.sigmas, plain.sigmas[19::20])
    assert made.timestep(made.sigmas).tolist() == [*range(19, 1000, 20)]
    assert torch.allclose(made.sigma(torch.tensor([19, 999])), plain.sigmas[[19, 999]])
    x, noise, sigma = torch.randn(1, 4, 2, 2), torch.randn(1, 4, 2, 2), plain.sigmas[[499]]
    time = 4990.0
    skip, out = 0.25 / (time**2 + 0.25), time / (time**2 + 0.25) ** 0.5
    wanted = skip * x + out * (x - sigma * noise)
    assert torch.allclose(made.calculate_denoised(sigma, noise, x), wanted, atol=1e-5)


def test_rescaled_guidance_has_the_positive_sides_spread(model):
    from comfy_extras.nodes_model_advanced import RescaleCFG

    (changed,) = RescaleCFG().patch(model, 1.0)
    function = changed.model_options["sampler_cfg_function"]
    x, sigma = torch.randn(1, 4, 8, 8), torch.tensor([3.0])
    cond, uncond = torch.randn(2, 1, 4, 8, 8)
    given = {"cond": cond, "uncond": uncond, "cond_scale": 7.0, "input": x, "sigma": sigma}

    def velocity(noise):
        # v of Salimans and Ho for data of spread 1: alpha * noise - sigma' * x0, as our layout has it.
        return (x / (9 + 1) - (x - noise)) * 10**0.5 / 3

    made = velocity(function(given))
    assert float(made.std()) == pytest.approx(float(velocity(cond).std()), rel=1e-3)
    assert torch.allclose(RescaleCFG().patch(model, 0.0)[0].model_options["sampler_cfg_function"](given),
                          uncond + 7 * (cond - uncond), atol=1e-4)  # fmt: skip


def test_grey_decides_when_a_place_may_change(model):
    from comfy_extras.nodes_differential_diffusion import DifferentialDiffusion

    sampling = model.get_model_object("model_sampling")
    levels = torch.cat([sampling.sigmas[[999, 500, 1]], torch.zeros(1)])
    options = {"model": types.SimpleNamespace(inner_model=types.SimpleNamespace(model_sampling=sampling))}
    function = DifferentialDiffusion().apply(model)[0].model_options["denoise_mask_function"]
    mask = torch.tensor([0.0, 0.3, 0.6, 1.0])
    opened = [function(level[None], mask, {**options, "sigmas": levels}).tolist() for level in levels[:3]]
    assert opened == [[0, 0, 0, 1], [0, 0, 1, 1], [0, 1, 1, 1]]
    half = DifferentialDiffusion.execute(model, 0.5)[0].model_options["denoise_mask_function"]
    assert half(levels[1][None], mask, {**options, "sigmas": levels}).tolist() == pytest.approx([0, 0.15, 0.8, 1.0])


def test_freeu_scales_channels_and_low_frequencies(model, nodes, text):
    from comfy_extras.nodes_freelunch import FreeU, FreeU_V2

    width = model.model.model_config.unet_config["model_channels"]
    (changed,) = FreeU().patch(model, 1.5, 1.2, 0.5, 0.2)
    (patch,) = changed.model_options["transformer_options"]["patches"]["output_block_patch"]
    h, hsp = torch.randn(1, width * 4, 8, 8), torch.randn(1, 3, 8, 8)
    made, skip = patch(h.clone(), hsp.clone(), {})
    assert torch.allclose(made, torch.cat([h[:, : width * 2] * 1.5, h[:, width * 2 :]], 1))
    assert torch.allclose(skip.mean((2, 3)), hsp.mean((2, 3)) * 0.5, atol=1e-5)  # the mean is the lowest frequency
    untouched = torch.randn(1, width * 3, 8, 8)
    assert patch(untouched, hsp, {})[0] is untouched
    (patch,) = (
        FreeU_V2()
        .patch(model, 3.0, 1.0, 1.0, 1.0)[0]
        .model_options["transformer_options"]["patches"]["output_block_patch"]
    )
    factors = (patch(h.clone(), hsp, {})[0] / h)[0, 0]
    assert (float(factors.min()), float(factors.max())) == (pytest.approx(1.0, abs=1e-3), pytest.approx(3.0, abs=1e-3))
    latent = nodes.EmptyLatentImage().generate(64, 64)[0]
    plain, new = (
        nodes.KSampler().sample(each, 1, 1, 1.0, "euler", "normal", text, text, latent)[0] for each in (model, changed)
    )
    assert not torch.allclose(plain["samples"], new["samples"], atol=1e-4)


# ------------------------------------------------------------------------------------------------ what is not here


def test_families_we_do_not_have_say_so(host: Host):
    from comfy_extras import nodes_lt
    from comfy_extras.nodes_gits import GITSScheduler
    from comfy_extras.nodes_lt import LTXVAddGuide, get_noise_mask

    class Mine(LTXVAddGuide):
        pass

    for refused in (Mine, GITSScheduler, lambda: get_noise_mask({})):
        with pytest.raises(LatentwireError, match="this program has no"):
            refused()
    assert not isinstance(1, nodes_lt.LTXVAddGuide)


def test_an_unknown_module_is_named(host: Host):
    import comfy_extras

    with pytest.raises(AttributeError, match=r"comfy_extras\.nodes_nothing"):
        _ = comfy_extras.nodes_nothing
    assert comfy_extras.nodes_mask.GrowMask


def test_checkpoints_are_saved_and_read_again(nodes, host: Host):
    from comfy_extras.nodes_model_merging import CheckpointSave

    parts = nodes.CheckpointLoaderSimple().load_checkpoint("tiny.safetensors")
    CheckpointSave().save(*parts, "checkpoints/mine", prompt={"1": {}})
    again = nodes.CheckpointLoaderSimple().load_checkpoint("mine_00001_.safetensors")
    latent = {"samples": torch.randn(1, 4, 4, 4)}
    first, second = (nodes.VAEDecode().decode(each[2], latent)[0] for each in (parts, again))
    assert torch.allclose(first, second)
