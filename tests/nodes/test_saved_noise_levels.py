"""What ModelSampling nodes set on a model is in its file: loaded again, it draws the same picture."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from engine.checkpoints import description, save
from engine.checkpoints.load import Loader
from engine.checkpoints.tensors import in_memory
from engine.conditioning import Condition
from engine.folders import Folders
from engine.models.unet import UNet
from engine.sampling.prediction import Prediction
from engine.sampling.sample import sample
from engine.sampling.schedules import sigmas
from engine.sampling.table import SigmaTable
from engine.settings import Settings
from engine.values import Model
from nodes import model_files
from nodes import model_sampling as nodes
from tests import families
from tests.nodes.conftest import UNET, weights

discrete, ranged = nodes.model_sampling_discrete, nodes.model_sampling_continuous_edm

CHANGES: dict[str, Callable[[Model], Model]] = {
    **{name: lambda m, n=name: discrete(model=m, sampling=n) for name in ("eps", "v_prediction", "lcm", "x0")},  # type: ignore[misc]
    "img_to_img": lambda m: discrete(model=m, sampling="img_to_img"),
    "eps, zsnr": lambda m: discrete(model=m, sampling="eps", zsnr=True),
    "v_prediction, zsnr": lambda m: discrete(model=m, sampling="v_prediction", zsnr=True),
    "lcm, zsnr": lambda m: discrete(model=m, sampling="lcm", zsnr=True),
    "edm": lambda m: ranged(model=m, sampling="edm", sigma_max=80.0),
    "playground": lambda m: ranged(model=m, sampling="edm_playground_v2.5", sigma_max=80.0),
    "playground to 120": lambda m: ranged(model=m, sampling="edm_playground_v2.5"),
    "velocity of a range": lambda m: ranged(model=m, sampling="v_prediction", sigma_max=120.0, sigma_min=0.01),
    "eps of a range": lambda m: ranged(model=m, sampling="eps", sigma_max=33.0, sigma_min=0.05),
    "cosmos": lambda m: ranged(model=m, sampling="cosmos_rflow", sigma_max=80.0),
    "angle": lambda m: nodes.model_sampling_continuous_v(model=m, sampling="v_prediction"),
    "SD3": lambda m: nodes.model_sampling_sd3(model=m, shift=2.5),
    "AuraFlow": lambda m: nodes.model_sampling_aura_flow(model=m),
    "Stable Cascade": lambda m: nodes.model_sampling_stable_cascade(model=m),
    "Flux": lambda m: nodes.model_sampling_flux(model=m, width=1024, height=768),
}

READ_BY_OTHERS = {
    "sd1": {"eps"},
    "sd2": {"eps"},
    "unclip": {"v_prediction"},
    "lotus": {"img_to_img"},
    "sdxl": {"eps", "v_prediction", "v_prediction, zsnr", "playground", "velocity of a range"},
    "refiner": {"eps"},
}
"""Which of these other programs tell from a file's tensors. Source: node_behaviour.md A.4, prediction type."""


@cache
def made(family: str) -> Model:
    """A miniature of a family, loaded."""
    if family == "sd1":
        return Loader().denoiser(in_memory(family, weights(UNet(UNET), families.NETWORK, 0)))
    options: dict[str, dict[str, Any]] = {
        "sd2": {"text_width": 64, "levels": 4},
        "unclip": {"text_width": 64, "levels": 4, "vector": 2048, "kind": "class"},
        "lotus": {"text_width": 64, "levels": 4, "vector": 4, "kind": "class"},
        "sdxl": {"text_width": 96, "vector": 2816},
        "refiner": {"text_width": 64, "vector": 2560},
    }
    unet = families.ours(families.denoiser(**options[family]))
    return Loader().denoiser(in_memory(family, families.below(families.NETWORK, unet)))


