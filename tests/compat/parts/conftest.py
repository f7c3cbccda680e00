"""ComfyUI's module names, for the imports at the top of these tests; and the parts of the tiny checkpoint."""

import pytest
import torch

from compat import imports
from compat.install import SHIMS
from engine.checkpoints.load import Checkpoint

imports.offer(SHIMS)


@pytest.fixture
def loaded(host) -> Checkpoint:
    return host.loader.checkpoint(host.folders.path("checkpoints", "tiny.safetensors"))


@pytest.fixture
def condition():
    """A CONDITIONING with one entry and these options."""
    return lambda **options: [[torch.zeros(1, 77, 64), options]]
