"""LoRA and its relatives on real layers, against peft: the same weights merged by both."""

import pytest
import torch
from torch import Tensor, nn

from engine.adapters.entries import Entries

pytestmark = pytest.mark.slow  # importing peft takes longer than all of it


class Layers(nn.Module):
    """The two kinds of layer that trainers change."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.linear = nn.Linear(12, 16)
        self.conv = nn.Conv2d(8, 16, 3, padding=1)


def trained(kind: str, **options: object) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
    """Weights before, the entries that peft would save, and weights after peft merged them."""
    import peft

    layers = Layers()
    before = {name: each.detach().clone() for name, each in layers.state_dict().items()}
    config = getattr(peft, kind)(target_modules=["linear", "conv"], **options)
    model = peft.get_peft_model(layers, config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad and "magnitude" not in name:
                parameter.normal_(std=0.3)
    entries = peft.get_peft_model_state_dict(model)
    merged = {name: each.detach() for name, each in model.merge_and_unload().state_dict().items()}
    return before, {name.removeprefix("base_model.model."): each for name, each in entries.items()}, merged


def check(
    entries: dict[str, Tensor], before: dict[str, Tensor], after: dict[str, Tensor], strength: float = 1.0
) -> None:
    found = Entries(entries)
    for name in ("linear", "conv"):
        weight = f"{name}.weight"
        changed = found.deltas(name, weight)[weight].applied(before[weight], strength)
        torch.testing.assert_close(changed, after[weight], rtol=1e-5, atol=1e-5)
        assert not torch.allclose(after[weight], before[weight], atol=1e-3)
    assert found.used == set(entries)


def test_lora_is_pefts_with_alpha_over_rank() -> None:
    before, entries, after = trained("LoraConfig", r=4, lora_alpha=2)
    assert {name.partition(".")[2] for name in entries} == {"lora_A.weight", "lora_B.weight"}
    # peft keeps alpha in a file of its own; whoever joins both scales the matrices, or writes alpha beside them.
    check({**entries, **{f"{each}.alpha": torch.tensor(2.0) for each in ("linear", "conv")}}, before, after)


def test_loha_and_its_cores_are_pefts() -> None:
    for options in ({}, {"use_effective_conv2d": True}):
        before, entries, after = trained("LoHaConfig", r=4, alpha=4, **options)
        assert any("hada_t1" in name for name in entries) == bool(options)
        check(entries, before, after)


def test_lokr_is_pefts_with_whole_and_with_factored_matrices() -> None:
    for options in ({}, {"decompose_both": True}, {"use_effective_conv2d": True}):
        before, entries, after = trained("LoKrConfig", r=1, alpha=1, **options)
        assert any(name.endswith("lokr_w2_a") for name in entries)
        check(entries, before, after)
