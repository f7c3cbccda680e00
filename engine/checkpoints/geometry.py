"""From a file to a model that sees depth: Depth Anything 3, in any of its variants.

Names are those of the published files, with "model." before them or without.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from engine.checkpoints import image_prompts
from engine.checkpoints.build import stored_format
from engine.checkpoints.tensors import TensorFile, in_memory
from engine.devices.device import Devices, Place
from engine.devices.residency import Keeper
from engine.errors import CheckpointError
from engine.models.depth_anything.config import TRUNK, DepthAnythingConfig
from engine.models.depth_anything.heads import Answers
from engine.models.depth_anything.trunk import DinoV2
from engine.pictures.depth import DepthModel

PREFIXES = ("model.", "")
MARK = f"{TRUNK}patch_embed.proj.weight"
NESTED = "da3."
"""What the names of the larger half of a nested model begin with, behind one of the prefixes."""

RAYS_NORM = "head.scratch.output_conv2_aux.{}.2."
"""All four levels share this norm, so that files have it once, under the number of any level."""

_OTHERS = (
    ("model.diffusion_model.", "a checkpoint; put it in models/checkpoints and load it with CheckpointLoaderSimple"),
    ("control_model.", "a ControlNet; put it in models/controlnet and load it with ControlNetLoader"),
    ("zero_convs.", "a ControlNet; put it in models/controlnet and load it with ControlNetLoader"),
    ("controlnet_cond_embedding.", "a ControlNet; put it in models/controlnet and load it with ControlNetLoader"),
    ("lora_unet_", "a LoRA; put it in models/loras and load it with LoraLoader"),
    ("depth_head.", "Depth Anything 1 or 2"),
    ("neck.reassemble_stage.", "Depth Anything 1 or 2, or DPT, as transformers saves it"),
    ("pretrained.blocks.", "Depth Anything 1 or 2"),
)
"""What else such a file may be, by a part of one of its names."""


def depth_model(file: TensorFile, devices: Devices, keeper: Keeper, stored: torch.dtype | None = None) -> DepthModel:
    """The Depth Anything 3 of a file. `stored` is the number format its weights rest in, None for the file's.

    Raises: CheckpointError, naming what the file is instead where we can tell.
    """
    name = file.path.name
    tensors = _named(file)
    config = image_prompts.read_config(in_memory(name, tensors), DepthAnythingConfig.from_shapes)
    trunk = _stored({key.removeprefix(TRUNK): each for key, each in tensors.items() if key.startswith(TRUNK)}, stored)
    answers = _stored({key: each for key, each in tensors.items() if key.startswith(("head.", "cam_dec."))}, stored)
    seeing, reading = in_memory(name, trunk), in_memory(name, _with_norm(answers))
    exact = Place(devices.main, torch.float32)
    return DepthModel(
        name,
        image_prompts.part(f"the vision transformer of {name}", seeing, lambda: DinoV2(config), _place(devices, trunk)),
        image_prompts.part(f"the head of {name}", reading, lambda: Answers(config), exact),
        keeper,
    )


def _named(file: TensorFile) -> Mapping[str, Tensor]:
    """The tensors under the published names without a prefix. Raises: CheckpointError."""
    for prefix in PREFIXES:
        if f"{prefix}{MARK}" in file.shapes:
            return file.read(prefix)
        if f"{prefix}{NESTED}{MARK}" in file.shapes:
            raise CheckpointError(
                f"{file.path.name}: a nested Depth Anything 3, two models in one file, which is not supported; load "
                "one of its kinds by itself: Base, or Metric-Large for meters"
            )
    names = sorted(file.shapes)
    kind = next((kind for mark, kind in _OTHERS if any(mark in each for each in names)), None)
    raise CheckpointError(
        f"{file.path.name}: not Depth Anything 3; {f'it is {kind}; ' if kind else ''}expected tensors such as {MARK}, "
        f"got {', '.join(names[:3])}"
    )


def _stored(tensors: Mapping[str, Tensor], stored: torch.dtype | None) -> dict[str, Tensor]:
    return {key: each.to(stored) if stored and each.is_floating_point() else each for key, each in tensors.items()}


def _with_norm(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The norm before the rays under the number of the level we ask."""
    ours = RAYS_NORM.format(3)
    for level in range(3):
        theirs = RAYS_NORM.format(level)
        for key in [each for each in tensors if each.startswith(theirs)]:
            tensors.setdefault(ours + key.removeprefix(theirs), tensors[key])
    return tensors


def _place(devices: Devices, weights: Mapping[str, Tensor]) -> Place:
    """Where the vision transformer runs: in the format of its weights, where the device computes in that one."""
    kept = stored_format(weights)
    if kept == torch.float32 and devices.network_precision == "auto":
        return Place(devices.main, torch.float32)
    return devices.place("network", kept)
