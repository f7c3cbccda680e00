"""LoRA while it learns: small pairs of matrices beside a frozen UNet, and the file that kohya's scripts would write.

Source: Hu et al. 2021, arXiv 2106.09685; names and alpha as in kohya's sd-scripts.
"""

import math
from collections.abc import Callable, Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.func import functional_call

from engine.adapters.names import of_unet
from engine.models.unet import UNet

KOHYA = ("lora_unet_down_blocks_", "lora_unet_mid_block_", "lora_unet_up_blocks_")

Wants = Callable[[str], bool]


def of_transformers(module: str) -> bool:
    """What kohya's "LoRA-LierLa" changes: the layers of attention and what surrounds them."""
    return "transformer_blocks" in module or module.endswith(("proj_in", "proj_out"))


def of_transformers_and_blocks(module: str) -> bool:
    """What kohya's "LoRA-C3Lier" changes besides: the 3×3 convolutions of the residual blocks."""
    return of_transformers(module) or module.endswith(("in_layers.2", "out_layers.3"))


class LowRank(nn.Module):
    """A change of some of a UNet's layers, each by a product of two matrices of a low rank; at first no change."""

    def __init__(self, unet: UNet, rank: int, wants: Wants = of_transformers) -> None:
        super().__init__()
        self.rank = rank
        self.targets = [
            f"{name}.weight"
            for name, layer in unet.named_modules()
            if isinstance(layer, nn.Linear | nn.Conv2d) and wants(name)
        ]
        weights = dict(unet.named_parameters())
        self.down, self.up = nn.ParameterList(), nn.ParameterList()
        for name in self.targets:
            shape = weights[name].shape
            down = torch.empty(rank, *shape[1:])
            nn.init.kaiming_uniform_(down, a=math.sqrt(5))
            self.down.append(nn.Parameter(down))
            self.up.append(nn.Parameter(torch.zeros(shape[0], rank, *(1,) * (len(shape) - 2))))

    def answer(self, unet: UNet, x: Tensor, times: Tensor, context: Tensor) -> Tensor:
        """What the UNet says with the change on."""
        weights = dict(unet.named_parameters())
        changed = {
            name: weights[name] + (up.flatten(1) @ down.flatten(1)).view_as(weights[name])
            for name, up, down in zip(self.targets, self.up, self.down, strict=True)
        }
        return cast(Tensor, functional_call(unet, changed, (x, times, context)))

    def tensors(self, unet: UNet) -> dict[str, Tensor]:
        """The file's entries in half precision; alpha is the rank, so that a strength of 1 is what was trained."""
        names = kohya_names(unet)
        made: dict[str, Tensor] = {}
        for name, up, down in zip(self.targets, self.up, self.down, strict=True):
            made[f"{names[name]}.lora_up.weight"] = up.detach().half()
            made[f"{names[name]}.lora_down.weight"] = down.detach().half()
            made[f"{names[name]}.alpha"] = torch.tensor(float(self.rank)).half()
        return made

    def metadata(self, about: Mapping[str, str]) -> dict[str, str]:
        """What kohya's files say of themselves, and what these do besides."""
        says = {"ss_network_module": "networks.lora", "ss_network_dim": self.rank, "ss_network_alpha": self.rank}
        return {**{key: str(value) for key, value in says.items()}, **about}


def kohya_names(unet: UNet) -> dict[str, str]:
    """A UNet's weights and how kohya's scripts call them."""
    named = of_unet(dict(unet.named_parameters()), unet.config)
    return {weight: name for name, weight in named if name.startswith(KOHYA)}
