"""Node types that ComfyUI's web page cannot do without, where this program does not have them.

Versions of the page around 1.27 look up these loaders by name and fail to make any other loader when one is missing
(seen in 1.27.10, November 2026). The page is told of them as what they are: not available, and hidden from its search.
A prompt with one is refused as any with an unknown node type. An entry goes once its node type is there.
"""

import json
from collections.abc import Container
from typing import Any

from engine.folders import Folders
from server.protocol.nodes import NodeTypeEntry

# id: input, kind of its files, outputs.
_NEEDED = {
    "ImageOnlyCheckpointLoader": ("ckpt_name", "checkpoints", ("MODEL", "CLIP_VISION", "VAE")),
    "UNETLoader": ("unet_name", "diffusion_models", ("MODEL",)),
    "UpscaleModelLoader": ("model_name", "upscale_models", ("UPSCALE_MODEL",)),
    "StyleModelLoader": ("style_model_name", "style_models", ("STYLE_MODEL",)),
    "GLIGENLoader": ("gligen_name", "gligen", ("GLIGEN",)),
}


def added(info: bytes, known: Container[str], folders: Folders) -> bytes:
    """The JSON of /object_info with entries for those that are missing. Reads folders, so call it in a thread."""
    missing = {name: _entry(name, folders) for name in _NEEDED if name not in known}
    if not missing or not info.startswith(b"{"):
        return info
    own = json.dumps(missing, separators=(",", ":")).encode()
    return own if info == b"{}" else b"%s,%s" % (own[:-1], info[1:])


def _entry(name: str, folders: Folders) -> NodeTypeEntry:
    input, kind, outputs = _NEEDED[name]
    options: dict[str, Any] = {"tooltip": f"A file of models/{kind}."}
    return {
        "input": {"required": {input: [folders.list(kind), options]}},
        "input_order": {"required": [input]},
        "is_input_list": False,
        "output": list(outputs),
        "output_is_list": [False] * len(outputs),
        "output_name": list(outputs),
        "name": name,
        "display_name": f"{name} (not available)",
        "description": "Latentwire does not have this node yet; a workflow with it cannot be run.",
        "python_module": "nodes",
        "category": "not available",
        "output_node": False,
        "deprecated": True,
    }
