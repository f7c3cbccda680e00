"""Nodes for hypernetworks: small nets beside the attentions of a model."""

from typing import Annotated

from engine.adapters import hypernetwork
from engine.folders import Folders
from engine.graph.define import Files, Widget, node
from nodes.convert import naming
from nodes.types import Model

HypernetworkName = Annotated[str, Files("hypernetworks", tooltip="A file of models/hypernetworks.")]
Strength = Annotated[float, Widget(min=-10.0, max=10.0, step=0.01, tooltip="1 is the normal weight; may be negative.")]


@node("HypernetworkLoader", category="loaders")
def hypernetwork_loader(
    *, model: Model, hypernetwork_name: HypernetworkName, strength: Strength = 1.0, folders: Folders
) -> Model:
    """Put a hypernetwork beside a model's attentions; several add up."""
    with naming("hypernetwork_name"):
        path = folders.path("hypernetworks", hypernetwork_name)
        return hypernetwork.apply(model, hypernetwork.read(path, model.part.place), strength)
