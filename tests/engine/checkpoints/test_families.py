"""Miniatures of SDXL and Stable Diffusion 2 in their real layouts, beside diffusers and transformers."""

import pytest
import torch
from diffusers import DDPMScheduler, StableDiffusionXLPipeline
from diffusers.models.embeddings import get_timestep_embedding
from transformers import CLIPTokenizer

from engine.checkpoints.load import Loader
from engine.checkpoints.tensors import in_memory
from engine.conditioning import Condition, SeenPicture, Sizes
from engine.errors import SamplingError
from engine.sampling import readings
from engine.sampling.sample import sample
from engine.sampling.vectors import Vectors
from engine.text.tokenizer import Tokenizer
from tests import families

PROMPT = "a red apple on a table, oil on canvas"
NEGATIVE = "text, blurry"
ZERO = torch.tensor([0])


@pytest.fixture(scope="module")
def sdxl():
    return families.sdxl()


@pytest.fixture(scope="module")
def base(sdxl):
    return Loader().checkpoint(in_memory("base", sdxl.tensors))


def close(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def tokenizer(padding: str) -> CLIPTokenizer:
    made = Tokenizer().vocabulary
    made.pad_token, made.model_max_length = padding, 77
    return made


@pytest.fixture(scope="module")
def pipeline(sdxl):
    small, large = sdxl.texts
    return StableDiffusionXLPipeline(
        vae=None,
        text_encoder=small,
        text_encoder_2=large,
        tokenizer=tokenizer("<|endoftext|>"),
        tokenizer_2=tokenizer("!"),  # token 0
        unet=sdxl.unet,
        scheduler=None,
        force_zeros_for_empty_prompt=False,
        add_watermarker=False,
    )


def test_both_encoders_say_what_diffusers_pipeline_says(base, pipeline):
    theirs = pipeline.encode_prompt(PROMPT, device="cpu", negative_prompt=NEGATIVE)
    for prompt, tokens, pooled in ((PROMPT, theirs[0], theirs[2]), (NEGATIVE, theirs[1], theirs[3])):
        ours = base.clip.encode(prompt)
        close(ours[0], tokens)
        close(ours[1], pooled)


def test_clip_skip_acts_on_both_encoders_without_a_last_norm(base, pipeline):
    theirs = pipeline.encode_prompt(PROMPT, device="cpu", do_classifier_free_guidance=False, clip_skip=1)
    ours = base.clip.with_last_layer(-3).encode(PROMPT)
    close(ours[0], theirs[0])
    close(ours[1], theirs[2])


def condition(clip, text, **told):
    tokens, pooled = clip.encode(text)
    return Condition(tokens, pooled, **told)


def drawn(model, positive, negative=(), cfg=1.0, size=(8, 12), sigma=3.0, **options):
    """One step of Euler's from a noise level to none, which is what the network takes for the clean latent."""
    noise = torch.randn(1, 4, *size, generator=torch.Generator().manual_seed(5))
    latent = torch.zeros_like(noise)
    with model.ready() as network:
        result = sample(
            network,
            model.prediction,
            model.latent_format,
            positive=positive,
            negative=negative,
            cfg=cfg,
            latent=latent,
            noise=noise,
            sampler="euler",
            sigmas=torch.tensor([sigma, 0.0]),
            **{"seed": 0, **options},
        )
    return model.latent_format.to_model(result), noise * sigma


def theirs_drawn(unet, model, x, sigma, channels=None, **told):
    """What diffusers' network takes for the clean latent."""
    prediction = model.prediction
    level = torch.tensor(sigma)
    shown = prediction.scaled_input(x, level)
    if channels is not None:
        shown = torch.cat([shown, channels], dim=1)
    with torch.no_grad():
        answer = unet(shown, prediction.timestep(level), **told).sample
    return prediction.denoised(answer, x, level)


def test_a_step_of_sdxl_is_diffusers(base, sdxl):
    sizes = Sizes(width=900, height=700, crop_x=8, crop_y=16, target_width=1024, target_height=960)
    text = condition(base.clip, PROMPT, sizes=sizes)
    ours, x = drawn(base.model, [text])
    told = {"text_embeds": text.pooled, "time_ids": torch.tensor([[700.0, 900, 16, 8, 960, 1024]])}
    close(ours, theirs_drawn(sdxl.unet, base.model, x, 3.0, encoder_hidden_states=text.tokens, added_cond_kwargs=told))


def test_sizes_that_nobody_told_are_those_of_the_latent(base, sdxl):
    text = condition(base.clip, PROMPT)
    ours, x = drawn(base.model, [text])
    told = {"text_embeds": text.pooled, "time_ids": torch.tensor([[64.0, 96, 0, 0, 64, 96]])}
    close(ours, theirs_drawn(sdxl.unet, base.model, x, 3.0, encoder_hidden_states=text.tokens, added_cond_kwargs=told))


def test_the_refiner_is_told_a_score_that_is_lower_for_the_negative():
    mini = families.refiner()
    loaded = Loader().checkpoint(in_memory("refiner", mini.tensors))
    assert loaded.model.family == "sdxl_refiner"
    wanted, unwanted = condition(loaded.clip, PROMPT), condition(loaded.clip, NEGATIVE)
    assert wanted.tokens.shape == (1, 77, 64)
    ours, x = drawn(loaded.model, [wanted], [unwanted], cfg=3.0)
    answers = []
    for text, score in ((wanted, 6.0), (unwanted, 2.5)):
        told = {"text_embeds": text.pooled, "time_ids": torch.tensor([[64.0, 96, 0, 0, score]])}
        given = {"encoder_hidden_states": text.tokens, "added_cond_kwargs": told}
        answers.append(theirs_drawn(mini.unet, loaded.model, x, 3.0, **given))
    close(ours, answers[1] + 3.0 * (answers[0] - answers[1]))
    scored = condition(loaded.clip, PROMPT, sizes=Sizes(aesthetic_score=2.5))
    assert not torch.allclose(drawn(loaded.model, [scored])[0], drawn(loaded.model, [wanted])[0])


def test_sd2_takes_the_layer_before_the_last_and_normalises_it():
    mini = families.sd2()
    loaded = Loader().checkpoint(in_memory("sd2", mini.tensors))
    (encoder,) = mini.texts
    ids = torch.tensor([[token.id for token in loaded.clip.tokenize(PROMPT)["clip_h"][0]]])
    with torch.no_grad():
        theirs = encoder(ids, output_hidden_states=True)
    tokens, pooled = loaded.clip.encode(PROMPT)
    close(tokens, _tower(encoder).final_layer_norm(theirs.hidden_states[-2]))
    close(pooled, theirs.text_embeds)
    ours, x = drawn(loaded.model, [Condition(tokens)])
    close(ours, theirs_drawn(mini.unet, loaded.model, x, 3.0, encoder_hidden_states=tokens))


def _tower(encoder):
    return getattr(encoder, "text_model", encoder)


def test_unclip_is_told_what_a_picture_showed():
    mini = families.sd2(vector=2048, kind="class")
    loaded = Loader().checkpoint(in_memory("unclip", mini.tensors))
    assert (loaded.model.family, loaded.model.prediction.kind) == ("sd2_unclip", "v")
    tokens, _ = loaded.clip.encode(PROMPT)
    embeddings = torch.randn(1, 1024, generator=torch.Generator().manual_seed(7))
    seen = SeenPicture(embeddings, strength=0.8, noise_augmentation=0.3)
    ours, x = drawn(loaded.model, [Condition(tokens, pictures=(seen,))], seed=42)
    level = torch.tensor([round(999 * 0.3)])
    noise = torch.randn(1, 1024, generator=torch.Generator().manual_seed(32))
    noisy = DDPMScheduler(beta_schedule="squaredcos_cap_v2").add_noise(embeddings, noise, level)
    y = 0.8 * torch.cat([noisy, get_timestep_embedding(level, 1024, flip_sin_to_cos=True, downscale_freq_shift=0)], 1)
    given = {"encoder_hidden_states": tokens, "class_labels": y}
    close(ours, theirs_drawn(mini.unet, loaded.model, x, 3.0, **given))
    nothing, x = drawn(loaded.model, [Condition(tokens)])
    given = {"encoder_hidden_states": tokens, "class_labels": torch.zeros(1, 2048)}
    close(nothing, theirs_drawn(mini.unet, loaded.model, x, 3.0, **given))


def test_sdxl_inpainting_is_shown_the_mask_and_the_picture_around_it():
    mini = families.sdxl(in_channels=9)
    loaded = Loader().checkpoint(in_memory("inpainting", mini.tensors))
    picture = torch.randn(1, 4, 8, 12, generator=torch.Generator().manual_seed(6))
    mask = torch.zeros(1, 64, 96)
    mask[:, :, 40:] = 1.0
    text = condition(loaded.clip, PROMPT, concat_latent=picture, concat_mask=mask)
    ours, x = drawn(loaded.model, [text])
    shrunk = torch.nn.functional.interpolate(mask[:, None], size=(8, 12), mode="bilinear").round()
    channels = torch.cat([shrunk, picture * 0.13025], dim=1)
    told = {"text_embeds": text.pooled, "time_ids": torch.tensor([[64.0, 96, 0, 0, 64, 96]])}
    given = {"encoder_hidden_states": text.tokens, "added_cond_kwargs": told}
    close(ours, theirs_drawn(mini.unet, loaded.model, x, 3.0, channels, **given))


@pytest.mark.parametrize(("marks", "factor"), [({}, 1.0), ({"edm_vpred.sigma_max": torch.tensor(120.0)}, 0.13025)])
def test_editing_networks_are_shown_the_picture_as_they_were_trained(marks, factor):
    mini = families.sdxl(in_channels=8)
    loaded = Loader().checkpoint(in_memory("edit", {**mini.tensors, **marks}))
    assert loaded.model.prediction.kind == ("v" if marks else "eps")
    picture = torch.randn(1, 4, 8, 12, generator=torch.Generator().manual_seed(6))
    text = condition(loaded.clip, PROMPT, concat_latent=picture)
    ours, x = drawn(loaded.model, [text])
    told = {"text_embeds": text.pooled, "time_ids": torch.tensor([[64.0, 96, 0, 0, 64, 96]])}
    given = {"encoder_hidden_states": text.tokens, "added_cond_kwargs": told}
    close(ours, theirs_drawn(mini.unet, loaded.model, x, 3.0, picture * factor, **given))
    # A node that has the answers read in another way does not make another network of it.
    for change in (
        readings.discrete(loaded.model.prediction, "eps"),
        readings.continuous(loaded.model.prediction, "v_prediction", 120.0, 0.002),
        readings.continuous_v(loaded.model.prediction, 500.0, 0.03),
    ):
        changed = loaded.model.with_prediction(change)
        ours, x = drawn(changed, [text])
        close(ours, theirs_drawn(mini.unet, changed, x, 3.0, picture * factor, **given))


def test_depth_is_stretched_and_shown_to_networks_that_read_it():
    mini = families.sd2(in_channels=5)
    loaded = Loader().checkpoint(in_memory("depth", mini.tensors))
    tokens, _ = loaded.clip.encode(PROMPT)
    depth = torch.rand(1, 8, 12, generator=torch.Generator().manual_seed(6)) * 0.5 + 0.2
    ours, x = drawn(loaded.model, [Condition(tokens, concat_mask=depth)])
    # As StableDiffusionDepth2ImgPipeline.prepare_depth_map has it.
    low, high = depth.min(), depth.max()
    channels = (2.0 * (depth - low) / (high - low) - 1.0)[None]
    close(ours, theirs_drawn(mini.unet, loaded.model, x, 3.0, channels, encoder_hidden_states=tokens))
    with pytest.raises(SamplingError, match="guided by depth; put a depth map"):
        drawn(loaded.model, [Condition(tokens)])


def test_a_text_without_the_summary_that_a_model_reads_is_refused(base):
    tokens, pooled = base.clip.encode(PROMPT)
    for summary, came in ((None, "there is none"), (pooled[:, :7], "this one has 7")):
        with pytest.raises(SamplingError, match=f"summary of the text of 1280 features, but {came}"):
            drawn(base.model, [Condition(tokens, summary)])


def test_several_pictures_are_summed_and_noised_together():
    vectors = Vectors("unclip", 8, seed=10)
    one = SeenPicture(torch.ones(1, 4), strength=0.5)
    torch.manual_seed(1)
    both = vectors(Condition(torch.zeros(1, 1, 1), pictures=(one, one), picture_merge=0.5), 0, (8, 8))
    torch.manual_seed(1)
    noise = torch.randn(1, 4)
    kept = DDPMScheduler(beta_schedule="squaredcos_cap_v2")
    first = kept.add_noise(torch.ones(1, 4), torch.randn(1, 4, generator=torch.Generator().manual_seed(0)), ZERO)
    again = kept.add_noise(first, noise, torch.tensor([500]))
    close(both[:, :4], again)
    close(both[:, 4:], get_timestep_embedding(torch.tensor([500]), 4, flip_sin_to_cos=True, downscale_freq_shift=0))
    wrong = SeenPicture(torch.ones(1, 5))
    with pytest.raises(SamplingError, match="a CLIP vision of 4 features"):
        vectors(Condition(torch.zeros(1, 1, 1), pictures=(wrong,)), 0, (8, 8))


def test_lotus_is_told_its_task():
    mini = families.sd2(vector=4, kind="class")
    loaded = Loader().checkpoint(in_memory("lotus", mini.tensors))
    assert (loaded.model.family, loaded.model.prediction.kind) == ("lotus_d", "img_to_img")
    tokens, _ = loaded.clip.encode("")
    ours, x = drawn(loaded.model, [Condition(tokens)])
    task = torch.tensor([[1.0, 0.0]])
    y = torch.cat([torch.sin(task), torch.cos(task)], dim=1)
    close(ours, theirs_drawn(mini.unet, loaded.model, x, 3.0, encoder_hidden_states=tokens, class_labels=y))
