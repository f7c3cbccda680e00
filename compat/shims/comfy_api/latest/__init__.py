"""The newest version of ComfyUI's typed interface: `from comfy_api.latest import io, ui, ComfyExtension, ComfyAPI`."""

from collections.abc import Sequence

from comfy_api.input import AudioInput, ImageInput, LatentInput, MaskInput, VideoInput
from comfy_api.input_impl import VideoFromComponents, VideoFromFile
from comfy_api.latest import io, ui
from comfy_api.latest._execution import Execution, ExecutionSync
from comfy_api.util import VideoCodec, VideoComponents, VideoContainer
from compat.missing import missing

comfy_io = io

__all__ = [
    "ComfyAPI",
    "ComfyAPISync",
    "ComfyExtension",
    "Input",
    "InputImpl",
    "Types",
    "comfy_io",
    "io",
    "ui",
]


class ComfyAPI:
    """What a node may ask of the program that runs it, with `await`."""

    VERSION = "latest"
    STABLE = False
    Execution = Execution

    def __init__(self) -> None:
        self.execution = self.Execution()


class ComfyAPISync:
    """The same without `await`."""

    VERSION = "latest"
    STABLE = False
    Execution = ExecutionSync

    def __init__(self) -> None:
        self.execution = self.Execution()


class ComfyExtension:
    """A plugin: what its `comfy_entrypoint` returns."""

    async def on_load(self) -> None:
        """Called once, before the nodes are asked for."""

    async def get_node_list(self) -> Sequence[type[io.ComfyNode]]:
        """The node classes of the plugin."""
        raise NotImplementedError(f"{type(self).__name__} needs `async def get_node_list(self)` that lists its nodes")


class Input:
    """What values on wires are, for annotations."""

    Image = ImageInput
    Audio = AudioInput
    Mask = MaskInput
    Latent = LatentInput
    Video = VideoInput


class InputImpl:
    """Ways to make such values."""

    VideoFromFile = VideoFromFile
    VideoFromComponents = VideoFromComponents


class Types:
    """What videos are made of."""

    VideoCodec = VideoCodec
    VideoContainer = VideoContainer
    VideoComponents = VideoComponents


def __getattr__(name: str) -> object:
    raise missing("comfy_api.latest", name)
