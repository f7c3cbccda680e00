"""Small networks beside a denoiser, which change what its attentions read: keys and values by a network each.

Source: node_behaviour.md F.1, and the files of NovelAI's hypernetworks that web UIs train.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.devices.streaming import first_weight

ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda x: x,
    "relu": functional.relu,
    "leakyrelu": functional.leaky_relu,
    "elu": functional.elu,
    # ComfyUI: what the files call swish is Hardswish.
    "swish": functional.hardswish,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softsign": functional.softsign,
    "mish": functional.mish,
}


@dataclass(frozen=True)
class HypernetworkConfig:
    """The shape of all nets in a file.

    `layers` is, for each width of a context, what its two nets have one after the other: (rows, columns) of a linear
    layer, or (width,) of a layer norm. Its two nets are those of the keys and of the values.
    """

    layers: Mapping[int, tuple[Sequence[tuple[int, ...]], Sequence[tuple[int, ...]]]]
    activation: str = "linear"
    activates_output: bool = False


class Hypernetwork(nn.Module):
    """The nets of one file, by the width of the context they are for: two for each, `k` and `v`."""

    def __init__(self, config: HypernetworkConfig) -> None:
        super().__init__()
        self.config = config
        for width, (keys, values) in config.layers.items():
            pair = nn.ModuleDict({"k": Net(keys, config), "v": Net(values, config)})
            self.add_module(str(width), pair)

    def forward(self, context: Tensor, value: Tensor, strength: float) -> tuple[Tensor, Tensor]:
        """What keys and values are projected from, changed. Shapes: [B, T, D]; other widths stay as they are."""
        pair = self._modules.get(str(context.shape[-1]))
        if pair is None:
            return context, value
        assert isinstance(pair, nn.ModuleDict)
        return context + strength * pair["k"](context), value + strength * pair["v"](value)


class Net(nn.Module):
    """Linear layers with an activation behind each but the last, and layer norms between them.

    Dropout is for training and has no part here.
    """

    def __init__(self, shapes: Sequence[tuple[int, ...]], config: HypernetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.linear = nn.ModuleList(
            nn.Linear(shape[1], shape[0]) if len(shape) == 2 else nn.LayerNorm(shape[0]) for shape in shapes
        )

    def forward(self, x: Tensor) -> Tensor:
        given, weight = x.dtype, first_weight(self)
        x = x if weight is None else x.to(weight.dtype)
        activation = ACTIVATIONS[self.config.activation]
        linears = [place for place, layer in enumerate(self.linear) if isinstance(layer, nn.Linear)]
        for place, layer in enumerate(self.linear):
            x = layer(x)
            if place in linears and (place != linears[-1] or self.config.activates_output):
                x = activation(x)
        return x.to(given)
