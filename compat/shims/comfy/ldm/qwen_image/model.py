"""Qwen-Image, which this program has no network of: names for plugins that ask whether a model is one."""

from typing import Any

from compat.missing import absent_class, missing

FeedForward = absent_class(__name__, "FeedForward")
GELU = absent_class(__name__, "GELU")
LastLayer = absent_class(__name__, "LastLayer")
QwenImageTransformer2DModel = absent_class(__name__, "QwenImageTransformer2DModel")
QwenTimestepProjEmbeddings = absent_class(__name__, "QwenTimestepProjEmbeddings")


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
