"""Node types made of functions in tests, with services that stand for the real ones."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from engine.errors import NodeTypeError
from engine.graph.define import node, node_type
from engine.graph.nodetype import NodeType


class Lists:
    """Says which files there are, as Folders does."""

    def __init__(self) -> None:
        self.files = ["a.safetensors"]

    def list(self, kind: str) -> Sequence[str]:
        return [f"{kind}/{each}" for each in self.files]

    def input_files(self) -> Sequence[str]:
        return ["photo.png"]


class Loader:
    """A service."""

    def load(self, name: str) -> str:
        return f"loaded {name}"


def made(function: Callable[..., Any], services: dict[type, object] | None = None, **more: Any) -> NodeType:
    return node_type(node("Thing", category="test", **more)(function), services)


def refusal(function: Callable[..., Any], services: dict[type, object] | None = None, **more: Any) -> str:
    with pytest.raises(NodeTypeError) as caught:
        made(function, services, **more)
    return str(caught.value)
