"""Functions for parts that this program does not have: the names are there, calling them says so."""

from collections.abc import Callable
from typing import Any, NoReturn

from engine.errors import LatentwireError


def absent_function(module: str, name: str, what: str) -> Callable[..., Any]:
    """A function that refuses. Raises (it): LatentwireError, naming itself and what is not there."""

    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise LatentwireError(f"{module}.{name}: this program has no {what}; use a node that does without them")

    return refuse