def drawn(model: Model) -> Tensor:
    """What two steps make of noise."""
    config = model.part.module.config
    generator = torch.Generator().manual_seed(3)
    tokens = torch.randn(1, 5, config.context_width, generator=generator)
    vector = torch.randn(1, config.class_width or 1, generator=generator)
    start = torch.randn(1, 4, 8, 8, generator=generator)
    with model.ready() as network:
        return sample(
            network,
            model.prediction,
            model.latent_format,
            positive=[Condition(tokens, vector=vector if config.class_width else None)],
            negative=[],
            cfg=1.0,
            latent=0.1 * start.flip(0, 1),
            noise=start,
            sampler="euler",
            sigmas=sigmas("normal", model.prediction.table, 2),
            seed=0,
        )


def loaded_again(model: Model) -> tuple[Model, description.Description]:
    """The model as its file gives it, and what was written beside its weights."""
    family = save.family_of(model)
    tensors = save.layout(family, save.model_weights(model))
    said = description.described(model, family, tensors)
    file = save.as_file("saved.safetensors", {**tensors, **said.marks})
    return Loader().denoiser(replace(file, metadata=said.hints.metadata())), said


CASES = [
    (family, change)
    for family in READ_BY_OTHERS
    for change in CHANGES
    # The rest of what a node can be set to is the same for all families.
    if family in ("sd1", "sdxl") or change not in ("x0", "lcm, zsnr", "playground to 120", "eps of a range", "cosmos")
]


@pytest.mark.parametrize(("family", "change"), CASES)
def test_a_model_draws_the_same_after_it_was_saved(family: str, change: str) -> None:
    model = CHANGES[change](made(family))
    again, said = loaded_again(model)
    wanted, found = model.prediction, again.prediction
    assert (found.kind, found.sigma_data, type(found.table)) == (wanted.kind, wanted.sigma_data, type(wanted.table))
    assert torch.equal(found.table.sigmas, wanted.table.sigmas)
    assert torch.equal(found.table.logs, wanted.table.logs)
    for share in (0.0, 0.3, 1.0):
        assert found.table.at_percent(share) == wanted.table.at_percent(share)
    assert torch.equal(drawn(again), drawn(model))
    assert bool(said.lost) is (change not in READ_BY_OTHERS[family])


@pytest.mark.parametrize("is_cosxl", [False, True])
def test_editing_models_are_shown_pictures_as_before_whatever_is_saved_of_their_levels(is_cosxl: bool) -> None:
    unet = families.ours(families.denoiser(text_width=96, vector=2816, in_channels=8))
    mark = {"edm_vpred.sigma_max": torch.tensor(120.0)} if is_cosxl else {}
    model = Loader().denoiser(in_memory("edit", {**families.below(families.NETWORK, unet), **mark}))
    for change in ("eps", "velocity of a range", "angle", "SD3"):
        again, _ = loaded_again(CHANGES[change](model))
        assert again.part.module.config.scaled_picture is is_cosxl


def test_a_second_generation_is_the_first() -> None:
    for change in ("playground to 120", "velocity of a range", "Flux"):
        first, _ = loaded_again(CHANGES[change](made("sdxl")))
        second, _ = loaded_again(first)
        assert torch.equal(second.prediction.table.sigmas, first.prediction.table.sigmas)
        assert torch.equal(drawn(second), drawn(first))


def written(folders: Folders, model: Model) -> tuple[Path, dict[str, Any], dict[str, str]]:
    model_files.model_save(model=model, folders=folders, settings=Settings())
    path = sorted((folders.output / "diffusion_models").iterdir())[-1]
    with safe_open(path, "pt") as file:
        marks = {name: file.get_tensor(name) for name in file.keys() if not name.startswith("model.")}  # noqa: SIM118
        return path, marks, file.metadata()


@pytest.mark.parametrize(
    ("change", "marks", "key"),
    [
        ("eps", set(), "epsilon"),
        ("v_prediction", {"v_pred"}, "v"),
        ("v_prediction, zsnr", {"v_pred", "ztsnr"}, "v"),
        ("eps, zsnr", {"ztsnr"}, "epsilon"),
        ("velocity of a range", {"edm_vpred.sigma_max", "edm_vpred.sigma_min"}, "v"),
        ("playground", {"edm_mean", "edm_std"}, None),
        ("angle", {"v_pred"}, "v"),  # the angle is no mark's; that it is velocity is
        ("lcm", set(), "epsilon"),
        ("SD3", set(), None),
    ],
)
def test_public_marks_say_what_they_can(folders: Folders, change: str, marks: set[str], key: str | None) -> None:
    path, found, said = written(folders, CHANGES[change](made("sdxl")))
    assert found.keys() == marks
    assert said.get("modelspec.predict_key") == key
    if "edm_vpred.sigma_max" in marks:
        assert float(found["edm_vpred.sigma_max"]) == 120.0
        assert float(found["edm_vpred.sigma_min"]) == pytest.approx(0.01)
    assert torch.equal(drawn(Loader().denoiser(path)), drawn(CHANGES[change](made("sdxl"))))


