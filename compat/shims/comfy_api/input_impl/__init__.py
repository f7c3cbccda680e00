"""Videos from a file, and videos from pictures."""

from comfy_api.input_impl.video_types import VideoFromComponents, VideoFromFile

__all__ = ["VideoFromComponents", "VideoFromFile"]
