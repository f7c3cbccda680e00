"""ComfyUI's helpers for torch.compile: none is offered here, and whoever asks for one is told its name."""

from compat.missing import missing


def __getattr__(name: str) -> object:
    raise missing("comfy_api.torch_helpers", name)
