"""The shipped model, taken apart so that companions can be trained beside it: frozen networks in full precision."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.checkpoints.load import Loader
from engine.devices.device import Devices
from engine.devices.residency import Part
from engine.errors import TrainingError
from engine.models.unet import UNet
from engine.models.vae import AutoencoderKL
from engine.training.studio import parts
from engine.values import Clip


@dataclass(frozen=True, eq=False)
class Parent:
    """The networks of one checkpoint; none of them learns any more."""

    unet: UNet
    vae: AutoencoderKL
    clip: Clip
    device: torch.device

    def texts(self, captions: list[str]) -> Tensor:
        """What the UNet is told; a caption that comes twice is read once.

        Returns: [len(captions), 77, D] in half precision, on the CPU.
        """
        read = {caption: self.clip.encode(caption)[0][0].half() for caption in dict.fromkeys(captions)}
        return torch.stack([read[caption] for caption in captions])


def taken_apart(path: Path, device: torch.device) -> Parent:
    """The networks of the shipped checkpoint. Raises: CheckpointError; TrainingError for one of another kind."""
    if not path.exists():
        raise TrainingError(f"{path}: companions are trained beside this checkpoint; make it with `train icons`")
    checkpoint = Loader(Devices()).checkpoint(path)
    clip, vae = parts(checkpoint, path)
    unet, coder = _whole(checkpoint.model.part, device), _whole(vae.part, device)
    if not isinstance(unet, UNet) or not isinstance(coder, AutoencoderKL) or unet.config.in_channels != 4:
        raise TrainingError(f"{path.name}: expected a Stable Diffusion 1 model that draws latents of 4 channels")
    return Parent(unet, coder, clip, device)


def _whole(part: Part[Any], device: torch.device) -> nn.Module:
    network: nn.Module = part.module
    weights = {name: weight.float() for name, weight in part.weights.items()}
    made = type(network)(network.config)
    made.load_state_dict(weights)
    return made.to(device).eval().requires_grad_(False)
