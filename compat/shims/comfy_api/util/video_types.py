"""A video taken apart, and the names of file formats."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

from torch import Tensor


class VideoCodec(StrEnum):
    """How frames are packed."""

    AUTO = "auto"
    H264 = "h264"

    @classmethod
    def as_input(cls) -> list[str]:
        """The choices of a combo."""
        return [each.value for each in cls]


class VideoContainer(StrEnum):
    """What kind of file it is."""

    AUTO = "auto"
    MP4 = "mp4"

    @classmethod
    def as_input(cls) -> list[str]:
        """The choices of a combo."""
        return [each.value for each in cls]

    @classmethod
    def get_extension(cls, value: "str | VideoContainer") -> str:
        """How a file of that kind ends; without a dot. Raises: ValueError for an unknown kind."""
        return "mp4" if cls(value) in (cls.AUTO, cls.MP4) else ""


@dataclass
class VideoComponents:
    """A video's parts.

    Shapes: images [T, H, W, C] in 0..1; audio {"waveform": [1, C, T], "sample_rate": int}.
    Units: frame_rate in pictures per second.
    """

    images: Tensor
    frame_rate: Fraction
    audio: Mapping[str, Any] | None = None
    metadata: Mapping[str, Any] | None = None
