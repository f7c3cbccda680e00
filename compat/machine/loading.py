"""Model files as the nodes of a graph load them, where plugins may have a say in it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from compat import files
from compat.host import host
from compat.machine import places
from engine import values
from engine.checkpoints import load
from engine.checkpoints.load import Checkpoint, Loader
from engine.checkpoints.tensors import TensorFile
from engine.devices.device import Devices

Source = Path | TensorFile


class Loading(Loader):
    """The engine's loader, for nodes: it asks the functions that plugins put in the place of ComfyUI's.

    Packs name other devices by those of comfy.model_management, and hand over tensors by comfy.utils.load_torch_file.
    """

    def __init__(self) -> None:
        """It has nothing of its own: see `__getattr__`."""

    @property
    def devices(self) -> Devices:  # type: ignore[override]  # nobody gives it others
        """The engine's, or those that plugins name."""
        return places.named(host().loader.devices)

    def __getattr__(self, name: str) -> Any:
        return getattr(host().loader, name)

    def checkpoint(self, source: Source) -> Checkpoint:
        """As the engine's."""
        return super().checkpoint(_read(source))

    def text_encoders(self, sources: Sequence[Source]) -> values.Clip:
        """As the engine's."""
        return super().text_encoders([_read(source) for source in sources])

    def vae(self, source: Source) -> values.Vae:
        """As the engine's."""
        return super().vae(_read(source))

    def controlnet(self, source: Source) -> values.ControlNet:
        """As the engine's."""
        return super().controlnet(_read(source))

    def clip_vision(self, source: Source) -> values.ClipVision:
        """As the engine's."""
        return super().clip_vision(_read(source))

    def lora(self, path: Path) -> Any:
        """As the engine's."""
        if not files.is_read_by_plugins():
            return super().lora(path)
        return load.Lora(path.name, files.read(path).read())  # type: ignore[attr-defined]  # what the engine's makes


def _read(source: Source) -> TensorFile:
    return source if isinstance(source, TensorFile) else files.read(source)
