"""Version 0.0.2 of the typed interface: `latest`, frozen."""

from comfy_api.latest import ComfyAPI as Latest
from comfy_api.latest import ComfyAPISync as LatestSync
from comfy_api.latest import ComfyExtension, Input, InputImpl, Types, io, ui  # noqa: F401
from compat.missing import missing

__all__ = ["ComfyAPI", "ComfyAPISync", "ComfyExtension", "Input", "InputImpl", "Types"]


class ComfyAPI(Latest):
    """What a node may ask of the program that runs it, with `await`."""

    VERSION = "0.0.2"
    STABLE = False


class ComfyAPISync(LatestSync):
    """The same without `await`."""

    VERSION = "0.0.2"
    STABLE = False


def __getattr__(name: str) -> object:
    raise missing("comfy_api.v0_0_2", name)
