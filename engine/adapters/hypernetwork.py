"""Hypernetwork files: read, judged, and put beside a model's attentions.

Source: node_behaviour.md F.1.
"""

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.checkpoints.tensors import read_object
from engine.devices.device import Place
from engine.devices.residency import Keeper, Part
from engine.errors import CheckpointError
from engine.models.hypernetwork import ACTIVATIONS, Hypernetwork, HypernetworkConfig
from engine.sampling.guidance import Hooks
from engine.values import Model

log = logging.getLogger(__name__)

_LAYER = re.compile(r"linear\.(\d+)\.(weight|bias)")

Layers = list[tuple[Tensor, Tensor]]
"""Weight and bias of one layer after the other."""


def read(path: Path, place: Place) -> Part[Hypernetwork]:
    """The nets of a file. Raises: CheckpointError, naming what is missing or of a wrong shape."""
    content = read_object(path)
    pairs = {width: pair for width, pair in content.items() if isinstance(width, int)} if _is_dict(content) else {}
    if not pairs:
        names = ", ".join(str(each) for each in list(content)[:3]) if _is_dict(content) else type(content).__name__
        raise CheckpointError(
            f"{path.name}: not a hypernetwork; expected nets under the widths they are for (320, 640, 768, 1280 …), "
            f"got {names or 'nothing'}"
        )
    nets = {width: _pair(path.name, width, pair) for width, pair in pairs.items()}
    config = HypernetworkConfig(
        {width: (_shapes(pair[0]), _shapes(pair[1])) for width, pair in nets.items()},
        _activation(path.name, content),
        bool(content.get("activate_output", False)),
    )
    with torch.device("meta"):
        network = Hypernetwork(config)
    weights = {
        f"{width}.{kind}.linear.{place_}.{leaf}": tensor
        for width, pair in nets.items()
        for kind, layers in zip("kv", pair, strict=True)
        for place_, layer in enumerate(layers)
        for leaf, tensor in zip(("weight", "bias"), layer, strict=True)
    }
    return Part(f"the hypernetwork {path.name}", network, weights, place)


def apply(model: Model, nets: Part[Hypernetwork], strength: float) -> Model:
    """The model with nets beside both kinds of its attentions, so strongly.

    Raises: CheckpointError, where no net is for a width that the model's attentions read.
    """
    _check_family(nets, model.part.weights.stored)
    patch = _Patch(nets, model.keeper, strength)
    return model.with_hooks(Hooks(patches={"patches": {"attn1_patch": [patch], "attn2_patch": [patch]}}))


def _check_family(nets: Part[Hypernetwork], weights: Mapping[str, Tensor]) -> None:
    """Raises CheckpointError where nets can change nothing, and warns where they were made for other texts."""
    if not weights:
        return  # a plugin's network, which keeps its weights to itself
    own, texts = (_read_by(weights, f"{kind}.to_k.weight") for kind in ("attn1", "attn2"))
    have = set(nets.module.config.layers)
    told = f"it has nets for {_listed(have)}, this model's attentions read {_listed(own | texts)}"
    if not have & (own | texts):
        raise CheckpointError(
            f"{nets.name} was made for another model family: {told}; take one made for this model's family"
        )
    # A file may have nets for the texts of several families, and may leave texts alone, but not be for others' only.
    if have - own - texts and not have & texts:
        log.warning("%s has nets for another model family, which have no effect: %s", nets.name, told)


def _read_by(weights: Mapping[str, Tensor], end: str) -> set[int]:
    """How many numbers the layers read whose names end so."""
    return {weight.shape[1] for name, weight in weights.items() if name.endswith(end) and weight.ndim == 2}


def _listed(widths: set[int]) -> str:
    return ", ".join(str(width) for width in sorted(widths)) or "none"


class _Patch:
    """What the network calls before it projects queries, keys and values (engine.models.patches)."""

    def __init__(self, nets: Part[Hypernetwork], keeper: Keeper, strength: float) -> None:
        self.nets, self.keeper, self.strength = nets, keeper, strength

    def __call__(self, n: Tensor, context: Tensor, value: Tensor, extra: Mapping[str, Any]) -> tuple[Tensor, ...]:
        with self.keeper.using(self.nets) as network:
            return n, *network(context, value, self.strength)


def _is_dict(content: object) -> bool:
    return isinstance(content, Mapping)


def _activation(name: str, content: Mapping[Any, Any]) -> str:
    activation = content.get("activation_func") or "linear"
    if activation not in ACTIVATIONS:
        raise CheckpointError(f"{name}: unknown activation {activation!r:.80}; known are {', '.join(ACTIVATIONS)}")
    return str(activation)


def _pair(name: str, width: int, pair: Any) -> tuple[Layers, Layers]:
    if not isinstance(pair, (list, tuple)) or len(pair) < 2 or not all(_is_dict(each) for each in pair[:2]):
        raise CheckpointError(f"{name}: {width}: expected two nets, for keys and values, got {type(pair).__name__}")
    return _layers(f"{name}: {width}, keys", width, pair[0]), _layers(f"{name}: {width}, values", width, pair[1])


def _layers(where: str, width: int, net: Mapping[str, Any]) -> Layers:
    found: dict[int, dict[str, Tensor]] = {}
    for key, tensor in net.items():
        match = _LAYER.fullmatch(str(key))
        if match is None or not isinstance(tensor, Tensor):
            raise CheckpointError(f"{where}: expected names like linear.0.weight, got {key!r:.80}")
        if not tensor.is_floating_point() or not bool(torch.isfinite(tensor.sum(dtype=torch.float32))):
            raise CheckpointError(f"{where}: {key} holds values that are no numbers (NaN or infinite)")
        found.setdefault(int(match[1]), {})[match[2]] = tensor.detach()
    layers: Layers = []
    size = width
    for place in sorted(found):
        size = _checked(f"{where}, linear.{place}", found[place], size)
        layers.append((found[place]["weight"], found[place]["bias"]))
    if size != width or not any(weight.ndim == 2 for weight, _ in layers):
        raise CheckpointError(f"{where}: expected layers from {width} to {width} numbers, they end with {size}")
    return layers


def _checked(where: str, layer: Mapping[str, Tensor], size: int) -> int:
    """How many numbers come out of a layer that is given so many. Raises: CheckpointError."""
    missing = [leaf for leaf in ("weight", "bias") if leaf not in layer]
    if missing:
        raise CheckpointError(f"{where}: {missing[0]} is missing")
    weight, bias = layer["weight"], layer["bias"]
    if weight.ndim not in (1, 2) or weight.shape[-1] != size or bias.shape != weight.shape[:1]:
        raise CheckpointError(
            f"{where}: expected a layer that takes {size} numbers, got a weight of {list(weight.shape)} and a bias of "
            f"{list(bias.shape)}"
        )
    return weight.shape[0]


def _shapes(layers: Layers) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight, _ in layers]
