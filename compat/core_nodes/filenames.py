"""A list of files that still knows which folder of models it shows, so that its combo can be read anew."""

from collections.abc import Iterable
from typing import Any


class FileNames(list[str]):
    """File names of a kind as an author sees them: a plain list, to be joined with other choices.

    kind: the kind of model folder; empty once the list was changed in a way that no longer shows one.
    before, also: choices that are no files, in front of them and after them.
    """

    def __init__(
        self, names: Iterable[str] = (), kind: str = "", before: Iterable[str] = (), also: Iterable[str] = ()
    ) -> None:
        super().__init__(names)
        self.kind = kind
        self.before = tuple(before)
        self.also = tuple(also)

    def __add__(self, other: Any) -> Any:
        if isinstance(other, FileNames) and other.kind:
            return [*self, *other]  # two folders in one combo: no longer one kind
        return FileNames([*self, *other], self.kind, self.before, (*self.also, *other))

    def __radd__(self, other: Any) -> "FileNames":
        return FileNames([*other, *self], self.kind, (*other, *self.before), self.also)

    def __iadd__(self, other: Iterable[str]) -> "FileNames":  # type: ignore[misc, override]
        self.extend(other)
        return self

    def append(self, name: str) -> None:
        """Adds a choice at the end."""
        super().append(name)
        self.also = (*self.also, name)

    def extend(self, names: Iterable[str]) -> None:
        """Adds choices at the end."""
        if isinstance(names, FileNames) and names.kind:
            self.kind = ""
        added = tuple(names)
        super().extend(added)
        self.also = (*self.also, *added)

    def insert(self, index: Any, name: str) -> None:
        """Adds a choice; anywhere but among the files the list stays one of files."""
        if 0 <= index <= len(self.before):
            self.before = (*self.before[:index], name, *self.before[index:])
        else:
            self.kind = ""
        super().insert(index, name)

    def copy(self) -> "FileNames":
        """The same choices as a list of its own."""
        return FileNames(self, self.kind, self.before, self.also)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return (FileNames, (list(self), self.kind, self.before, self.also))

    def remove(self, name: str) -> None:
        """Takes a choice out; the list shows no kind any more."""
        self.kind = ""
        super().remove(name)

    def pop(self, *index: Any) -> str:
        """Takes a choice out; the list shows no kind any more."""
        self.kind = ""
        return super().pop(*index)

    def clear(self) -> None:
        """Takes every choice out; the list shows no kind any more."""
        self.kind = ""
        super().clear()

    def sort(self, **order: Any) -> None:
        """Puts the choices into another order; the list shows no kind any more."""
        self.kind = ""
        super().sort(**order)

    def reverse(self) -> None:
        """Turns the order around; the list shows no kind any more."""
        self.kind = ""
        super().reverse()

    def __setitem__(self, index: Any, name: Any) -> None:
        self.kind = ""
        super().__setitem__(index, name)

    def __delitem__(self, index: Any) -> None:
        self.kind = ""
        super().__delitem__(index)
