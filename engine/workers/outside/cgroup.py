"""What the system says about memory: how much this process's group may use, and how often it had to kill for it.

Only Linux has groups; elsewhere there is no limit and no evidence.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

PROC = Path("/proc")
CGROUP = Path("/sys/fs/cgroup")


def memory_limit(proc: Path = PROC, root: Path = CGROUP) -> int | None:
    """The smallest limit of the control groups this process is in; None where there is none. Units: bytes."""
    limits = []
    for group in _groups(proc, root):
        for name in ("memory.max", "memory.limit_in_bytes"):
            text = _text(group / name).strip()
            if text.isdigit():
                limits.append(int(text))
    return min(limits, default=None)


def oom_kills(proc: Path = PROC, root: Path = CGROUP) -> int:
    """How many processes of this process's group were killed because memory ran out (no group: of the machine)."""
    for group in _groups(proc, root):
        for name in ("memory.events", "memory.oom_control"):
            if (count := _counter(group / name)) is not None:
                return count
    return _counter(proc / "vmstat") or 0


def resident(pid: int, proc: Path = PROC) -> int | None:
    """Memory of a process that only its end gives back (not mapped files); None where nobody knows. Units: bytes."""
    sizes = {}
    for line in _text(proc / str(pid) / "status").splitlines():
        name, _, value = line.partition(":")
        if name in ("RssAnon", "RssShmem"):
            sizes[name] = int(value.split()[0]) << 10
    return sum(sizes.values()) if sizes else None


class OomKills:
    """Kills for want of memory that no dead worker has been explained with yet."""

    def __init__(self, count: Callable[[], int] = oom_kills) -> None:
        self._count = count
        self._explained = count()

    def unexplained(self) -> int:
        """How many there are now."""
        return self._count() - self._explained

    def explain(self) -> None:
        """One of them was this worker."""
        self._explained += 1


def _groups(proc: Path, root: Path) -> Iterator[Path]:
    """The folders of the memory groups of this process, the innermost first; version 1 goes before the mixed 2."""
    lines = [line.split(":", 2) for line in _text(proc / "self" / "cgroup").splitlines() if line.count(":") >= 2]
    for controllers, mounts in (("memory", [root / "memory"]), ("", [root, root / "unified"])):
        for _, names, path in lines:
            if controllers in names.split(","):
                for mount in mounts:
                    yield from _upwards(mount, path)


def _upwards(mount: Path, path: str) -> Iterator[Path]:
    parts = [part for part in path.split("/") if part not in ("", "..")]
    for depth in range(len(parts), -1, -1):
        yield mount.joinpath(*parts[:depth])


def _counter(path: Path) -> int | None:
    """The value of the line "oom_kill N"."""
    for line in _text(path).splitlines():
        name, _, value = line.partition(" ")
        if name == "oom_kill" and value.isdigit():
            return int(value)
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
