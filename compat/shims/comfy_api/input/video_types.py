"""The door that every video has."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from comfy_api.util.video_types import VideoCodec, VideoComponents, VideoContainer


class VideoInput(ABC):
    """A video, wherever it is kept."""

    @abstractmethod
    def get_components(self) -> VideoComponents:
        """Its pictures, sound and frame rate."""

    @abstractmethod
    def save_to(
        self,
        path: str | Path | BytesIO,
        format: VideoContainer = VideoContainer.AUTO,
        codec: VideoCodec = VideoCodec.AUTO,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Writes it to a file, with texts by key beside it."""

    def get_stream_source(self) -> str | BytesIO:
        """Where its bytes can be read: a path, or a buffer."""
        buffer = BytesIO()
        self.save_to(buffer)
        buffer.seek(0)
        return buffer

    def get_dimensions(self) -> tuple[int, int]:
        """Width and height in pixels."""
        images = self.get_components().images
        return images.shape[2], images.shape[1]

    def get_duration(self) -> float:
        """Seconds."""
        components = self.get_components()
        return float(components.images.shape[0] / components.frame_rate)

    def get_frame_count(self) -> int:
        """How many pictures it has."""
        return int(self.get_components().images.shape[0])

    def get_frame_rate(self) -> Any:
        """Pictures per second, as a Fraction."""
        return self.get_components().frame_rate

    def get_container_format(self) -> str:
        """What kind of file its bytes are."""
        return "mp4"
