"""What plugins see of a model that does not fit: the same answers, and honest sizes."""

from typing import Any

import pytest
import torch
from torch import nn

from compat.crossing import enter
from engine.devices.deltas import Difference
from engine.devices.patches import Patch
from engine.values import Model


@pytest.fixture(params=[0, 200_000])
def budget(model: Model, request: pytest.FixtureRequest) -> Any:
    """Bytes that models may take on a device."""
    keeper = model.keeper
    yield lambda: setattr(keeper, "budget", request.param) or request.param
    keeper.budget = None


def test_a_model_that_does_not_fit_answers_as_ever_with_patches_too(
    model: Model, engine_says: Any, ask: Any, budget: Any
) -> None:
    name = "middle_block.1.proj_in.weight"
    change = torch.ones_like(model.part.weights[name], dtype=torch.float32)
    plain = engine_says(model)
    changed = engine_says(model.with_patches({name: (Patch(Difference(change), 0.1),)}))
    model.keeper.send_all_away()
    budget()
    patcher = enter(model)
    mine = patcher.clone()
    assert mine.add_patches({f"diffusion_model.{name}": ("diff", (change,))}, 0.1)
    torch.testing.assert_close(ask(patcher), plain)
    torch.testing.assert_close(ask(mine), changed)
    torch.testing.assert_close(ask(patcher), plain)
    torch.testing.assert_close(engine_says(model), plain)
    assert not torch.equal(plain, changed)


def test_a_model_that_does_not_fit_says_how_much_of_it_is_there(model: Model, budget: Any) -> None:
    allowed = budget()
    patcher = enter(model)
    assert patcher.partially_load(patcher.load_device) == patcher.loaded_size() <= allowed
    assert patcher.loaded_size() < patcher.model_size()
    patcher.detach()
    assert patcher.loaded_size() == 0


def test_weights_that_wait_at_rest_can_be_read_and_replaced(model: Model, budget: Any) -> None:
    budget()
    patcher = enter(model)
    patcher.patch_model(patcher.load_device)
    layer = patcher.model.diffusion_model.out[2]
    assert torch.equal(layer.weight, model.part.weights["out.2.weight"].float())
    layer.weight = nn.Parameter(torch.zeros_like(layer.weight))
    assert not layer.weight.any()
    patcher.unpatch_model(patcher.offload_device)
    assert layer.weight.any()
