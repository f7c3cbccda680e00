"""What the system says about memory, read from files as Linux writes them."""

import os
import sys
from pathlib import Path

import pytest

from engine.workers.outside.cgroup import memory_limit, oom_kills, resident
from engine.workers.outside.memory_limits import hard_limit, soft_limit, total


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_version_2_has_the_smallest_limit_of_all_its_groups(tmp_path: Path) -> None:
    proc, root = tmp_path / "proc", tmp_path / "cgroup"
    write(proc / "self" / "cgroup", "0::/system.slice/latentwire.service\n")
    write(root / "system.slice" / "latentwire.service" / "memory.max", "max\n")
    write(root / "system.slice" / "memory.max", "4294967296\n")
    write(root / "system.slice" / "latentwire.service" / "memory.events", "low 0\nhigh 3\nmax 9\noom 2\noom_kill 2\n")
    assert memory_limit(proc, root) == 4 << 30
    assert oom_kills(proc, root) == 2


def test_version_1_is_read_where_memory_is_mounted(tmp_path: Path) -> None:
    proc, root = tmp_path / "proc", tmp_path / "cgroup"
    write(proc / "self" / "cgroup", "8:pids:/\n4:cpu,memory:/docker/abc\n0::/\n")
    write(root / "memory" / "docker" / "abc" / "memory.limit_in_bytes", "2147483648\n")
    write(root / "memory" / "docker" / "abc" / "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n")
    assert memory_limit(proc, root) == 2 << 30
    assert oom_kills(proc, root) == 5


def test_a_container_that_sees_only_its_own_folder_is_found_there(tmp_path: Path) -> None:
    proc, root = tmp_path / "proc", tmp_path / "cgroup"
    write(proc / "self" / "cgroup", "0::/../../somewhere/on/the/host\n")
    write(root / "memory.max", "1073741824\n")
    write(root / "memory.events", "oom_kill 1\n")
    assert memory_limit(proc, root) == 1 << 30
    assert oom_kills(proc, root) == 1


def test_without_groups_the_machine_is_asked(tmp_path: Path) -> None:
    write(tmp_path / "proc" / "vmstat", "pgfault 12\noom_kill 4\n")
    assert memory_limit(tmp_path / "proc", tmp_path / "cgroup") is None
    assert oom_kills(tmp_path / "proc", tmp_path / "cgroup") == 4
    assert oom_kills(tmp_path / "nothing", tmp_path / "cgroup") == 0


def test_mapped_files_are_not_counted(tmp_path: Path) -> None:
    status = "Name:\tpython\nVmRSS:\t  9000 kB\nRssAnon:\t  1000 kB\nRssFile:\t  7000 kB\nRssShmem:\t  1000 kB\n"
    write(tmp_path / "7" / "status", status)
    assert resident(7, tmp_path) == 2000 << 10
    assert resident(8, tmp_path) is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_this_process_has_a_size() -> None:
    assert 1 << 20 < (resident(os.getpid()) or 0) < total()


def test_limits_are_parts_of_what_there_is() -> None:
    assert soft_limit() == int(0.75 * total())
    assert soft_limit(3) == int(0.75 * total() / 3)
    assert hard_limit() == int(0.95 * total())
