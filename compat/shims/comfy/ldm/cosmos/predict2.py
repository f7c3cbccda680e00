"""Cosmos Predict 2, which this program has no network of: names for plugins that ask whether a model is one."""

from typing import Any

from compat.missing import absent_class, missing

Attention = absent_class(__name__, "Attention")
Block = absent_class(__name__, "Block")
MiniTrainDIT = absent_class(__name__, "MiniTrainDIT")


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
