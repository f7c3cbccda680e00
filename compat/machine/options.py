"""The settings of this process as plugins changed them while it runs."""

import sys
from dataclasses import replace

from engine.settings import Settings


def live(settings: Settings) -> Settings:
    """The settings with what plugins wrote into comfy.cli_args.args about pictures in the making."""
    module = sys.modules.get("comfy.cli_args")
    if module is None:
        return settings
    method = getattr(module.args.preview_method, "value", module.args.preview_method)
    return replace(settings, preview_method=method, preview_size=int(module.args.preview_size))
