"""What a node of ComfyUI's newer kind returns: values that can be counted, indexed, and asked for as `result`."""

from typing import Any


class Output(tuple[Any, ...]):
    """The values of a node, as a tuple that also answers to the names of ComfyUI's NodeOutput."""

    def __new__(cls, *values: Any) -> "Output":
        """One value per output."""
        return super().__new__(cls, values)

    @property
    def result(self) -> tuple[Any, ...]:
        """The values."""
        return tuple(self)

    args = result
    ui = None
    expand = None
    block_execution = None
