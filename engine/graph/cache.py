"""Where outputs wait to be used again: on the GPU, in RAM, on disk; one cache for all prompts.

Each floor has a budget in bytes that is never exceeded. When room is needed the least recently used leaves first, to
the floor below if it fits there. A value is found again on the device it was made on. How large a value is, how it
moves and how it is written is told by a Storage; nothing here knows what a tensor is.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from engine.graph.disk import Disk
from engine.graph.lists import Outputs
from engine.graph.storage import PlainStorage, Storage

OVERHEAD = 1000  # bytes: what an entry of two small outputs costs by itself (sys.getsizeof, 2026-10, Python 3.11)


@dataclass(frozen=True, slots=True)
class Size:
    """How many bytes of an entry lie on the GPU and how many in RAM."""

    gpu: int = 0
    ram: int = 0


Ui = Mapping[str, Sequence[Any]]
Inner = tuple[tuple[str, Ui], ...]
"""What the nodes that a node expanded into showed, each with the tail that its id has after the node's own."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a node left behind: its outputs, what it showed, and what was shown by nodes in its place."""

    outputs: Outputs
    ui: Ui | None = None
    inner: Inner = ()


@dataclass(frozen=True, slots=True)
class Budgets:
    """How many bytes each floor may hold; 0 closes it. folder: where the disk's files go (None: no disk)."""

    gpu: int = 4 << 30
    ram: int = 4 << 30
    disk: int = 0
    folder: Path | None = None


@dataclass(slots=True)
class _Kept:
    entry: Entry
    size: Size
    home: Any = None
    to_disk: bool = True


@dataclass(slots=True)
class _Floor:
    """One floor in memory: entries from the least to the most recently used."""

    budget: int
    kept: OrderedDict[str, _Kept] = field(default_factory=OrderedDict)
    used: int = 0


