"""Nodes that say how a model's network is run; none of them changes what it draws."""

from dataclasses import replace
from typing import Literal

from engine.devices.device import DTYPES
from engine.graph.define import node
from engine.steering.compiling import compiling
from engine.steering.precision import as_chosen, computing_in
from nodes.convert import naming
from nodes.types import Model


@node("TorchCompileModel", category="_for_testing", is_experimental=True)
def torch_compile_model(*, model: Model, backend: Literal["inductor", "cudagraphs"]) -> Model:
    """Compile a model for this machine: the first step takes minutes, the others are faster. Needs a compiler."""
    return model.with_hooks(compiling(backend, model.part.place.device))


@node("ModelComputeDtype", category="advanced/debug/model")
def model_compute_dtype(*, model: Model, dtype: Literal["default", "fp32", "fp16", "bf16"]) -> Model:
    """Let a model compute in another number format; its weights stay in their file's and are cast where they are used.

    dtype: default leaves the choice to the device, whatever was set before.
    """
    if dtype == "default":
        return replace(model, part=as_chosen(model.part))
    with naming("model"):
        return replace(model, part=computing_in(model.part, DTYPES[dtype]))
