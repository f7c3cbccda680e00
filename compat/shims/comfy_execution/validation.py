"""Whether an output's type goes into an input's, as ComfyUI compares the two."""

from typing import Any

from compat.missing import missing


def validate_node_input(received_type: Any, input_type: Any, strict: bool = False) -> bool:
    """Whether `received_type` fits: equal by the authors' own `!=`, or sharing a member where types are unions.

    strict: every type that may be received must be among those that are taken.
    """
    # ComfyUI: `!=` and not `==`, because authors' types for anything define the one and not the other.
    if not received_type != input_type:  # noqa: SIM202
        return True
    if not isinstance(received_type, str) or not isinstance(input_type, str):
        return False
    received = {each.strip() for each in received_type.split(",")}
    taken = {each.strip() for each in input_type.split(",")}
    return received <= taken if strict else not received.isdisjoint(taken)


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
