"""Saving models: what was loaded comes back bit by bit, in the layout of its family, with the workflow inside."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from engine.adapters.lora import Lora, apply
from engine.checkpoints.load import Checkpoint, Loader
from engine.checkpoints.tensors import in_memory
from engine.errors import CheckpointError
from engine.folders import Folders
from engine.models.latent_format import PLAYGROUND
from engine.sampling.betas import BetaSchedule
from engine.sampling.continuous import ContinuousTable
from engine.sampling.prediction import Prediction
from engine.sampling.table import SigmaTable
from engine.settings import Settings
from nodes import model_files
from tests import families

MINIATURES = {"sdxl": families.sdxl, "sdxl_refiner": families.refiner, "sd2": families.sd2}
PROMPT = {"1": {"class_type": "CheckpointSave", "inputs": {}}}


@pytest.fixture(scope="module", params=MINIATURES)
def half(request: pytest.FixtureRequest) -> tuple[str, dict[str, Tensor]]:
    """A miniature's name, and its tensors in half precision."""
    tensors = MINIATURES[request.param]().tensors
    return request.param, {name: each.half() for name, each in tensors.items()}


@pytest.fixture(scope="module")
def base() -> Checkpoint:
    return Loader().checkpoint(in_memory("base", families.sdxl().tensors))


def loaded_again(path: Path) -> Checkpoint:
    return Loader().checkpoint(path)


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118


def saved(folders: Folders, checkpoint: Checkpoint, **options: Any) -> Path:
    assert checkpoint.clip is not None
    assert checkpoint.vae is not None
    model_files.checkpoint_save(
        model=checkpoint.model,
        clip=checkpoint.clip,
        vae=checkpoint.vae,
        folders=folders,
        settings=Settings(),
        **options,
    )
    return sorted((folders.output / "checkpoints").iterdir())[-1]


def test_what_was_loaded_is_saved_and_loads_again(half: tuple[str, dict[str, Tensor]], folders: Folders) -> None:
    family, tensors = half
    path = saved(folders, Loader().checkpoint(in_memory("x", tensors)), prompt=PROMPT, extra_pnginfo={"workflow": {}})
    found, said = read(path)
    assert found.keys() == {name for name in tensors if not name.endswith("logit_scale")}
    assert all(torch.equal(found[name], tensors[name]) and found[name].dtype == torch.float16 for name in found)
    assert json.loads(said["prompt"]) == PROMPT
    assert json.loads(said["workflow"]) == {}
    assert said["modelspec.predict_key"] == "epsilon"
    assert ("modelspec.architecture" in said) is family.startswith("sdxl")
    again = loaded_again(path)
    assert (again.model.family, path.name) == (family, "ComfyUI_00001_.safetensors")
    assert again.clip is not None


def test_the_standard_of_model_descriptions_is_kept(base: Checkpoint, folders: Folders) -> None:
    said = read(saved(folders, base, filename_prefix="checkpoints/mine"))[1]
    assert {name.removeprefix("modelspec."): value for name, value in said.items() if name.startswith("modelspec")} == {
        "sai_model_spec": "1.0.0",
        "implementation": "sgm",
        "architecture": "stable-diffusion-xl-v1-base",
        "title": "mine 1",
        "predict_key": "epsilon",
    }


PREDICTIONS = {
    "v": Prediction("v", SigmaTable.from_betas()),
    "zero-SNR": Prediction("v", SigmaTable.from_betas(BetaSchedule(zero_terminal_snr=True))),
    "CosXL": Prediction("v", ContinuousTable.between(0.01, 120.0)),
    "Playground": Prediction("edm", ContinuousTable.between(0.002, 80.0), 0.5),
    "x0": Prediction("x0", SigmaTable.from_betas()),
}


@pytest.mark.parametrize("name", PREDICTIONS)
def test_what_is_predicted_is_saved_with_the_model(name: str, base: Checkpoint, folders: Folders) -> None:
    wanted = PREDICTIONS[name]
    latents = PLAYGROUND if name == "Playground" else base.model.latent_format
    model = replace(base.model, prediction=wanted, latent_format=latents)
    model_files.model_save(model=model, folders=folders, settings=Settings())
    again = Loader().denoiser(folders.output / "diffusion_models" / "ComfyUI_00001_.safetensors")
    assert (again.prediction.kind, again.prediction.sigma_data) == (wanted.kind, wanted.sigma_data)
    assert type(again.prediction.table) is type(wanted.table)
    torch.testing.assert_close(again.prediction.table.sigmas, wanted.table.sigmas)
    assert again.latent_format.scale == latents.scale
    assert all(torch.equal(each, base.model.part.weights[key]) for key, each in again.part.weights.items())


