"""What is said when a plugin reaches for a name of ComfyUI's that we do not have."""

import dis
import sys
from typing import Any, NoReturn

from torch import nn

from engine.errors import LatentwireError

_IMPORT_FROM = dis.opmap["IMPORT_FROM"]


def sentence(member: str) -> str:
    """What is said of a member by its full name."""
    return (
        f"{member}: this member of ComfyUI is not offered here; the plugin that asks for it reaches into parts "
        "that are made differently in this program. Use a version of the plugin that does without it"
    )


def missing(module: str, name: str) -> AttributeError:
    """The error for a member that is not there; raise it from a module's `__getattr__`.

    Raises: ImportError, where that was asked by `from module import name`. Python would put a sentence of its own in
    the place of an AttributeError's.
    """
    asked = sys._getframe(2)
    if asked.f_lasti >= 0 and asked.f_code.co_code[asked.f_lasti] == _IMPORT_FROM:
        raise ImportError(sentence(f"{module}.{name}"), name=module)
    return AttributeError(sentence(f"{module}.{name}"), name=name)


def absent_class(module: str, name: str, *bases: type) -> type[Any]:
    """A class for a part that this program does not have: nothing is an instance of it, and making one says so.

    Plugins may import it, test for it and inherit from it.
    """

    def refuse(self: object, *args: object, **kwargs: object) -> NoReturn:
        raise LatentwireError(
            f"{module}.{name}: this program has no network of that kind; use a node or a model that does without it"
        )

    made: type[Any] = type(name, bases or (nn.Module,), {"__init__": refuse, "__module__": module})
    return made
