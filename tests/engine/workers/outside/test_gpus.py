"""Which GPUs there are, without torch and without a GPU."""

import os
from pathlib import Path

import pytest

from engine.workers.outside.gpus import visible, worker_environment


@pytest.fixture
def four(tmp_path: Path) -> Path:
    """A driver that lists four GPUs."""
    for bus in ("0000:01:00.0", "0000:41:00.0", "0000:81:00.0", "0000:c1:00.0"):
        (tmp_path / "gpus" / bus).mkdir(parents=True)
    return tmp_path / "gpus"


@pytest.mark.parametrize(
    ("wanted", "seen"),
    [
        (None, ["0", "1", "2", "3"]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("2", ["2"]),
        ("3,1", ["3", "1"]),
        ("0, 2", ["0", "2"]),
        ("0,-1,2", ["0"]),
        ("1,7,2", ["1"]),
        ("1,1", ["1"]),
        ("GPU-8932f937,GPU-1", ["GPU-8932f937", "GPU-1"]),
        ("MIG-1/2/3", ["MIG-1/2/3"]),
    ],
)
def test_what_is_visible_is_read_as_cuda_reads_it(four: Path, wanted: str | None, seen: list[str]) -> None:
    assert visible({} if wanted is None else {"CUDA_VISIBLE_DEVICES": wanted}, four) == seen


def test_without_a_driver_there_is_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert visible({}, tmp_path / "nothing") == []
    assert visible({"CUDA_VISIBLE_DEVICES": "0,1"}, tmp_path / "nothing") == []


@pytest.mark.skipif(os.name != "posix", reason="the program is a shell script")
@pytest.mark.parametrize(
    ("says", "seen"),
    [
        ("echo 'GPU 0: NVIDIA A (UUID: GPU-1)'; echo '  MIG 1g (UUID: MIG-2)'; echo 'GPU 1: NVIDIA B'", ["0", "1"]),
        ("echo 'No devices were found'; exit 6", []),
        ("exec sleep 60", []),
    ],
)
def test_nvidia_smi_is_asked_where_the_driver_lists_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, seen: list[str]
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{says}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("engine.workers.outside.gpus.PATIENCE", 1.0)
    assert visible({}, tmp_path / "nothing") == seen


def test_each_worker_sees_its_own_gpu(four: Path) -> None:
    chosen = [worker_environment(index, 6, {}, four) for index in range(6)]
    assert [each["CUDA_VISIBLE_DEVICES"] for each in chosen] == ["0", "1", "2", "3", "0", "1"]
    some = {"CUDA_VISIBLE_DEVICES": "3,GPU-5"}
    chosen = [worker_environment(index, 2, some, four) for index in range(2)]
    assert [each["CUDA_VISIBLE_DEVICES"] for each in chosen] == ["3", "GPU-5"]
    assert not any("OMP_NUM_THREADS" in each for each in chosen)


def test_one_worker_or_one_gpu_is_left_as_it_is(four: Path) -> None:
    assert worker_environment(0, 1, {}, four) == {"GOMP_SPINCOUNT": "1000"}
    assert worker_environment(1, 2, {"CUDA_VISIBLE_DEVICES": "2"}, four) == {"GOMP_SPINCOUNT": "1000"}


@pytest.mark.parametrize(("count", "threads"), [(2, 3), (3, 2), (6, 1), (20, 1)])
def test_workers_without_a_gpu_share_the_cores(
    four: Path, monkeypatch: pytest.MonkeyPatch, count: int, threads: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(6)), raising=False)
    shared = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "GOMP_SPINCOUNT": "1000"}
    assert worker_environment(0, count, {"CUDA_VISIBLE_DEVICES": ""}, four) == shared
    assert worker_environment(0, count, {}, four, cpu=True) == shared


def test_what_the_user_has_set_stays(four: Path) -> None:
    given = {"OMP_NUM_THREADS": "7", "OMP_WAIT_POLICY": "ACTIVE"}
    assert worker_environment(0, 2, given, four, cpu=True) == {}
    given = {"OMP_WAIT_POLICY": "ACTIVE", "MKL_NUM_THREADS": "7"}
    assert worker_environment(0, 2, given, four, cpu=True).keys() == {"OMP_NUM_THREADS"}
    assert worker_environment(0, 1, {"GOMP_SPINCOUNT": "infinite"}, four) == {}
