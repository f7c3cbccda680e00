"""What videos are made of and how they are written."""

from comfy_api.util.video_types import VideoCodec, VideoComponents, VideoContainer

__all__ = ["VideoCodec", "VideoComponents", "VideoContainer"]
