"""What tests of drawing share: the tiny model, its texts, and both ways of drawing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from compat import drawing
from compat.host import Host
from engine import values
from engine.conditioning import ControlHint
from engine.graph.events import Event
from engine.graph.run import Run
from nodes import sampling
from nodes.sampling import Guidance, Walk

CHECKPOINT = "tiny.safetensors"
SHAPE = (2, 4, 8, 12)


@dataclass
class Studio:
    """A tiny model, two texts and a latent, and the ways to draw with them."""

    model: values.Model
    positive: list[Any]
    negative: list[Any]
    net: values.ControlNet
    events: list[Event] = field(default_factory=list)
    cancels_at: int | None = None

    @property
    def run(self) -> Run:
        return Run("1", self._heard, lambda: self.cancels_at is not None and len(self.events) >= self.cancels_at)

    def _heard(self, event: Event) -> None:
        self.events.append(event)

    def hint(self, strength: float = 0.8, start: float = 0.0, end: float = 1.0) -> ControlHint:
        return ControlHint(self.net, noise(1, 3, 64, 96, seed=5).sigmoid(), strength, start, end)

    def by_engine(self, latent: dict[str, Any], guidance: Guidance, walk: Walk) -> Tensor:
        return sampling.Drawing(settings()).draw(self.model, latent, guidance, walk, self.run)["samples"]

    def as_comfy(self, latent: dict[str, Any], guidance: Guidance, walk: Walk, model: Any = None) -> Tensor:
        return drawing.as_plugins_know_it(model or self.model, latent, guidance, walk, self.run)["samples"]

    def guided(self, cfg: float = 3.0, positive: Any = None, negative: Any = None) -> Guidance:
        return Guidance(positive or self.positive, negative or self.negative, cfg)


def settings() -> Any:
    from compat.host import host

    return host().settings


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def entry(tokens: Tensor, **options: Any) -> list[list[Any]]:
    return [[tokens, options]]


def relative(a: Tensor, b: Tensor) -> float:
    assert a.shape == b.shape
    return float((a - b).norm() / b.norm())


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Tiny networks are slower with more, and other work shares the machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def studio(host: Host) -> Studio:
    loaded = host.loader.checkpoint(host.folders.path("checkpoints", CHECKPOINT))
    assert loaded.clip is not None
    texts = [loaded.clip.encode(text)[0] for text in ("a red apple, (glossy:1.3)", "blurry")]
    net = host.loader.controlnet(host.folders.path("controlnet", CHECKPOINT))
    return Studio(loaded.model, entry(texts[0]), entry(texts[1]), net)


@pytest.fixture
def walk() -> Callable[..., Walk]:
    """A short walk with these changes."""

    def made(**changes: Any) -> Walk:
        return replace(Walk("euler", "normal", 3, 7), **changes)

    return made
