"""Version 0.0.1 of the typed interface: before V3 nodes, so without io, ui and ComfyExtension."""

from comfy_api.latest import ComfyAPI as Latest
from comfy_api.latest import ComfyAPISync as LatestSync
from comfy_api.latest import Input, InputImpl, Types
from compat.missing import missing

__all__ = ["ComfyAPI", "ComfyAPISync", "Input", "InputImpl", "Types"]


class ComfyAPI(Latest):
    """What a node may ask of the program that runs it, with `await`."""

    VERSION = "0.0.1"
    STABLE = True


class ComfyAPISync(LatestSync):
    """The same without `await`."""

    VERSION = "0.0.1"
    STABLE = True


def __getattr__(name: str) -> object:
    raise missing("comfy_api.v0_0_1", name)
