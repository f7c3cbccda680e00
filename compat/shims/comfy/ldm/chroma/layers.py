"""Chroma, which this program has no network of: names for plugins that ask whether a model is one."""

from typing import Any

from compat.missing import absent_class, missing

DoubleStreamBlock = absent_class(__name__, "DoubleStreamBlock")
SingleStreamBlock = absent_class(__name__, "SingleStreamBlock")


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
