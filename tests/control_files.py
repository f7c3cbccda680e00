"""What lies in models/controlnet and models/gligen, small and random, for the tiny UNet of the node tests."""

import torch
from torch import Tensor

from engine.models.controlnet import ControlNet, ControlNetConfig
from engine.models.gligen import Gligen, GligenConfig
from engine.models.t2i_adapter import AdapterConfig, T2IAdapter
from engine.models.unet_config import UNetConfig
from tests.engine.models.nets import randomised
from tests.nodes.conftest import UNET

TEXT = 64
BLOCKS = ("input_blocks.1.1", "input_blocks.3.1", "middle_block.1", *(f"output_blocks.{i}.1" for i in range(4)))
WIDTHS = (32, 64, 64, 64, 64, 32, 32)


def controlnet(seed: int = 1, hint_channels: int = 3, kinds: int | None = None) -> dict[str, Tensor]:
    """A whole ControlNet; with `kinds`, one that tells so many kinds of hints apart."""
    config = ControlNetConfig(UNET, hint_channels, (16, 16, 16, 16), kinds)
    # Weights large enough to show, small enough that hints and not they decide the picture.
    return {name: each * 0.5 for name, each in randomised(ControlNet(config), seed).state_dict().items()}


def difference(unet: dict[str, Tensor]) -> dict[str, Tensor]:
    """The ControlNet of seed 1, told as the difference to a denoiser."""
    told = {f"control_model.{name}": each - unet.get(name, torch.zeros(())) for name, each in controlnet().items()}
    return {**told, "difference": torch.zeros(0)}


def control_lora(unet: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A control-LoRA of a denoiser, and the ControlNet that it stands for."""
    generator = torch.Generator().manual_seed(2)
    whole = controlnet(seed=3)
    lora, merged = {"lora_controlnet": torch.zeros(0), **whole}, dict(whole)
    for name in [name for name, each in whole.items() if name in unet and each.ndim > 1]:
        module, weight = name.removesuffix(".weight"), unet[name].float()
        up = torch.randn(len(weight), 2, *[1] * (weight.ndim - 2), generator=generator) * 0.05
        down = torch.randn(2, *weight.shape[1:], generator=generator) * 0.05
        del lora[name]
        lora |= {f"{module}.up": up, f"{module}.down": down}
        merged[name] = weight + torch.einsum("ar,r...->a...", up.flatten(1), down)
    return lora, merged


def gligen(seed: int = 4) -> dict[str, Tensor]:
    """A GLIGEN under the names of its files."""
    net = randomised(Gligen(GligenConfig(TEXT, TEXT, WIDTHS)), seed)
    made = {}
    for name, tensor in net.state_dict().items():
        list_name, _, rest = name.partition(".")
        if list_name == "module_list":
            index, _, rest = rest.partition(".")
            name = f"{BLOCKS[int(index)]}.transformer_blocks.0.fuser.{rest}"
        made[name] = tensor
    return made


def adapter(seed: int = 5) -> dict[str, Tensor]:
    """A T2I-Adapter for UNets of four levels and 32 model channels."""
    config = AdapterConfig(widths=(32, 64, 128, 128))
    return {name: each * 0.5 for name, each in randomised(T2IAdapter(config), seed).state_dict().items()}


FOUR_LEVELS = UNetConfig(model_channels=32, context_width=TEXT)
