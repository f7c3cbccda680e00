"""A bench to try whole graphs on: tiny models, every node, the real executor, and the graph everyone starts from."""

from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from engine.checkpoints.load import Loader
from engine.devices.device import choose
from engine.folders import Folders
from engine.graph.builder import Builder, Handle
from engine.graph.define import node_type
from engine.graph.executor import Executor, Outcome
from engine.graph.nodetype import Input, NodeType, Output
from engine.graph.prompt import Link
from engine.graph.registry import Registry
from engine.settings import Settings
from nodes import all_nodes, sampling

SIZE = 64
STEPS = 3


class Bench:
    """Folders with tiny models, the registry of all nodes, and an executor that catches nodes changing their inputs."""

    def __init__(self, models: Path, base: Path, *, catch_mutation: bool = True) -> None:
        self.settings = Settings(cpu=True)
        self.folders = Folders(base, embedded=models)
        for folder in (self.folders.input, self.folders.output, self.folders.temp):
            folder.mkdir(parents=True)
        services = {
            Settings: self.settings,
            sampling.Drawing: sampling.Drawing(self.settings),
            Folders: self.folders,
            Loader: Loader(choose(self.settings)),
        }
        self.registry = Registry(node_type(function, services) for function in all_nodes())
        self._constants: list[Any] = []
        self.registry.add(
            NodeType(
                "Constant",
                lambda index: self._constants[index],
                inputs=(Input("index", "INT"),),
                outputs=(Output("*", "*"),),
            )
        )
        self.executor = Executor(self.registry, catch_mutation=catch_mutation)

    def constant(self, graph: Builder, value: Any) -> Link:
        """A value on a wire, from nowhere."""
        self._constants.append(value)
        return graph.node("Constant", index=len(self._constants) - 1).out()

    def run(self, graph: Builder, *targets: Handle, **options: Any) -> Outcome:
        return self.executor.execute(graph.prompt(), targets=[each.id for each in targets] or None, **options)

    def value(self, graph: Builder, target: Handle, slot: int = 0) -> Any:
        """What a node puts on a wire, where it is one thing."""
        (value,) = self.run(graph, target).check().values[target.id][slot]
        return value

    def message(self, graph: Builder, target: Handle) -> str:
        """What a user is told when the node fails."""
        outcome = self.run(graph, target)
        assert outcome.status == "failed"
        assert outcome.failure is not None
        assert "Traceback" not in outcome.failure.message
        return f"{outcome.failure.class_type}: {outcome.failure.message}"


class Drawing:
    """The graph everyone starts from, to be changed in one place."""

    def __init__(self, name: str = "tiny.safetensors") -> None:
        self.graph = Builder()
        self.checkpoint = self.graph.node("CheckpointLoaderSimple", ckpt_name=name)
        self.model, self.clip, self.vae = (self.checkpoint.out(slot) for slot in range(3))
        self.positive = self.text("a red apple, (glossy:1.3)")
        self.negative = self.text("blurry")
        self.latent = self.graph.node("EmptyLatentImage", width=SIZE, height=SIZE, batch_size=1)

    def text(self, text: str) -> Handle:
        return self.graph.node("CLIPTextEncode", text=text, clip=self.clip)

    def sampled(self, **changes: Any) -> Handle:
        inputs = {
            "model": self.model,
            "seed": 7,
            "steps": STEPS,
            "cfg": 3.0,
            "sampler_name": "euler",
            "scheduler": "normal",
            "positive": self.positive,
            "negative": self.negative,
            "latent_image": self.latent,
            "denoise": 1.0,
        }
        return self.graph.node("KSampler", **{**inputs, **changes})

    def sampled_part(self, start: int, end: int, **changes: Any) -> Handle:
        inputs = {
            "model": self.model,
            "add_noise": "enable",
            "noise_seed": 7,
            "steps": 6,
            "cfg": 3.0,
            "sampler_name": "euler",
            "scheduler": "normal",
            "positive": self.positive,
            "negative": self.negative,
            "latent_image": self.latent,
            "start_at_step": start,
            "end_at_step": end,
            "return_with_leftover_noise": "disable",
        }
        return self.graph.node("KSamplerAdvanced", **{**inputs, **changes})

    def picture(self, name: str, bench: Bench, size: tuple[int, int] = (SIZE, SIZE)) -> Handle:
        """A file of the input folder, loaded."""
        gradient = Image.linear_gradient("L").resize(size)
        Image.merge("RGBA", (gradient, gradient.rotate(90), gradient, gradient)).save(bench.folders.input / name)
        return self.graph.node("LoadImage", image=name)

    def hinted(self, bench: Bench, **changes: Any) -> Handle:
        """The tiny ControlNet with a picture, on both texts. Returns: a node whose outputs 0 and 1 they are."""
        inputs = {
            "positive": self.positive,
            "negative": self.negative,
            "control_net": self.graph.node("ControlNetLoader", control_net_name="tiny.safetensors"),
            "image": self.picture("hint.png", bench),
            "strength": 0.8,
            "start_percent": 0.0,
            "end_percent": 1.0,
        }
        return self.graph.node("ControlNetApplyAdvanced", **{**inputs, **changes})


def close(a: Tensor, b: Tensor, tolerance: float = 1e-4) -> bool:
    return a.shape == b.shape and float((a - b).abs().max()) <= tolerance * float(b.abs().max())
