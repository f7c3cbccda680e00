import gzip
import json
import os
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from engine.adapters import lora
from engine.checkpoints import save
from engine.checkpoints.families import sd1, sd2, sdxl
from engine.checkpoints.hints import Hints
from engine.checkpoints.load import Loader
from engine.checkpoints.save import layout, save_checkpoint, save_tensors
from engine.errors import PathError
from engine.models.unet import UNet
from engine.models.unet_config import UNetConfig
from engine.models.vae import AutoencoderKL, VAEConfig
from engine.text.clip import TextConfig, TextEncoder

LAYOUTS = Path(__file__).parents[2] / "data" / "checkpoint_layouts"


@pytest.fixture
def loaded(tmp_path, full):
    save_file(full, tmp_path / "first.safetensors")
    return Loader().checkpoint(tmp_path / "first.safetensors")


def read(path):
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118


def whole(loaded, *, with_vae=True):
    return layout(
        sd1.FAMILY,
        save.model_weights(loaded.model),
        save.text_weights(loaded.clip),
        save.vae_weights(loaded.vae) if with_vae else None,
    )


def test_what_was_loaded_is_saved_bit_by_bit(tmp_path, loaded, full):
    save_checkpoint(tmp_path / "second.safetensors", whole(loaded))
    saved, _ = read(tmp_path / "second.safetensors")
    position_ids = "cond_stage_model.transformer.text_model.embeddings.position_ids"
    assert saved.keys() == full.keys() - {"model_ema.decay"}
    assert all(torch.equal(saved[name], full[name]) for name in saved)
    assert saved[position_ids].dtype == torch.int64


def test_a_miniature_that_is_saved_loads_again_with_its_hints(tmp_path, loaded):
    hints = Hints(unet_heads=4, clip_heads=2, clip_activation="gelu")
    save_checkpoint(tmp_path / "second.safetensors", whole(loaded, with_vae=False), hints, {"modelspec.title": "x"})
    again = Loader().checkpoint(tmp_path / "second.safetensors")
    assert again.model.part.module.config.heads == 4
    assert again.clip.encoders[0].part.module.text_config.heads == 2
    assert again.vae is None
    assert read(tmp_path / "second.safetensors")[1]["modelspec.title"] == "x"


def test_patches_are_worked_into_what_is_saved(tmp_path, loaded):
    key = "input_blocks.0.0.bias"
    entries = {f"diffusion_model.{key.removesuffix('.bias')}.diff_b": torch.ones(32)}
    model, _ = lora.apply(loaded.model, None, lora.Lora("x", entries), 0.5, 0.0)
    save_checkpoint(tmp_path / "second.safetensors", layout(sd1.FAMILY, save.model_weights(model)))
    saved, _ = read(tmp_path / "second.safetensors")
    expected = (loaded.model.part.weights[key].float() + 0.5).half()
    assert torch.equal(saved[f"model.diffusion_model.{key}"], expected)


FAMILIES = {
    "sd15": (sd1.FAMILY, UNetConfig(), {"clip_l": TextConfig()}),
    "sd21": (sd2.FAMILY, None, {"clip_h": TextConfig(1024, 24, 16, 4096, activation="gelu", projection=1024)}),
    "sdxl_base": (
        sdxl.FAMILY,
        None,
        {"clip_l": TextConfig(), "clip_g": TextConfig(1280, 32, 20, 5120, activation="gelu", projection=1280)},
    ),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_saved_checkpoint_has_the_names_and_shapes_of_the_published_one(name):
    packed = (LAYOUTS / f"{name}.json.gz").read_bytes()
    published = {name: tuple(shape) for name, shape in json.loads(gzip.decompress(packed)).items()}
    network = "model.diffusion_model."
    shapes = {key.removeprefix(network): shape for key, shape in published.items() if key.startswith(network)}
    family, config, texts = FAMILIES[name]
    with torch.device("meta"):
        unet, vae = UNet(config or UNetConfig.from_shapes(shapes)), AutoencoderKL(VAEConfig())
        encoders = {id: dict(TextEncoder(each).named_parameters()) for id, each in texts.items()}
    made = layout(family, dict(unet.named_parameters()), encoders, dict(vae.named_parameters()))
    unused = {key for key in published if key.endswith("logit_scale")}
    assert {key: tuple(tensor.shape) for key, tensor in made.items()} == {
        key: shape for key, shape in published.items() if key not in unused
    }


def test_a_folder_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PathError, match="cannot be written"):
        save_tensors(tmp_path / "file" / "x.safetensors", {"a": torch.ones(1)})
    assert sorted(os.listdir(tmp_path)) == ["file"]


def test_a_full_disk_leaves_the_old_file_whole():
    """/dev/full refuses every write, as a full disk does; a folder cannot be full without being root."""
    with pytest.raises(PathError, match="cannot be written"):
        save_tensors(Path("/dev/full/x.safetensors"), {"a": torch.ones(1)})


def test_saving_replaces_a_file_at_once(tmp_path):
    path = tmp_path / "x.safetensors"
    save_tensors(path, {"a": torch.ones(1)})
    save_tensors(path, {"a": torch.zeros(2)})
    assert read(path)[0]["a"].tolist() == [0.0, 0.0]
    assert os.listdir(tmp_path) == ["x.safetensors"]
