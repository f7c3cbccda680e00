"""ComfyUI's module names, for the imports at the top of these tests; and the parts of the tiny checkpoint."""

import sys

import pytest
import torch

from compat.install import SHIMS
from engine.checkpoints.load import Checkpoint

if str(SHIMS) not in sys.path:
    sys.path.append(str(SHIMS))


@pytest.fixture
def loaded(host) -> Checkpoint:
    return host.loader.checkpoint(host.folders.path("checkpoints", "tiny.safetensors"))


@pytest.fixture
def condition():
    """A CONDITIONING with one entry and these options."""
    return lambda **options: [[torch.zeros(1, 77, 64), options]]
