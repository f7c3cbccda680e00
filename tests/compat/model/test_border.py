"""MODEL at the border: the same numbers on both sides, the same objects on re-entry."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from compat.crossing import enter, leave
from compat.host import Host
from engine.adapters import lora
from engine.devices.patches import Patch
from engine.sampling.prediction import Prediction
from engine.sampling.table import SigmaTable
from engine.values import Model


def test_apply_model_says_what_the_engine_says(model: Model, patcher: Any, ask: Any, engine_says: Any) -> None:
    expected = engine_says(model)
    assert torch.allclose(ask(patcher), expected, atol=1e-5)
    assert torch.equal(engine_says(model), expected)


def test_the_same_value_enters_as_the_same_object_and_leaves_as_itself(model: Model, patcher: Any) -> None:
    assert enter(model) is patcher
    assert leave(patcher) is model


def test_models_of_one_part_share_what_clones_are_known_by(model: Model, patcher: Any) -> None:
    other = enter(replace(model))
    assert other is not patcher
    assert other.is_clone(patcher)
    assert patcher.clone().is_clone(patcher)


def test_a_changed_patcher_comes_back_as_itself(model: Model, patcher: Any) -> None:
    changed = patcher.clone()
    changed.set_model_attn1_patch(lambda n, context, value, extra: (n, context, value))
    left = leave(changed)
    assert isinstance(left, Model)
    assert left.guest is changed
    assert left.part is model.part
    assert enter(left) is changed


def test_a_lora_of_ours_reaches_the_plugins_side(
    host: Host, tiny_models: Path, model: Model, ask: Any, engine_says: Any
) -> None:
    file = host.loader.lora(tiny_models / "loras" / "tiny.safetensors")
    changed, _ = lora.apply(model, None, file, 0.7, 0.0)
    assert not torch.allclose(engine_says(changed), engine_says(model), atol=1e-3)
    assert torch.allclose(ask(enter(changed)), engine_says(changed), atol=1e-5)


def test_a_patch_of_a_plugins_reaches_the_engines_side(model: Model, patcher: Any, ask: Any, engine_says: Any) -> None:
    changed = patcher.clone()
    key = "diffusion_model.input_blocks.1.0.in_layers.2.weight"
    difference = torch.randn_like(patcher.model.state_dict()[key].float())
    assert changed.add_patches({key: ("diff", (difference,))}, 0.3) == [key]
    left = leave(changed)
    answer = engine_says(left)
    assert not torch.allclose(answer, engine_says(model), atol=1e-3)
    assert torch.allclose(ask(changed), answer, atol=1e-5)


def test_what_our_nodes_add_to_a_plugins_model_is_there_when_it_enters_again(model: Model, patcher: Any) -> None:
    changed = patcher.clone()
    changed.set_model_attn1_patch(lambda n, context, value, extra: (n, context, value))
    left = leave(changed)
    again = enter(left.with_patches({"out.2.bias": (Patch(_Double()),)}))
    assert again is not changed
    assert again.is_clone(changed)
    assert "attn1_patch" in again.model_options["transformer_options"]["patches"]
    assert "diffusion_model.out.2.bias" in again.patches
    assert not changed.patches


class _Double:
    def applied(self, weight: torch.Tensor, strength: float) -> torch.Tensor:
        return weight * 2


def test_another_prediction_of_ours_is_a_patched_sampling_object(model: Model, ask: Any, engine_says: Any) -> None:
    spoken = model.with_prediction(Prediction("v", SigmaTable.from_betas()))
    plain = enter(model)
    changed = enter(spoken)
    assert changed.get_model_object("model_sampling") is not plain.get_model_object("model_sampling")
    assert torch.allclose(ask(changed), engine_says(spoken), atol=1e-5)
    assert torch.allclose(ask(plain), engine_says(model), atol=1e-5)


def test_a_plugins_sampling_object_leaves_as_one_of_ours(
    model: Model, patcher: Any, ask: Any, engine_says: Any
) -> None:
    import comfy.model_sampling as ms

    class Sampling(ms.ModelSamplingDiscrete, ms.V_PREDICTION):
        pass

    changed = patcher.clone()
    changed.add_object_patch("model_sampling", Sampling(changed.model.model_config))
    left = leave(changed)
    assert left.prediction.kind == "v"
    assert torch.allclose(engine_says(left), ask(changed), atol=1e-5)


def test_a_part_used_by_the_engine_in_between_wears_the_plugins_patches_again(
    model: Model, patcher: Any, question: Any, engine_says: Any
) -> None:
    x, text = question
    changed = patcher.clone()
    changed.add_patches({"diffusion_model.out.2.bias": (torch.full((4,), 5.0),)})
    changed.patch_model(changed.load_device)
    with torch.no_grad():
        first = changed.model.apply_model(x, torch.full((2,), 3.5), c_crossattn=text, transformer_options={})
        plain = engine_says(model)
        second = changed.model.apply_model(x, torch.full((2,), 3.5), c_crossattn=text, transformer_options={})
    changed.unpatch_model(changed.offload_device)
    assert torch.equal(first, second)
    assert not torch.allclose(first, plain, atol=1.0)
