"""The miniatures of the checkpoints' tests, and what a value computes with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file
from torch import Tensor

from engine.checkpoints.load import Checkpoint, Loader
from tests.engine.checkpoints.conftest import miniature, networks, parts

__all__ = ["miniature", "networks", "parts"]


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
