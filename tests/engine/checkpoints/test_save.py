import gzip
import json
import os
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from engine.adapters import lora
from engine.checkpoints.hints import Hints
from engine.checkpoints.load import Loader
from engine.checkpoints.save import Weights, save_checkpoint, save_tensors
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


def test_what_was_loaded_is_saved_bit_by_bit(tmp_path, loaded, full):
    save_checkpoint(tmp_path / "second.safetensors", Weights.of(loaded.model, loaded.clip, loaded.vae))
    saved, _ = read(tmp_path / "second.safetensors")
    position_ids = "cond_stage_model.transformer.text_model.embeddings.position_ids"
    assert saved.keys() == full.keys() - {"model_ema.decay"}
    assert all(torch.equal(saved[name], full[name]) for name in saved)
    assert saved[position_ids].dtype == torch.int64


def test_a_miniature_that_is_saved_loads_again_with_its_hints(tmp_path, loaded):
    hints = Hints(unet_heads=4, clip_heads=2, clip_activation="gelu")
    save_checkpoint(
        tmp_path / "second.safetensors", Weights.of(loaded.model, loaded.clip), hints, {"modelspec.title": "x"}
    )
    again = Loader().checkpoint(tmp_path / "second.safetensors")
    assert again.model.part.module.config.heads == 4
    assert again.clip.encoders[0].part.module.text_config.heads == 2
    assert again.vae is None
    assert read(tmp_path / "second.safetensors")[1]["modelspec.title"] == "x"


def test_patches_are_worked_into_what_is_saved(tmp_path, loaded):
    key = "input_blocks.0.0.bias"
    entries = {f"diffusion_model.{key.removesuffix('.bias')}.diff_b": torch.ones(32)}
    model, _ = lora.apply(loaded.model, None, lora.Lora("x", entries), 0.5, 0.0)
    save_checkpoint(tmp_path / "second.safetensors", Weights.of(model))
    saved, _ = read(tmp_path / "second.safetensors")
    expected = (loaded.model.part.weights[key].float() + 0.5).half()
    assert torch.equal(saved[f"model.diffusion_model.{key}"], expected)


def test_a_saved_checkpoint_has_the_names_and_shapes_of_the_published_one():
    packed = (LAYOUTS / "sd15.json.gz").read_bytes()
    published = {name: tuple(shape) for name, shape in json.loads(gzip.decompress(packed)).items()}
    with torch.device("meta"):
        networks = UNet(UNetConfig()), TextEncoder(TextConfig()), AutoencoderKL(VAEConfig())
    layout = Weights(*(dict(network.named_parameters()) for network in networks)).layout()
    assert {name: tuple(tensor.shape) for name, tensor in layout.items()} == published


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
