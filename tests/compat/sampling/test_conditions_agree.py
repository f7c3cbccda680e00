"""Every option of a conditioning counts alike in both ways of drawing, on every kind of model."""

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from compat import drawing
from compat.host import Host
from engine.checkpoints.load import Loader
from engine.checkpoints.tensors import in_memory
from engine.conditioning import BoxedPhrase, Condition, Grounding
from engine.models.unet import UNet
from engine.sampling import readings
from engine.values import Model
from nodes import sampling
from nodes.guiders import dual_cfg_guider, perp_neg_guider
from nodes.sampling import Walk
from nodes.ways import Course, Guidance, Noise, Sampler
from tests import families
from tests.compat.sampling.conftest import Studio, noise, relative
from tests.nodes.conftest import UNET, weights

CLOSE = 1e-5
WALK = Walk("euler", "normal", 2, seed=5)
LATENT = {"samples": noise(1, 4, 8, 8)}
COSXL = {"edm_vpred.sigma_max": torch.tensor(120.0)}
MASK = (noise(1, 64, 64, seed=4) > 0).float()
PICTURE = noise(1, 4, 8, 8, seed=6)

DIFFUSERS: dict[str, dict[str, Any]] = {
    "refiner": {"text_width": 64, "vector": 2560},
    "sdxl": {"text_width": 96, "vector": 2816},
    "sdxl edit": {"text_width": 96, "vector": 2816, "in_channels": 8},
    "cosxl edit": {"text_width": 96, "vector": 2816, "in_channels": 8},
    "sd2 depth": {"text_width": 64, "levels": 4, "in_channels": 5},
    "sd2 edit": {"text_width": 64, "levels": 4, "in_channels": 8},
}


@cache
def unet(name: str) -> dict[str, Tensor]:
    if name == "x4":
        network = families._randomised(families.UNet2DConditionModel(**families.X4_UPSCALER))
        return families.below(families.NETWORK, families.ours(network))
    if name.startswith("sd1"):
        channels = {"sd1": 4, "sd1 inpainting": 9, "sd1 edit": 8}[name]
        return weights(UNet(replace(UNET, in_channels=channels)), families.NETWORK, 0)
    tensors = families.below(families.NETWORK, families.ours(families.denoiser(**DIFFUSERS[name])))
    return {**tensors, **(COSXL if name == "cosxl edit" else {})}


@pytest.fixture
def model(host: Host, request: pytest.FixtureRequest) -> Model:
    return Loader().denoiser(in_memory(request.param, unet(request.param)))


def side(model: Model, seed: int, **options: Any) -> list[list[Any]]:
    tokens = noise(1, 5, model.part.module.config.context_width, seed=seed)
    return [[tokens, {"pooled_output": noise(1, 1280, seed=seed), **options}]]


def both(studio: Studio, model: Model, positive: Any, negative: Any) -> tuple[Tensor, Tensor]:
    studio.model = model
    guidance = studio.guided(3.0, positive, negative)
    return studio.by_engine(LATENT, guidance, WALK), studio.as_comfy(LATENT, guidance, WALK)


SEEN = {"clip_vision_output": SimpleNamespace(image_embeds=noise(1, 1280)), "strength": 0.7, "noise_augmentation": 0.2}
WHERE = {"area": (8, 4, 0, 4), "strength": 0.6}

OPTIONS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "told that it is negative": ("refiner", {"prompt_type": "negative"}, {}),
    "told that it is positive": ("refiner", {}, {"prompt_type": "positive"}),
    "a score": ("refiner", {"aesthetic_score": 3.0}, {"prompt_type": "positive", "aesthetic_score": 7.0}),
    "sizes": ("sdxl", {"width": 500, "height": 300, "crop_w": 3, "target_width": 900}, {"target_height": 77}),
    "pictures in the place of a text": ("sdxl", {"unclip_conditioning": [SEEN]}, {}),
    "a picture to edit": ("sd1 edit", {"concat_latent_image": PICTURE}, {}),
    "a picture to edit, SDXL": ("sdxl edit", {"concat_latent_image": PICTURE}, {}),
    "a picture to edit, CosXL": ("cosxl edit", {"concat_latent_image": PICTURE}, {}),
    "a picture to edit, SD2": ("sd2 edit", {"concat_latent_image": PICTURE}, {}),
    "a mask and a picture": ("sd1 inpainting", {"concat_latent_image": PICTURE, "concat_mask": MASK}, {}),
    "depth": ("sd2 depth", {"concat_mask": MASK}, {"concat_mask": 1.0 - MASK}),
    "a small picture": (
        "x4",
        {"concat_image": noise(1, 3, 8, 8), "noise_augmentation": 0.3},
        {"concat_image": noise(1, 3, 8, 8, seed=2), "noise_augmentation": 0.1},
    ),
    "an area of a text told to be negative": ("refiner", {"prompt_type": "negative", **WHERE}, {}),
    "an area of a picture to edit": ("sd1 edit", {"concat_latent_image": PICTURE, **WHERE}, {}),
    "text for ControlNets alone": ("sd1", {"cross_attn_controlnet": noise(1, 5, 64, seed=9)}, {}),
}
NO_EFFECT = {"text for ControlNets alone"}
NEEDED = {"depth", "a small picture"}


