"""LTX Video's autoencoder, which this program has no network of: names for plugins that ask whether a model is one."""

from typing import Any

from compat.missing import absent_class, missing

CausalConv3d = absent_class(__name__, "CausalConv3d")


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