def test_changes_are_worked_in_and_the_original_stays(base: Checkpoint, folders: Folders) -> None:
    entries = {
        "diffusion_model.input_blocks.0.0.diff_b": torch.ones(32),
        "lora_te2_text_model_encoder_layers_0_self_attn_k_proj.diff_b": torch.full((64,), 2.0),
    }
    model, clip = apply(base.model, base.clip, Lora("x", entries), 0.5, 0.5)
    assert clip is not None
    path = saved(folders, replace(base, model=model, clip=clip))
    found, _ = read(path)
    before = base.model.part.weights["input_blocks.0.0.bias"]
    torch.testing.assert_close(found["model.diffusion_model.input_blocks.0.0.bias"], before + 0.5)
    key = "transformer.resblocks.0.attn.in_proj_bias"
    original = families.open_clip(families.text(64, 3, "gelu", projection=1280, seed=1))[key]
    change = torch.cat([torch.zeros(64), torch.ones(64), torch.zeros(64)])
    torch.testing.assert_close(found[f"conditioner.embedders.1.model.{key}"], original + change)


def test_each_text_encoder_is_saved_into_a_file_of_its_own(base: Checkpoint, folders: Folders) -> None:
    assert base.clip is not None
    model_files.clip_save(clip=base.clip, folders=folders, settings=Settings())
    names = sorted(path.name for path in (folders.output / "clip").iterdir())
    assert names == ["ComfyUI_clip_g_00001_.safetensors", "ComfyUI_clip_l_00001_.safetensors"]
    for name, encoder in zip(names, reversed(base.clip.encoders), strict=True):
        found, _ = read(folders.output / "clip" / name)
        inner = {key.removeprefix("text_model."): each for key, each in found.items()}
        assert inner.keys() == encoder.part.weights.keys()
        assert ("text_projection.weight" in found) is (encoder.id == "clip_g")
        assert all(torch.equal(each, inner[key]) for key, each in encoder.part.weights.items())
        (again,) = Loader().text_encoder(folders.output / "clip" / name).encoders
        assert again.part.weights.keys() == encoder.part.weights.keys()


def test_an_autoencoder_is_saved_alone(base: Checkpoint, folders: Folders) -> None:
    assert base.vae is not None
    model_files.vae_save(vae=base.vae, folders=folders, settings=Settings())
    again = Loader().vae(folders.output / "vae" / "ComfyUI_vae_00001_.safetensors")
    assert all(torch.equal(each, base.vae.part.weights[key]) for key, each in again.part.weights.items())
    pixels = Loader().pixel_space()
    with pytest.raises(CheckpointError, match="no weights of its own"):
        model_files.vae_save(vae=pixels, folders=folders, settings=Settings())


def test_parts_of_several_families_are_not_saved_as_one(base: Checkpoint, folders: Folders) -> None:
    other = Loader().checkpoint(in_memory("sd2", families.sd2().tensors))
    with pytest.raises(CheckpointError, match="SDXL has the text encoders clip_l, clip_g, this CLIP has clip_h"):
        saved(folders, replace(base, clip=other.clip))
    assert not list((folders.output).rglob("*.safetensors"))


def test_a_file_without_metadata_still_loads(base: Checkpoint, folders: Folders) -> None:
    model_files.model_save(
        model=base.model, prompt=PROMPT, folders=folders, settings=Settings(disable_metadata=True)
    )  # fmt: skip
    said = read(folders.output / "diffusion_models" / "ComfyUI_00001_.safetensors")[1]
    assert "prompt" not in said


def test_weights_that_rest_in_eight_bits_are_saved_as_they_are(folders: Folders) -> None:
    tensors = families.below(families.NETWORK, families.ours(families.sdxl().unet))
    model = Loader().denoiser(in_memory("x", tensors), stored=torch.float8_e4m3fn)
    model_files.model_save(model=model, folders=folders, settings=Settings())
    again = Loader().denoiser(folders.output / "diffusion_models" / "ComfyUI_00001_.safetensors")
    name = "input_blocks.4.1.transformer_blocks.0.attn1.to_q.weight"
    kept, found = model.part.weights[name], again.part.weights[name]
    assert found.dtype == torch.float8_e4m3fn
    assert torch.equal(kept.view(torch.uint8), found.view(torch.uint8))
