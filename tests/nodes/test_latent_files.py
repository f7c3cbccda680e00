"""Latents kept in files."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from engine.errors import CheckpointError, PathError
from engine.folders import Folders
from engine.graph.builder import Builder
from engine.graph.validate import validate
from engine.settings import Settings
from nodes import latent_files
from tests.nodes.bench import Bench


def saved(folders: Folders, settings: Settings | None = None, prefix: str = "latents/a") -> Path:
    made = latent_files.save_latent(
        samples={"samples": torch.arange(16.0).reshape(1, 4, 2, 2), "noise_mask": torch.ones(1)},
        filename_prefix=prefix,
        prompt={"1": {"class_type": "SaveLatent"}},
        extra_pnginfo={"workflow": {"nodes": []}},
        folders=folders,
        settings=settings or Settings(),
    )
    assert made.ui is not None
    (file,) = made.ui["latents"]
    assert file == {"filename": "a_00001_.latent", "subfolder": "latents", "type": "output"}
    return folders.output / file["subfolder"] / file["filename"]


def test_a_saved_latent_is_read_again_with_the_workflow_inside(folders: Folders) -> None:
    path = saved(folders)
    with safe_open(path, "pt") as file:
        assert json.loads(file.metadata()["workflow"]) == {"nodes": []}
        assert json.loads(file.metadata()["prompt"])["1"]["class_type"] == "SaveLatent"
        assert set(file.keys()) == {"latent_tensor", "latent_format_version_0"}
    path.rename(folders.input / "a.latent")
    assert folders.input_files("latent") == ["a.latent"]
    made = latent_files.load_latent(latent="a.latent", folders=folders)
    assert set(made) == {"samples"}
    assert torch.equal(made["samples"], torch.arange(16.0).reshape(1, 4, 2, 2))


def test_metadata_can_be_turned_off(folders: Folders) -> None:
    with safe_open(saved(folders, Settings(disable_metadata=True)), "pt") as file:
        assert not file.metadata()


def test_an_old_file_is_brought_to_todays_scale(folders: Folders) -> None:
    save_file({"latent_tensor": torch.full((1, 4, 2, 2), 0.18215).half()}, folders.input / "old.latent")
    made = latent_files.load_latent(latent="old.latent", folders=folders)["samples"]
    assert made.dtype == torch.float32
    assert torch.allclose(made, torch.ones(1, 4, 2, 2), atol=1e-3)


def test_a_changed_file_is_read_again(folders: Folders) -> None:
    path = saved(folders).rename(folders.input / "a.latent")
    before = latent_files.latent_fingerprint("a.latent", folders)
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    assert latent_files.latent_fingerprint("a.latent", folders) != before


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"weight": torch.zeros(2)}, r"expected latent_tensor \[batch, channels, height, width\], got weight"),
        ({"latent_tensor": torch.zeros(4, 4)}, r"got a tensor of shape \[4, 4\]"),
        ({"latent_tensor": torch.full((1, 4, 2, 2), float("nan"))}, "holds NaN or infinities"),
    ],
)
def test_a_file_of_something_else_is_named(tensors: dict[str, torch.Tensor], said: str, folders: Folders) -> None:
    save_file(tensors, folders.input / "b.latent")
    with pytest.raises(CheckpointError, match=rf"b\.latent: .*{said}") as raised:
        latent_files.load_latent(latent="b.latent", folders=folders)
    assert raised.value.input == "latent"


def test_a_prefix_that_leads_out_is_refused(folders: Folders) -> None:
    with pytest.raises(PathError, match="outside the output folder"):
        saved(folders, prefix="../a")


def test_a_missing_file_is_a_problem_before_the_run(bench: Bench) -> None:
    graph = Builder()
    loaded = graph.node("LoadLatent", latent="gone.latent")
    graph.node("SaveLatent", samples=loaded, filename_prefix="a")
    said = str(validate(graph.prompt(), bench.registry))
    assert "gone.latent" in said
