"""The pack of V1 nodes, loaded as a plugin is and known to an engine."""

import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from compat.host import Host, Work
from compat.v1.adapter import node_type
from engine.graph.describe import describe
from engine.graph.events import Event
from engine.graph.outcome import Outcome
from engine.graph.prompt import Prompt
from engine.graph.validate import Validation, validate

PACK = Path(__file__).resolve().parents[1] / "packs" / "v1_pack"


@dataclass
class Bench:
    """Runs graphs of V1 nodes. cls: the authors' classes by id; events: of the last run."""

    host: Host
    module: ModuleType
    events: list[Event] = field(default_factory=list)

    def cls(self, id: str) -> Any:
        return self.module.NODE_CLASS_MAPPINGS[id]

    def add(self, cls: Any, id: str | None = None) -> None:
        self.host.registry.put(node_type(cls, id or cls.__name__, python_module="custom_nodes.test"))

    def info(self, id: str) -> dict[str, Any]:
        return describe(self.host.registry[id])

    def check(self, prompt: dict[str, Any]) -> Validation:
        return validate(Prompt.from_json(prompt), self.host.registry)

    def run(self, prompt: dict[str, Any], **options: Any) -> Outcome:
        self.events = []
        work = options.pop("work", Work(prompt_id="p1"))
        with self.host.working(work):
            return self.host.engine.executor.execute(Prompt.from_json(prompt), emit=self.events.append, **options)

    def value(self, id: str, inputs: dict[str, Any] | None = None, **others: Any) -> Any:
        """The first output of one node: its list."""
        prompt = {"1": {"class_type": id, "inputs": inputs or {}}, **others}
        return self.run(prompt, targets=["1"]).check().values["1"][0]

    def of(self, kind: type) -> list[Any]:
        return [each for each in self.events if isinstance(each, kind)]


@pytest.fixture
def bench(host: Host) -> Iterator[Bench]:
    name = "v1_pack_under_test"
    spec = importlib.util.spec_from_file_location(name, PACK / "__init__.py", submodule_search_locations=[str(PACK)])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    for id, cls in module.NODE_CLASS_MAPPINGS.items():
        shown = module.NODE_DISPLAY_NAME_MAPPINGS.get(id)
        host.registry.put(node_type(cls, id, shown, "custom_nodes.v1_pack"))
    yield Bench(host, module)
    for each in [each for each in sys.modules if each.partition(".")[0] == name]:
        del sys.modules[each]
