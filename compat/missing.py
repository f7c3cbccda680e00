"""What is said when a plugin reaches for a name of ComfyUI's that we do not have."""

from typing import Any, NoReturn

from torch import nn

from engine.errors import LatentwireError


def missing(module: str, name: str) -> AttributeError:
    """The error for a member that is not there; raise it from a module's `__getattr__`.

    Python's `from module import name` turns it into an ImportError with the same name in it.
    """
    return AttributeError(
        f"{module}.{name}: this member of ComfyUI is not offered here; the plugin that asks for it reaches into parts "
        "that are made differently in this program. Use a version of the plugin that does without it"
    )


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
