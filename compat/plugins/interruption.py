"""A plugin that stops what runs, through comfy.model_management or nodes: built-in nodes hear of it, too."""

import sys
from types import ModuleType

_MODULE = "comfy.model_management"  # not imported here: without plugins it is not there, and nobody can have asked


def is_asked() -> bool:
    """Whether a plugin has asked for the end of what runs."""
    module = sys.modules.get(_MODULE)
    return module is not None and bool(module.interrupt_processing)


def forget() -> None:
    """A new prompt begins; what was asked before was about another."""
    module: ModuleType | None = sys.modules.get(_MODULE)
    if module is not None:
        module.interrupt_current_processing(False)
