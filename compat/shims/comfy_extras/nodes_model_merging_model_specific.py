"""The built-in nodes that merge block by block. Source: node_behaviour.md G."""

from typing import Any

from compat.core_nodes import built_in
from compat.missing import missing

METHODS = {
    "ModelMergeSD1": "merge",
    "ModelMergeSD2": "merge",
    "ModelMergeSDXL": "merge",
}
"""Class -> the method that plugins call."""


def __getattr__(name: str) -> Any:
    if name in METHODS:
        return built_in.with_method(name, METHODS[name])
    raise missing(__name__, name)
