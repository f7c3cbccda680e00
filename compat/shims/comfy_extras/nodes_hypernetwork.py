"""The built-in node for hypernetworks. Source: node_behaviour.md F.1."""

from typing import Any

from compat.core_nodes import built_in
from compat.missing import missing

METHODS = {
    "HypernetworkLoader": "load_hypernetwork",
}
"""Class -> the method that plugins call."""


def __getattr__(name: str) -> Any:
    if name in METHODS:
        return built_in.with_method(name, METHODS[name])
    raise missing(__name__, name)
