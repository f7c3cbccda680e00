"""Wan's autoencoder, which this program has no network of: names for plugins that ask whether a model is one."""

from typing import Any

from compat.missing import absent_class, missing

CausalConv3d = absent_class(__name__, "CausalConv3d")
RMS_norm = absent_class(__name__, "RMS_norm")
WanVAE = absent_class(__name__, "WanVAE")


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
