"""What happens at the border between V3 nodes and ours: values, errors, and graphs of both with real models."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from compat.crossing import enter, leave
from compat.host import Host
from engine.errors import NodeFailed
from engine.graph.nodetype import NodeType, Output

Run = Callable[..., Any]


@dataclass
class Ours:
    """A value on our wires, in this test alone."""

    name: str


@dataclass
class Theirs:
    """The same as authors know it."""

    name: str


@pytest.fixture
def crossing(monkeypatch: pytest.MonkeyPatch) -> None:
    enter.register(Ours, lambda value: Theirs(value.name))
    leave.register(Theirs, lambda value: Ours(value.name))


def test_values_change_clothes_wherever_they_stand(
    crossing: None, host: Host, add: Callable[..., None], run: Run
) -> None:
    from comfy_api.latest import io

    class Plain(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> Any:
            group = io.Autogrow.TemplatePrefix(input=io.AnyType.Input("x"), prefix="x", min=1)
            inputs = [io.AnyType.Input("one"), io.Autogrow.Input("group", template=group)]
            outputs = [io.AnyType.Output(), io.AnyType.Output(is_output_list=True), io.String.Output()]
            return io.Schema("Plain", inputs=inputs, outputs=outputs)

        @classmethod
        def execute(cls, one: Any, group: Any) -> Any:
            return io.NodeOutput(one, [*group.values()], f"{one} {group}")

    class Lists(Plain):
        @classmethod
        def define_schema(cls) -> Any:
            schema = super().define_schema()
            schema.node_id, schema.is_input_list = "Lists", True
            return schema

        @classmethod
        def execute(cls, one: Any, group: Any) -> Any:
            return io.NodeOutput(one[0], group["x0"], f"{one} {group}")

    add(Plain, Lists)
    host.registry.put(NodeType("Source", lambda: Ours("a"), outputs=(Output("x", "X"),)))
    graph = {"1": ("Source", {})}
    wired = {"one": ["1", 0], "group.x0": ["1", 0]}
    outcome = run({**graph, "2": ("Plain", wired), "3": ("Lists", wired)}, ["2", "3"]).check()
    assert outcome.values["2"] == ([Ours("a")], [Ours("a")], ["Theirs(name='a') {'x0': Theirs(name='a')}"])
    assert outcome.values["3"] == ([Ours("a")], [Ours("a")], ["[Theirs(name='a')] {'x0': [Theirs(name='a')]}"])


@pytest.mark.parametrize("is_async", [False, True])
def test_a_node_that_ends_the_program_ends_only_its_run(
    host: Host, add: Callable[..., None], run: Run, is_async: bool
) -> None:
    from comfy_api.latest import io

    class Exits(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> Any:
            return io.Schema("Exits", outputs=[io.Int.Output()])

        if is_async:

            @classmethod
            async def execute(cls) -> Any:
                raise SystemExit(3)
        else:

            @classmethod
            def execute(cls) -> Any:
                raise SystemExit(3)

    add(Exits)
    with pytest.raises(NodeFailed, match="tried to end the program"):
        run({"1": ("Exits", {})}, ["1"]).check()


def test_an_authors_traceback_begins_in_the_authors_code(host: Host, add: Callable[..., None], run: Run) -> None:
    from comfy_api.latest import io

    class Fails(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> Any:
            return io.Schema("Fails", outputs=[io.Int.Output()])

        @classmethod
        def execute(cls) -> Any:
            return io.NodeOutput(1 // 0)

    add(Fails)
    failure = run({"1": ("Fails", {})}, ["1"]).failure
    assert failure.exception_type == "ZeroDivisionError"
    assert "test_border.py" in failure.traceback[1]


def test_what_a_paid_node_is_given_comes_with_the_prompt(host: Host, add: Callable[..., None], run: Run) -> None:
    from comfy_api.latest import io

    class Paid(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> Any:
            return io.Schema("Paid", outputs=[io.String.Output()], is_api_node=True)

        @classmethod
        def execute(cls) -> Any:
            return io.NodeOutput(f"{cls.hidden.api_key_comfy_org} {cls.hidden.auth_token_comfy_org}")

    add(Paid)
    assert run({"1": ("Paid", {})}, ["1"]).check().values["1"] == (["key None"],)


def test_a_v3_node_between_a_model_and_its_sampler_changes_no_number(
    host: Host, add: Callable[..., None], run: Run
) -> None:
    from comfy_api.latest import io

    class Pass(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> Any:
            kinds = {"model": io.Model, "positive": io.Conditioning, "latent": io.Latent, "vae": io.Vae}
            return io.Schema(
                "Pass",
                inputs=[kind.Input(name) for name, kind in kinds.items()],
                outputs=[kind.Output() for kind in kinds.values()],
            )

        @classmethod
        def execute(cls, model: Any, positive: Any, latent: Any, vae: Any) -> Any:
            assert latent["samples"].shape == (1, 4, 4, 4)
            assert positive[0][0].ndim == 3
            return io.NodeOutput(model, positive, latent, vae)

    add(Pass)
    options = {"seed": 3, "steps": 2, "cfg": 2.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}

    def sampled(through: bool) -> Any:
        def of(slot: int, node: str, own: int = 0) -> Any:
            return ["p", slot] if through else [node, own]

        return {
            "c": ("CheckpointLoaderSimple", {"ckpt_name": "tiny.safetensors"}),
            "t": ("CLIPTextEncode", {"clip": ["c", 1], "text": "a cat"}),
            "l": ("EmptyLatentImage", {"width": 32, "height": 32, "batch_size": 1}),
            "p": ("Pass", {"model": ["c", 0], "positive": ["t", 0], "latent": ["l", 0], "vae": ["c", 2]}),
            "k": (
                "KSampler",
                {
                    **options,
                    "model": of(0, "c"),
                    "positive": of(1, "t"),
                    "negative": ["t", 0],
                    "latent_image": of(2, "l"),
                },
            ),
            "d": ("VAEDecode", {"samples": ["k", 0], "vae": of(3, "c", 2)}),
        }

    (through,), (direct,) = (run(sampled(each), ["d"]).check().values["d"][0] for each in (True, False))
    assert torch.equal(through, direct)
    assert through.std() > 0


def test_v1_and_v3_nodes_share_a_graph_and_its_cache(host: Host, pack: Any, add: Callable[..., None], run: Run) -> None:
    from comfy_api.latest import io
    from comfy_execution.graph_utils import GraphBuilder

    from compat.v1 import adapter as v1

    class Old:
        RETURN_TYPES = ("FLOAT", "V3_PAIR")
        FUNCTION = "work"

        @classmethod
        def INPUT_TYPES(cls) -> Any:
            return {"required": {"number": ("FLOAT", {"default": 1.0})}, "optional": {"pair": ("V3_PAIR",)}}

        def work(self, number: float, pair: Any = (0, 0)) -> Any:
            return number + pair[0], (number, pair[1])

    class Builds(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> Any:
            outputs = [io.Float.Output()]
            return io.Schema("Builds", inputs=[io.Float.Input("x")], outputs=outputs, enable_expand=True)

        @classmethod
        def execute(cls, x: float) -> Any:
            graph = GraphBuilder()
            old = graph.node("Old", number=x)
            return io.NodeOutput(graph.node("Old", number=10.0, pair=old.out(1)).out(0), expand=graph.finalize())

    add(Builds)
    host.registry.put(v1.node_type(Old, "Old", "Old", "custom_nodes.old"))
    graph = {
        "s": ("V3Shade", {"size": 4, "grey": 0.25, "mode": "light"}),
        "p": ("V3Pairing", {"first": ["s", 1], "second": 3}),
        "o": ("Old", {"number": ["s", 1], "pair": ["p", 0]}),
        "u": ("V3Unpair", {"pair": ["o", 1]}),
        "b": ("Builds", {"x": ["u", 0]}),
        "e": ("V3Show", {"value": ["b", 0], "how": "text"}),
    }
    outcome = run(graph).check()
    assert outcome.ui["e"]["text"] == ["10.25"]
    assert not run(graph).check().executed


def test_a_node_that_would_end_the_program_is_told_by_its_own_line(
    host: Host, add: Callable[..., None], run: Run
) -> None:
    from comfy_api.latest import io

    class Leaves(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> Any:
            return io.Schema("Leaves", inputs=[], outputs=[io.Float.Output()], is_output_node=True)

        @classmethod
        def execute(cls) -> Any:
            sys.exit(3)

    add(Leaves)
    failure = run({"1": ("Leaves", {})}, ["1"]).failure
    assert "the node's code tried to end the program" in failure.message
    frames = [line for line in failure.traceback if line.lstrip().startswith("File")]
    assert len(frames) == 1
    assert __file__ in frames[0]
    assert not any("SystemExit" in line for line in failure.traceback)
