"""May this output go into that input?"""


def accepts(wanted: str, received: str) -> bool:
    """Whether an input of type `wanted` takes an output of type `received`.

    Types are names; "INT,FLOAT" is either of the two. Equal names fit, and so do unions that share a member.
    """
    # ComfyUI: authors subclass str with a __ne__ that is always False to make a socket for anything, so it must be
    # `!=` on their object that is asked. A plain "*" is a name like any other.
    if not (received != wanted):  # noqa: SIM202
        return True
    if "," not in wanted and "," not in received:
        return False
    return not members(wanted).isdisjoint(members(received))


def members(type_name: str) -> frozenset[str]:
    """The types a union names; a plain type names itself."""
    return frozenset(each.strip() for each in type_name.split(",")) - {""}
