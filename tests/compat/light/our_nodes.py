"""What the classes of core nodes are compared with and given: our own nodes, and a conditioning."""

import torch

from compat.host import Host
from engine.graph.run import Run


def ours(host: Host, node_id: str, **given):
    """What our own node makes of values of ours."""
    node_type = host.registry[node_id]
    hidden = {name: Run("1", lambda event: None) for name, kind in node_type.hidden.items() if kind == "RUN"}
    return node_type.function(**given, **hidden)


def cond(length: int, value: float, **options) -> list:
    """A conditioning with one entry of so many tokens, all of one value."""
    return [[torch.full((1, length, 4), value), {"pooled_output": torch.full((1, 2), value), **options}]]
