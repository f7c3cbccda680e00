"""Wan, which this program has no network of: names for plugins that ask whether a model is one."""

from typing import Any

from compat.missing import absent_class, missing

WanAttentionBlock = absent_class(__name__, "WanAttentionBlock")
WanI2VCrossAttention = absent_class(__name__, "WanI2VCrossAttention")
WanModel = absent_class(__name__, "WanModel")
WanSelfAttention = absent_class(__name__, "WanSelfAttention")
WanT2VCrossAttention = absent_class(__name__, "WanT2VCrossAttention")


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
