"""Model files as the nodes of a graph load them, where plugins may have a say in it."""

from pathlib import Path
from typing import Any

from compat import files
from compat.host import host
from compat.machine import places
from engine.checkpoints import load
from engine.checkpoints.load import Loader
from engine.checkpoints.tensors import TensorFile
from engine.devices.device import Devices


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

    def opened(self, source: Path | TensorFile) -> TensorFile:
        """As the engine's, by the function that reads files for plugins."""
        return source if isinstance(source, TensorFile) else files.read(source)

    def lora(self, path: Path) -> Any:
        """As the engine's."""
        if not files.is_read_by_plugins():
            return super().lora(path)
        return load.Lora(path.name, files.read(path).read())  # type: ignore[attr-defined]  # what the engine's makes
