"""The pack of V3 nodes, registered as the loader does it, and graphs of them run by the real executor."""

import asyncio
import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from compat import imports
from compat.host import Host, Work
from compat.install import SHIMS
from engine.graph.executor import Outcome
from engine.graph.prompt import Prompt
from engine.graph.validate import validate

MODULE = "custom_nodes.v3_pack"


@pytest.fixture(scope="session")
def names() -> None:
    """ComfyUI's module names, for what needs no engine."""
    imports.offer(SHIMS)


@pytest.fixture
def pack(host: Host) -> ModuleType:
    """The pack, its nodes in the host's registry."""
    from compat.v3.adapter import node_type
    from compat.v3.extension import node_classes

    module = importlib.import_module("tests.compat.packs.v3_pack")
    module.seen.clear()
    for each in asyncio.run(node_classes(module.comfy_entrypoint)):
        host.engine.registry.put(node_type(each, MODULE))
    return module


@pytest.fixture
def add(host: Host) -> Callable[..., None]:
    """Registers classes of a test's own."""

    def register(*classes: type) -> None:
        from compat.v3.adapter import node_type

        for each in classes:
            host.engine.registry.put(node_type(each, MODULE))

    return register


Graph = dict[str, tuple[str, dict[str, Any]]]


@pytest.fixture
def run(host: Host) -> Callable[..., Outcome]:
    """Runs {id: (class, inputs)}, after the validation that a server does."""

    def execute(graph: Graph, targets: list[str] | None = None, **options: Any) -> Outcome:
        prompt = read(graph)
        if targets is None:
            checked = validate(prompt, host.registry)
            assert not checked.problems, checked.report()
            prompt = checked.prompt
        extra = options.get("extra") or {}
        with host.working(Work("p1", "c1", prompt.to_json(), {"extra_pnginfo": extra, "api_key_comfy_org": "key"})):
            return host.engine.executor.execute(prompt, targets=targets, **options)

    return execute


@pytest.fixture
def problems(host: Host) -> Callable[[Graph], list[tuple[str | None, str]]]:
    """What is wrong with a graph: (input, kind)."""

    def check(graph: Graph) -> list[tuple[str | None, str]]:
        return [(each.input, each.kind) for each in validate(read(graph), host.registry).problems]

    return check


def read(graph: Graph) -> Prompt:
    return Prompt.from_json({key: {"class_type": kind, "inputs": given} for key, (kind, given) in graph.items()})