@pytest.mark.parametrize(("case", "model"), [(case, each[0]) for case, each in OPTIONS.items()], indirect=["model"])
def test_every_option_counts_alike_in_both_ways(studio: Studio, model: Model, case: str) -> None:
    _, wanted, unwanted = OPTIONS[case]
    positive, negative = side(model, 1, **wanted), side(model, 2, **unwanted)
    ours, theirs = both(studio, model, [*positive, *side(model, 3)] if "area" in wanted else positive, negative)
    assert relative(theirs, ours) < CLOSE
    if case not in NEEDED:
        plain, _ = both(studio, model, side(model, 1), side(model, 2))
        assert (relative(ours, plain) < CLOSE) is (case in NO_EFFECT)


@pytest.mark.parametrize("model", ["sd1 edit", "cosxl edit"], indirect=True)
def test_how_an_editing_model_is_shown_pictures_does_not_hang_on_its_noise_levels(studio: Studio, model: Model) -> None:
    positive, negative = side(model, 1, concat_latent_image=PICTURE), side(model, 2)
    for prediction in (
        readings.discrete(model.prediction, "eps"),
        readings.continuous(model.prediction, "v_prediction", 120.0, 0.002),
        readings.continuous_v(model.prediction, 500.0, 0.03),
    ):
        ours, theirs = both(studio, model.with_prediction(prediction), positive, negative)
        assert relative(theirs, ours) < CLOSE


@pytest.mark.parametrize("model", ["refiner"], indirect=True)
def test_guiders_of_three_sides_tell_the_same_of_each(studio: Studio, model: Model) -> None:
    """The refiner is told another score for what a side is taken for, so that the names of sides show."""
    first, second, third = (side(model, seed) for seed in (1, 2, 3))
    told = [[second[0][0], {**second[0][1], "prompt_type": "positive"}]]
    dual = dual_cfg_guider(
        model=model, cond1=first, cond2=second, negative=third, cfg_conds=2.0, cfg_cond2_negative=3.0, style="regular"
    )
    guiders = [
        dual,
        perp_neg_guider(model=model, positive=first, negative=third, empty_conditioning=second, cfg=3.0),
        replace(dual, guidance=replace(dual.guidance, positive=told)),
    ]
    course = Course(Noise(5), Sampler("euler"), torch.tensor([14.0, 3.0, 0.0]))
    for guider in guiders:
        ours = sampling.Drawing(drawing.live(drawing.hosts.host().settings)).draw_guided(
            guider, LATENT, course, studio.run
        )
        theirs = drawing.guided_as_plugins_know_it(guider, LATENT, course, studio.run)
        assert relative(theirs.output["samples"], ours.output["samples"]) < CLOSE


def test_a_condition_that_is_asked_about_again_is_told_whole(host: Host) -> None:
    from compat.sampling.again import cond_of  # the host puts ComfyUI's names in place

    text, picture, net = noise(1, 5, 8), noise(1, 3, 8, 8), SimpleNamespace()
    boxes = Grounding(net, (BoxedPhrase(text[:, 0], 1, 2, 3, 4),))
    told = cond_of(
        Condition(text, concat_image=picture, image_noise=0.3, prompt_type="negative", is_default=True, grounding=boxes)
    )
    assert (told["noise_augmentation"], told["prompt_type"], told["default"]) == (0.3, "negative", True)
    assert told["concat_image"] is picture
    kind, known, ((vector, *sides),) = told["gligen"]
    assert (kind, known, sides) == ("position", net, [1, 2, 3, 4])
    assert torch.equal(vector, text[:, 0])
    assert not {"prompt_type", "default", "gligen", "concat_image"} & cond_of(Condition(text)).keys()


def test_options_that_a_run_makes_itself_are_left_to_comfyuis_way(studio: Studio) -> None:
    tokens, options = studio.positive[0]
    for made in ({"timestep_start": 5.0}, {"seed": 3}, {"denoise_mask": MASK}):
        guidance = Guidance([[tokens, {**options, **made}]], studio.negative, 3.0)
        assert drawing.why_not_plain(studio.model, guidance, WALK) == ["a conditioning holds more"]
    assert drawing.why_not_plain(studio.model, studio.guided(), WALK) == []


def test_what_a_model_will_not_see_is_said_in_both_ways_once_a_job(
    studio: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    tokens, options = studio.positive[0]
    guidance = studio.guided(3.0, [[tokens, {**options, "concat_latent_image": PICTURE}]])
    ours, run = drawing.Drawing(), studio.run
    changed: Callable[..., Any] = replace(guidance, positive=[[tokens, {**guidance.positive[0][1], "seed": 3}]])
    with caplog.at_level(logging.WARNING):
        ours.draw(studio.model, LATENT, guidance, WALK, run)
        ours.draw(studio.model, LATENT, changed, WALK, run)
        assert len(caplog.messages) == 1
        ours.draw(studio.model, LATENT, changed, WALK, studio.run)  # another job
    assert len(caplog.messages) == 2
    assert caplog.messages[0].startswith("positive: the picture to edit has no effect, because the denoiser of tiny")
