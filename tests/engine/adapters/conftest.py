"""The miniatures of the checkpoints' tests, and what a value computes with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file
from torch import Tensor, nn

from engine.checkpoints.load import Checkpoint, Loader
from tests.engine.checkpoints.conftest import miniature, networks, parts, random_weights

__all__ = ["miniature", "networks", "parts"]

TEXT_PREFIX = "cond_stage_model.transformer.text_model."


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory, miniature: dict[str, Tensor]) -> Checkpoint:
    """A miniature of Stable Diffusion 1."""
    path = Path(tmp_path_factory.mktemp("adapters")) / "x.safetensors"
    save_file(miniature, path)
    return Loader().checkpoint(path)


@pytest.fixture(scope="session")
def weights() -> Callable[[Any], dict[str, Tensor]]:
    """The weights a value computes with; those of text encoders under the encoder's name."""

    def read(value: Any) -> dict[str, Tensor]:
        if hasattr(value, "part"):
            with value.keeper.using(value.part, value.patches) as network:
                return {name: each.clone() for name, each in network.named_parameters()}
        found = {}
        for encoder in value.encoders:
            with value.keeper.using(encoder.part, value.patches_of(encoder)) as network:
                found |= {f"{encoder.id}.{name}": each.clone() for name, each in network.named_parameters()}
        return found

    return read


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory, networks: dict[str, nn.Module]) -> Checkpoint:
    """Another miniature of Stable Diffusion 1."""
    places = {"unet": "model.diffusion_model.", "vae": "first_stage_model.", "text": TEXT_PREFIX}
    tensors = {
        prefix + key: tensor
        for seed, (name, prefix) in enumerate(places.items(), 40)
        for key, tensor in random_weights(networks[name], seed).items()
    }
    path = Path(tmp_path_factory.mktemp("adapters")) / "other.safetensors"
    save_file(tensors, path)
    return Loader().checkpoint(path)
