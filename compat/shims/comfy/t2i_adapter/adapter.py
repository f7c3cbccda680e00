"""T2I-Adapter's networks by name; files of them are not supported yet. T2IAdapter takes a network of a plugin's own."""

from typing import Any

from torch import nn

from compat.missing import missing
from engine.errors import CheckpointError


class Adapter(nn.Module):
    """The full adapter."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise CheckpointError(f"{type(self).__name__}: T2I-Adapters are not supported yet; use a ControlNet")


class Adapter_light(Adapter):
    """The light one."""


class StyleAdapter(Adapter):
    """The one that reads a style."""


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
