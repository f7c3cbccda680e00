"""The tensors of a file by name and shape: what a network's configuration is read from."""

from collections.abc import Mapping

Shapes = Mapping[str, tuple[int, ...]]


def numbered(shapes: Shapes, pattern: str) -> int:
    """How many tensors are there whose names are the pattern with 0, 1, 2 … in its braces, without a gap."""
    n = 0
    while pattern.format(n) in shapes:
        n += 1
    return n
