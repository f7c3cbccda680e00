"""What node tests share: folders of their own, and a run that remembers what it was told."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.folders import Folders
from engine.graph.events import Event
from engine.graph.run import Run


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """Empty folders; none of the models that come with the program."""
    for name in ("input", "output", "temp"):
        (tmp_path / "base" / name).mkdir(parents=True)
    return Folders(tmp_path / "base", embedded=tmp_path / "embedded")


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def run(events: list[Event]) -> Run:
    return Run("1", events.append)


@pytest.fixture
def noise() -> Callable[..., Tensor]:
    """Numbers of 0..1 that are the same every time, in any shape."""

    def numbers(*shape: int, seed: int = 0) -> Tensor:
        return torch.rand(shape, generator=torch.Generator().manual_seed(seed))

    return numbers


@pytest.fixture
def condition() -> Callable[..., list[list[Any]]]:
    """A CONDITIONING with one entry and these options."""

    def made(**options: Any) -> list[list[Any]]:
        return [[torch.zeros(1, 77, 8), options]]

    return made
