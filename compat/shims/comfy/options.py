"""ComfyUI's `comfy.options`: whether the command line is read. Ours is read long before a plugin can ask."""

args_parsing = True


def enable_args_parsing(enable: bool = True) -> None:
    """Notes the wish; the options of this process are fixed by then."""
    globals()["args_parsing"] = enable
