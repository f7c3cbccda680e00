"""Lumina 2, which this program has no network of: names for plugins that ask whether a model is one."""

from typing import Any

from compat.missing import absent_class, missing

FeedForward = absent_class(__name__, "FeedForward")
NextDiT = absent_class(__name__, "NextDiT")


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
