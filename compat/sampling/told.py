"""What networks are told of pictures besides the text, for plugins' ways of drawing; the maths is the engine's."""

from collections.abc import Mapping
from typing import Any, get_args

import torch
from torch import Tensor

from engine.conditioning import Condition, SeenPicture
from engine.sampling.vectors import VectorKind, Vectors
from nodes.convert import need_seen

_NO_TEXT = torch.zeros(1, 1, 1)


def vector(kind: VectorKind, width: int, kwargs: Mapping[str, Any]) -> Tensor:
    """The vector y of a network that is told of pictures or tasks, [1, width]. Raises: SamplingError."""
    assert kind in get_args(VectorKind)
    merge = float(kwargs.get("unclip_noise_augment_merge", 0.05))
    noise = float(kwargs.get("noise_augmentation", 0.0))
    told = Condition(_NO_TEXT, pictures=pictures(kwargs), picture_merge=merge, image_noise=noise)
    return Vectors(kind, width, int(kwargs.get("seed") or 0))(told, 0, (1, 1))


def pictures(kwargs: Mapping[str, Any]) -> tuple[SeenPicture, ...]:
    """What CLIP saw in the pictures of a condition."""
    return tuple(
        SeenPicture(
            need_seen(each["clip_vision_output"], "unclip_conditioning"),
            float(each["strength"]),
            float(each["noise_augmentation"]),
        )
        for each in kwargs.get("unclip_conditioning") or ()
    )
