"""Stable Cascade's coder, which this program has no network of: names for plugins that ask whether a model is one."""

from typing import Any

from compat.missing import absent_class, missing

StageC_coder = absent_class(__name__, "StageC_coder")


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
