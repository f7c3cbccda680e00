"""Nodes that make masks: [B, H, W], where 1 is selected."""

from typing import Annotated

from engine.file_checks import image_exists
from engine.folders import Folders
from engine.graph.define import Choices, node
from engine.images import read_channel
from nodes.convert import naming
from nodes.image_files import ImageName, image_fingerprint
from nodes.types import Mask

Channel = Annotated[str, Choices(("alpha", "red", "green", "blue"))]


@node(
    "LoadImageMask",
    category="mask",
    display_name="Load Image (as Mask)",
    fingerprint=image_fingerprint,
    validate=image_exists,
)
def load_image_mask(*, image: ImageName, channel: Channel, folders: Folders) -> Mask:
    """One channel of a picture as a mask; of alpha the transparent part is selected."""
    with naming("image"):
        return read_channel(folders.input_file(image), channel)
