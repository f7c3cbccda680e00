"""Names for the annotations of nodes: types of wires, and what a node class is made of."""

from collections.abc import Callable
from typing import Any, Protocol, TypedDict

from torch import Tensor

from comfy.comfy_types.node_typing import (
    IO,
    CheckLazyMixin,
    ComfyNodeABC,
    FileLocator,
    InputTypeDict,
    InputTypeOptions,
)

__all__ = [
    "IO",
    "CheckLazyMixin",
    "ComfyNodeABC",
    "FileLocator",
    "InputTypeDict",
    "InputTypeOptions",
    "UnetApplyConds",
    "UnetApplyFunction",
    "UnetParams",
    "UnetWrapperFunction",
]


class UnetApplyFunction(Protocol):
    """What runs the network: the noisy latent, the timestep, and conditions by name."""

    def __call__(self, x: Tensor, t: Tensor, **kwargs: Any) -> Tensor:
        """The network's output."""


class UnetApplyConds(TypedDict, total=False):
    """The conditions a network is applied with."""

    c_concat: Tensor
    c_crossattn: Tensor
    control: Any
    transformer_options: dict[str, Any]


class UnetParams(TypedDict):
    """What a wrapper of the network is handed."""

    input: Tensor
    timestep: Tensor
    c: UnetApplyConds
    cond_or_uncond: list[int]


UnetWrapperFunction = Callable[[UnetApplyFunction, UnetParams], Tensor]
