"""Nodes that are one value, so that it can be typed once and wired to many."""

from typing import Annotated

from engine.graph.define import Widget, node

LARGEST = 2**63 - 1

Int = Annotated[int, Widget(min=-LARGEST, max=LARGEST, control_after_generate=True)]
Float = Annotated[float, Widget(min=-LARGEST, max=LARGEST)]
Line = Annotated[str, Widget(multiline=False)]
Text = Annotated[str, Widget(multiline=True)]


@node("PrimitiveInt", category="utils/primitive", display_name="Int")
def primitive_int(*, value: Int) -> int:
    """A whole number."""
    return value


@node("PrimitiveFloat", category="utils/primitive", display_name="Float")
def primitive_float(*, value: Float) -> float:
    """A number."""
    return value


@node("PrimitiveString", category="utils/primitive", display_name="String")
def primitive_string(*, value: Line) -> str:
    """A line of text."""
    return value


@node("PrimitiveStringMultiline", category="utils/primitive", display_name="String (Multiline)")
def primitive_string_multiline(*, value: Text) -> str:
    """A text of several lines."""
    return value


@node("PrimitiveBoolean", category="utils/primitive", display_name="Boolean")
def primitive_boolean(*, value: bool) -> bool:
    """Yes or no."""
    return value