class Cache:
    """Entries by signature, on three floors. Safe to use from several threads.

    write_after: an entry that took at least so many seconds to make is written to disk at once, so that it survives
    the process (None: only when it leaves RAM).
    """

    def __init__(
        self, budgets: Budgets | None = None, storage: Storage | None = None, *, write_after: float | None = None
    ) -> None:
        budgets = budgets or Budgets()
        self.storage: Storage = storage or PlainStorage()
        self._write_after = write_after
        self._lock = threading.RLock()
        # An entry is on the GPU floor when any of it is on a GPU; what it has in RAM beside that counts there.
        self._gpu = _Floor(budgets.gpu)
        self._ram = _Floor(budgets.ram)
        has_disk = budgets.folder is not None and budgets.disk > 0
        self._disk = (
            Disk(budgets.folder, budgets.disk, self.storage.save, self.storage.load)
            if has_disk and budgets.folder is not None
            else None
        )

    def __contains__(self, signature: object) -> bool:
        with self._lock:
            on_disk = self._disk is not None and signature in self._disk
            return signature in self._ram.kept or signature in self._gpu.kept or on_disk

    def __len__(self) -> int:
        with self._lock:
            in_memory = {*self._gpu.kept, *self._ram.kept}
            return len(in_memory) + (len(self._disk) if self._disk is not None else 0)

    @property
    def used(self) -> Mapping[str, int]:
        """The bytes in use on each floor."""
        with self._lock:
            return {
                "gpu": self._gpu.used,
                "ram": self._ram.used,
                "disk": self._disk.used if self._disk is not None else 0,
            }

    def get(self, signature: str) -> Entry | None:
        """The entry of that signature, where it was when it was put; it is now the most recently used."""
        with self._lock:
            for floor in (self._ram, self._gpu):
                kept = floor.kept.get(signature)
                if kept is not None:
                    if kept.home is None:
                        floor.kept.move_to_end(signature)
                        return kept.entry
                    self._take(signature)
                    return self._bring_home(signature, kept)
            return self._read(signature)

    def put(self, signature: str, entry: Entry, *, seconds: float = 0.0, to_disk: bool = True) -> None:
        """Keeps an entry as long as there is room.

        Units: seconds it took to make. to_disk: False for what means nothing to a later process (shown pictures).
        """
        with self._lock:
            self._take(signature)
            kept = _Kept(entry, self._measure(entry), None, to_disk)
            self._place(signature, kept)
            if to_disk and self._write_after is not None and seconds >= self._write_after:
                self._write(signature, kept)

    def make_room_on_gpu(self, size: int) -> int:
        """Moves the least recently used entries off the GPU. Units: bytes. Returns: how many left."""
        with self._lock:
            before = self._gpu.used
            while self._gpu.kept and before - self._gpu.used < size:
                self._demote(*self._gpu.kept.popitem(last=False))
            return before - self._gpu.used

    def make_room_in_ram(self, size: int) -> int:
        """Moves the least recently used entries out of RAM. Units: bytes. Returns: how many left."""
        with self._lock:
            before = self._ram.used
            while self._ram.kept and before - self._ram.used < size:
                self._demote(*self._ram.kept.popitem(last=False))
            return before - self._ram.used

    def flush(self) -> None:
        """Writes what can be written to disk, so that the next process finds it."""
        with self._lock:
            for floor in (self._ram, self._gpu):
                for signature, kept in floor.kept.items():
                    self._write(signature, kept)

    def clear(self, *, disk: bool = False) -> None:
        """Forgets what is in memory, and on disk too if asked."""
        with self._lock:
            for floor in (self._gpu, self._ram):
                floor.kept.clear()
                floor.used = 0
            if disk and self._disk is not None:
                self._disk.clear()

    def drop(self, is_unwanted: Callable[[Entry], bool]) -> None:
        """Forgets those entries in memory; what is on disk stays."""
        with self._lock:
            for floor in (self._gpu, self._ram):
                for signature in [each for each, kept in floor.kept.items() if is_unwanted(kept.entry)]:
                    self._forget(signature, floor.kept.pop(signature))

    def _measure(self, entry: Entry) -> Size:
        gpu, ram = self.storage.size((entry.outputs, entry.ui, entry.inner))
        return Size(gpu, ram + OVERHEAD)

    def _place(self, signature: str, kept: _Kept) -> None:
        """Puts an entry on the highest floor that can hold it, after making room there; or on none."""
        fits_ram = self._fit(self._ram, kept.size.ram)
        if not kept.size.gpu:
            if fits_ram:
                self._ram.kept[signature] = kept
                self._ram.used += kept.size.ram
            else:
                self._write(signature, kept)
        elif fits_ram and self._fit(self._gpu, kept.size.gpu):
            # Making room on the GPU may have filled the RAM again.
            if self._fit(self._ram, kept.size.ram):
                self._gpu.kept[signature] = kept
                self._gpu.used += kept.size.gpu
                self._ram.used += kept.size.ram
        else:
            self._demote_value(signature, kept)

    def _fit(self, floor: _Floor, size: int) -> bool:
        """Makes room for that many bytes; False, with nothing thrown out, when there can never be."""
        if size > floor.budget:
            return False
        while floor.used + size > floor.budget:
            if floor.kept:
                self._demote(*floor.kept.popitem(last=False))
            elif self._gpu.kept:
                # What fills the RAM belongs to entries on the GPU, and those would need more of it, not less.
                self._write(*self._forget(*self._gpu.kept.popitem(last=False)))
            else:
                return False
        return True

    def _forget(self, signature: str, kept: _Kept) -> tuple[str, _Kept]:
        """Counts an entry that has been taken off its floor no longer."""
        self._gpu.used -= kept.size.gpu
        self._ram.used -= kept.size.ram
        return signature, kept

    def _demote(self, signature: str, kept: _Kept) -> None:
        """An entry that has been taken off its floor goes to the one below."""
        self._forget(signature, kept)
        if kept.size.gpu:
            self._demote_value(signature, kept)
        else:
            self._write(signature, kept)

    def _demote_value(self, signature: str, kept: _Kept) -> None:
        if kept.size.gpu + kept.size.ram > self._ram.budget and self._disk is None:
            return  # it could go nowhere
        outputs, home = self.storage.to_ram(kept.entry.outputs)
        entry = replace(kept.entry, outputs=outputs)
        size = self._measure(entry)
        # What cannot leave the GPU is let go: this floor may not hold it, and the next does not know it.
        if not size.gpu:
            self._place(signature, _Kept(entry, size, home, kept.to_disk))

    def _bring_home(self, signature: str, kept: _Kept) -> Entry:
        entry = replace(kept.entry, outputs=self.storage.to_home(kept.entry.outputs, kept.home))
        self._place(signature, _Kept(entry, self._measure(entry), None, kept.to_disk))
        return entry

    def _write(self, signature: str, kept: _Kept) -> None:
        if self._disk is None or not kept.to_disk or signature in self._disk:
            return
        outputs, home = (kept.entry.outputs, kept.home)
        if kept.size.gpu:
            outputs, home = self.storage.to_ram(outputs)
        self._disk.put(signature, {"outputs": [*outputs], "home": home})

    def _read(self, signature: str) -> Entry | None:
        if self._disk is None or signature not in self._disk:
            return None
        try:
            stored = self._disk.get(signature)
            entry = Entry(tuple(stored["outputs"]))
            home = stored["home"]
        except (KeyError, TypeError):  # damaged, or written by something else
            self._disk.drop(signature)
            return None
        return self._bring_home(signature, _Kept(entry, Size(), home))

    def _take(self, signature: str) -> None:
        """Takes an entry off its floor in memory, if it is on one."""
        for floor in (self._ram, self._gpu):
            kept = floor.kept.pop(signature, None)
            if kept is not None:
                self._forget(signature, kept)
