"""MODEL at the border: the same numbers on both sides, the same objects on re-entry."""

import importlib
from pathlib import Path

import pytest
import torch

from compat.crossing import enter, leave
from compat.host import Host
from engine.values import Model


@pytest.fixture
def model(host: Host, tiny_models: Path) -> Model:
    importlib.import_module("compat.crossings.model")
    return host.loader.checkpoint(tiny_models / "checkpoints" / "tiny.safetensors").model


@pytest.fixture
def patcher(model: Model):
    return enter(model)


def asked(seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, 4, 8, 8, generator=generator), torch.randn(2, 77, 64, generator=generator)


def engine_answer(model: Model, x, sigma, text):
    """x0 by the engine's own path: no plugin names in between."""
    with model.ready() as network, torch.no_grad():
        prediction = model.prediction
        shown = prediction.scaled_input(x, sigma)
        answer = network(shown, prediction.timestep(sigma).expand(len(x)), text, cancelled=lambda: None)
        return prediction.denoised(answer.float(), x, sigma)


def test_apply_model_says_what_the_engine_says(model: Model, patcher) -> None:
    x, text = asked()
    sigma = torch.tensor(3.5)
    expected = engine_answer(model, x, sigma, text)
    patcher.patch_model(patcher.load_device)
    with torch.no_grad():
        got = patcher.model.apply_model(x, sigma.expand(2), c_crossattn=text, transformer_options={})
    assert torch.allclose(got, expected, atol=1e-5)


def test_the_same_value_enters_as_the_same_object_and_leaves_as_itself(model: Model, patcher) -> None:
    assert enter(model) is patcher
    assert leave(patcher) is model


def test_a_changed_patcher_comes_back_as_itself(model: Model, patcher) -> None:
    changed = patcher.clone()
    changed.set_model_attn1_patch(lambda n, context, value, extra: (n, context, value))
    left = leave(changed)
    assert isinstance(left, Model)
    assert left.guest is changed
    assert left.part is model.part
    assert enter(left) is changed
