"""AuraFlow, which this program has no network of: names for plugins that ask whether a model is one."""

from typing import Any

from compat.missing import absent_class, missing

DiTBlock = absent_class(__name__, "DiTBlock")
DoubleAttention = absent_class(__name__, "DoubleAttention")
MMDiT = absent_class(__name__, "MMDiT")
MMDiTBlock = absent_class(__name__, "MMDiTBlock")
SingleAttention = absent_class(__name__, "SingleAttention")


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
