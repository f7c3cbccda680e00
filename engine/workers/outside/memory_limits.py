"""How large a worker may become when nobody said: a part of what the machine, or the container, has."""

SOFT = 0.75
HARD = 0.95


def total() -> int:
    """The memory this process and its children can have. Units: bytes."""
    # Not at the top: the API's start counts in milliseconds, and psutil is needed once.
    import psutil

    from engine.workers.outside.cgroup import memory_limit

    machine: int = psutil.virtual_memory().total
    return min(machine, memory_limit() or machine)


def soft_limit(workers: int = 1) -> int:
    """Limits.memory of one of several workers, which share what there is. Units: bytes."""
    return int(SOFT * total() / max(workers, 1))


def hard_limit() -> int:
    """Limits.memory_limit: it keeps a worker from taking the machine down. Not shared: the others may be small."""
    return int(HARD * total())
