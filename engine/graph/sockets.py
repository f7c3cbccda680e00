"""May this output go into that input?"""

from typing import Any, Final


class Anything(str):
    """The name of a type that takes, and goes into, every other: as authors write it, a text that differs from none."""

    __slots__ = ()

    def __ne__(self, other: object) -> bool:
        return not isinstance(other, str)


ANYTHING: Final = Anything("*")


class Judged(str):
    """The name of a type whose author compares types in a way of his own: it is his object that is asked."""

    __slots__ = ("judge",)
    judge: str

    @classmethod
    def by(cls, judge: str) -> "Judged":
        """The type that this text of an author's own class names."""
        made = cls(str.__str__(judge))
        made.judge = judge
        return made

    def __ne__(self, other: object) -> bool:
        return bool(self.judge != (other.judge if isinstance(other, Judged) else other))

    def __reduce__(self) -> Any:
        return (Judged.by, (self.judge,))


class Undecided(Anything):
    """The name of a type whose author's comparison is in another process, where it will be asked."""

    __slots__ = ()


def of_author(type_name: str) -> str:
    """A type as its author wrote it, a text of his own class perhaps, as a text that behaves like one."""
    text = str.__str__(type_name)
    kind = type(type_name)
    if kind is str:
        return text
    if is_anything(type_name):
        return Anything(text)
    is_plain = kind.__ne__ is str.__ne__ and kind.__eq__ is str.__eq__
    return text if is_plain else Judged.by(type_name)


def accepts(wanted: str, received: str) -> bool:
    """Whether an input of type `wanted` takes an output of type `received`.

    Types are names; "INT,FLOAT" is either of the two. Equal names fit, and so do unions that share a member.
    """
    # ComfyUI: authors subclass str with a __ne__ that is always False to make a socket for anything, so it must be
    # `!=` on their object that is asked. A plain "*" is a name like any other.
    try:
        if not (received != wanted):  # noqa: SIM202
            return True
    except Exception:  # noqa: BLE001 -- an author's comparison
        return False
    if "," not in wanted and "," not in received:
        return False
    return not members(wanted).isdisjoint(members(received))


def members(type_name: str) -> frozenset[str]:
    """The types a union names; a plain type names itself."""
    return frozenset(each.strip() for each in type_name.split(",")) - {""}


def is_anything(type_name: str) -> bool:
    """Whether a type, an author's own text perhaps, takes every other."""
    return not (type_name != "\0")  # noqa: SIM202 -- see `accepts`; no type is called that
