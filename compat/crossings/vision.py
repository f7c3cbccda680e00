"""CLIP_VISION and CLIP_VISION_OUTPUT at the border: our eyes and what they see, and the objects plugins know."""

from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from comfy.clip_vision import ClipVisionModel, Output
from torch import Tensor

from compat.crossing import enter, leave
from engine.models.vision import Seen
from engine.values import ClipVision

_known: WeakValueDictionary[int, ClipVisionModel] = WeakValueDictionary()


@dataclass(frozen=True, eq=False)
class AuthorsVision:
    """Eyes that a plugin made or changed, with the members that our nodes ask for."""

    guest: Any

    @property
    def size(self) -> int:
        """How many pixels wide the square is that it sees."""
        return int(getattr(self.guest, "image_size", 224))

    def look(self, image: Tensor, crop: bool = True) -> Any:
        """What pictures [B, H, W, C] of 0 … 1 show."""
        return self.guest.encode_image(image, crop=crop)


def is_vision(value: object) -> bool:
    """Whether it can do what eyes are asked for."""
    return not isinstance(value, type) and callable(getattr(value, "encode_image", None)) and hasattr(value, "patcher")


@enter.register
def _(value: ClipVision) -> ClipVisionModel:
    known = _known.get(id(value))
    if known is None or known.ours is not value:
        known = _known[id(value)] = ClipVisionModel.around(value)
    return known


@enter.register
def _(value: AuthorsVision) -> Any:
    return value.guest


@leave.register
def _(value: ClipVisionModel) -> Any:
    return value.ours if value.ours is not None and value.is_untouched() else AuthorsVision(value)


@enter.register
def _(value: Seen) -> Output:
    made = Output()
    for name, tensor in vars(value).items():
        made[name] = tensor
    return made
