"""A tiny model of Stable Diffusion 1's layout, and what plugins get for it."""

import importlib
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from compat.crossing import enter
from compat.host import Host
from engine.values import Model


@pytest.fixture
def model(host: Host, tiny_models: Path) -> Model:
    importlib.import_module("compat.crossings.model")
    return host.loader.checkpoint(tiny_models / "checkpoints" / "tiny.safetensors").model


@pytest.fixture
def patcher(model: Model) -> Any:
    return enter(model)


@pytest.fixture
def question() -> tuple[Tensor, Tensor]:
    """A noisy latent [2, 4, 8, 8] and a text [2, 77, 64]."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 4, 8, 8, generator=generator), torch.randn(2, 77, 64, generator=generator)


@pytest.fixture
def ask(question: tuple[Tensor, Tensor]) -> Any:
    """Loads a patcher, asks its model once with its own transformer_options, and lets it go again."""

    def asked(patcher: Any, **more: Any) -> Tensor:
        x, text = question
        options = {**patcher.model_options["transformer_options"], "cond_or_uncond": [0, 1]}
        options["wrappers"] = {**patcher.wrappers}
        patcher.patch_model(patcher.load_device)
        try:
            with torch.no_grad():
                sigma = torch.full((2,), 3.5)
                return patcher.model.apply_model(x, sigma, c_crossattn=text, transformer_options=options, **more)
        finally:
            patcher.unpatch_model(patcher.offload_device)

    return asked


@pytest.fixture
def engine_says(question: tuple[Tensor, Tensor]) -> Any:
    """What the engine's own path answers to the same question: no plugin's names in between."""

    def asked(model: Model, **more: Any) -> Tensor:
        x, text = question
        sigma = torch.tensor(3.5)
        with model.ready() as network, torch.no_grad():
            prediction = model.prediction
            times = prediction.timestep(sigma).expand(len(x))
            answer = network(prediction.scaled_input(x, sigma), times, text, cancelled=lambda: None, **more)
            return prediction.denoised(answer.float(), x, sigma)

    return asked
