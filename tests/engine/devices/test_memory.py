"""How much work is done at once."""

import pytest
import torch

from engine.devices import memory


def test_work_on_a_cpu_stays_small_enough_to_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free", lambda device: 64 << 30)
    assert memory.room_for_work(torch.device("cpu"), 0.5) == memory.CPU_WORK
    assert memory.room_for_work(torch.device("cuda"), 0.5) == 32 << 30


def test_work_takes_its_share_of_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free", lambda device: 1000)
    assert memory.room_for_work(torch.device("cpu"), 0.5) == 500
