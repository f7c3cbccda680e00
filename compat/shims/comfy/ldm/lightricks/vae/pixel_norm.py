"""LTX Video's autoencoder, which this program has no network of: names for plugins that ask whether a model is one."""

from typing import Any

from compat.missing import absent_class, missing

PixelNorm = absent_class(__name__, "PixelNorm")


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
