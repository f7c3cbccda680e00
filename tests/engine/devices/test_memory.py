"""How much work is done at once."""

from pathlib import Path

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


def test_a_container_has_what_its_limit_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    cpu = torch.device("cpu")
    machine = memory.free(cpu)
    assert machine > 5000
    (tmp_path / "memory.max").write_text("10000\n")
    (tmp_path / "memory.current").write_text("9000\n")
    (tmp_path / "memory.stat").write_text("anon 5000\nactive_file 3000\ninactive_file 1000\n")
    assert memory.free(cpu) == 5000
    (tmp_path / "memory.current").write_text("20000\n")
    assert memory.free(cpu) == 0
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.free(cpu) > 5000
    (tmp_path / "memory.max").write_text("much")
    assert memory.free(cpu) > 5000