def test_what_others_cannot_read_is_said_with_the_node_that_sets_it(
    folders: Folders, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        written(folders, CHANGES["v_prediction"](made("sdxl")))
    assert not caplog.messages
    expected = {
        "lcm": "ModelSamplingDiscrete with lcm",
        "eps, zsnr": "ModelSamplingDiscrete with eps and zsnr",
        "edm": "ModelSamplingContinuousEDM with edm from 80 to 0.002",
        "angle": "ModelSamplingContinuousV with v_prediction from 500 to 0.03",
        "SD3": "ModelSamplingSD3 with a shift of 2.5",
        "AuraFlow": "ModelSamplingAuraFlow with a shift of 1.73",
        "Stable Cascade": "ModelSamplingStableCascade with a shift of 2",
    }
    for change, node in expected.items():
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            path, _, _ = written(folders, CHANGES[change](made("sdxl")))
        assert f"{path.name}: other programs will read it as " in caplog.text
        assert f"have them set by {node} there" in caplog.text


def test_latents_of_playground_are_told_on_other_families(caplog: pytest.LogCaptureFixture) -> None:
    _, said = loaded_again(CHANGES["playground"](made("sd1")))
    assert any("other programs will not scale its latents as Playground 2.5" in each for each in said.lost)
    velocity = CHANGES["v_prediction"](CHANGES["playground"](made("sdxl")))
    again, _ = loaded_again(velocity)
    assert again.latent_format.mean == velocity.latent_format.mean != ()
    assert torch.equal(drawn(again), drawn(velocity))


def test_noise_levels_of_a_plugin_are_said_to_be_lost() -> None:
    class Own(SigmaTable):
        pass

    usual = SigmaTable.from_betas()
    model = made("sdxl").with_prediction(Prediction("v", Own(usual.sigmas, usual.logs)))
    again, said = loaded_again(model)
    assert again.prediction.kind == "v"
    assert said.lost == (
        "the noise levels that a plugin set cannot be told in a file and are not in it; set them again after loading",
    )


BAD = [
    {"table": "nonsense"},
    {"table": "range"},
    {"table": "range", "sigma_min": 2.0, "sigma_max": 1.0},
    {"table": "range", "sigma_min": "0", "sigma_max": 1.0},
    {"table": "path", "shift": 1.0, "multiplier": 1000.0, "steps": 10**9},
    {"table": "path", "shift": -1.0, "multiplier": 1000.0, "steps": 1000},
    {"table": "steps", "schedule": {"kind": "nonsense"}},
    {"table": "steps", "schedule": {"steps": 10**9}},
    {"table": "steps", "schedule": {"wide": 1}},
    {"table": "steps", "sigma_data": float("inf")},
    {"table": "steps", "sigma_data": True},
    {"table": "steps", "sigma_data": None},
    {"table": ["steps"]},
    "steps",
    {"table": "path", "shift": 1.0, "multiplier": 1000.0, "steps": 1000},  # no path for eps
]


@pytest.mark.parametrize("said", BAD)
def test_impossible_levels_are_refused_by_name(said: Any) -> None:
    tensors = weights(UNet(UNET), families.NETWORK, 0)
    metadata = {"latentwire": json.dumps({"prediction": "eps", "noise_levels": said})}
    with pytest.raises(Exception, match=r"x\.safetensors: its metadata says noise_levels") as caught:
        Loader().denoiser(in_memory("x.safetensors", tensors, metadata))
    assert type(caught.value).__name__ == "CheckpointError"
