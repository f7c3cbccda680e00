"""The code of the guide, run as it stands there."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from compat.host import Host

DOCS = Path(__file__).parents[3] / "docs"


def blocks() -> list[str]:
    """The examples of the section, wherever it stands by now."""
    texts = [
        path.read_text(encoding="utf-8") for path in (DOCS / "plugins_v3.part.md", DOCS / "plugins.md") if path.exists()
    ]
    section = next(text.partition("## A node in V3\n")[2] for text in texts if "## A node in V3\n" in text)
    return re.findall(r"```python\n(.*?)```", re.split(r"^## ", section, flags=re.MULTILINE)[0], re.DOTALL)


def test_the_first_node_runs(host: Host, run: Callable[..., Any]) -> None:
    from compat.v3.adapter import node_type
    from compat.v3.extension import node_classes

    module: dict[str, Any] = {"__name__": "custom_nodes.tint"}
    exec(blocks()[0], module)
    for each in asyncio.run(node_classes(module["comfy_entrypoint"])):
        host.registry.put(node_type(each, "custom_nodes.tint"))
    graph = {
        "1": ("EmptyImage", {"width": 2, "height": 2, "batch_size": 1, "color": 0xFFFFFF}),
        "2": ("Tint", {"image": ["1", 0], "colour": "red", "amount": 0.25}),
    }
    outcome = run(graph, ["2"]).check()
    assert torch.allclose(outcome.values["2"][0][0], torch.tensor([1.0, 0.75, 0.75]).expand(1, 2, 2, 3))
    assert outcome.ui["2"]["images"][0]["type"] == "temp"


@pytest.mark.parametrize(
    ("name", "given", "received"),
    [
        ("terms", {"terms.term0": 1.0, "terms.term1": 2.5}, "execute(terms={"),
        ("size", {"size": "by factor", "size.factor": 2.0}, "execute(size={"),
    ],
)
def test_inputs_that_change_arrive_as_the_guide_says(
    host: Host, add: Callable[..., None], run: Callable[..., Any], name: str, given: dict[str, Any], received: str
) -> None:
    from comfy_api.latest import io

    module: dict[str, Any] = {}
    exec(blocks()[1], module)

    class Told(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> Any:
            return io.Schema("Told", inputs=[module[name]], outputs=[io.String.Output()])

        @classmethod
        def execute(cls, **inputs: Any) -> Any:
            return io.NodeOutput(f"execute({name}={inputs[name]!r})".replace("'", '"'))

    add(Told)
    (told,) = run({"1": ("Told", given)}, ["1"]).check().values["1"][0]
    assert told.startswith(received)
    assert f"# {told}" in blocks()[1]
