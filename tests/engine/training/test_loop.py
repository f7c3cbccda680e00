"""A phase resumes exactly where it stopped, averages its weights, and refuses another recipe's state."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from engine.errors import TrainingError
from engine.training.loop import Budget, Losses, Phase, Settings

CPU = torch.device("cpu")


def tiny_phase(folder: Path, width: int = 3) -> Phase:
    torch.manual_seed(0)
    settings = Settings(0.05, warmup_steps=2, ema_decay=0.5, save_seconds=0.0, log_steps=1, bfloat16=False)
    return Phase("tiny", folder, nn.ModuleDict({"line": nn.Linear(width, 1)}), settings, CPU)


def train(phase: Phase, steps: int, power_cut_after: int | None = None) -> None:
    """Train for so many steps in all, unless the power is cut before."""

    def draw(generator: torch.Generator) -> Losses:
        if phase.step == power_cut_after:
            raise PowerCut
        x = torch.randn(8, 3, generator=generator)
        return {"loss": (phase.networks["line"](x) - x.sum(dim=1, keepdim=True)).square().mean()}

    phase.run(draw, Budget(steps=steps))


class PowerCut(Exception):
    """Nothing after this is saved."""


def test_four_steps_are_two_steps_and_two_after_resuming(tmp_path: Path) -> None:
    straight = tiny_phase(tmp_path / "a")
    train(straight, 4)
    first = tiny_phase(tmp_path / "b")
    with pytest.raises(PowerCut):
        train(first, 4, power_cut_after=2)
    second = tiny_phase(tmp_path / "b")
    assert second.resume()
    assert second.step == 2
    train(second, 4)
    for name, value in straight.networks.state_dict().items():
        assert torch.equal(value, second.networks.state_dict()[name])
        assert torch.equal(straight.average.state_dict()[name], second.average.state_dict()[name])


def test_a_phase_learns_until_its_budget_is_spent(tmp_path: Path) -> None:
    phase = tiny_phase(tmp_path)
    train(phase, 60)
    records = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text("utf-8").splitlines()]
    assert [record["step"] for record in records] == list(range(1, 61))
    assert records[-1]["loss"] < 0.2 * records[0]["loss"]
    phase.run(lambda generator: pytest.fail("the budget is spent"), Budget(steps=60))


def test_nothing_is_written_when_no_step_is_taken(tmp_path: Path) -> None:
    phase = tiny_phase(tmp_path)
    phase.run(lambda generator: pytest.fail("the deadline has passed"), Budget(), deadline=0.0)
    assert not phase.path.exists()


def test_the_state_of_other_networks_is_refused_by_name(tmp_path: Path) -> None:
    tiny_phase(tmp_path).save()
    with pytest.raises(TrainingError, match=r"tiny\.pt: expected the networks of this recipe"):
        tiny_phase(tmp_path, width=5).resume()


def test_there_is_nothing_to_resume_in_an_empty_folder(tmp_path: Path) -> None:
    assert not tiny_phase(tmp_path).resume()


def test_a_half_written_state_never_takes_the_place_of_a_whole_one(tmp_path: Path) -> None:
    phase = tiny_phase(tmp_path)
    phase.save()
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.pt"]
