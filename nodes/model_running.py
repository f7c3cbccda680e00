"""Nodes that say how a model's network is run; none of them changes what it draws."""

from typing import Literal

from engine.graph.define import node
from engine.steering.compiling import compiling
from nodes.types import Model


@node("TorchCompileModel", category="_for_testing", is_experimental=True)
def torch_compile_model(*, model: Model, backend: Literal["inductor", "cudagraphs"]) -> Model:
    """Compile a model for this machine: the first step takes minutes, the others are faster. Needs a compiler."""
    return model.with_hooks(compiling(backend, model.part.place.device))
