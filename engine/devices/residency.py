"""What is on the device, and what leaves when room is needed.

A part is brought to its device when it is used, and leaves when others need the room. Where it is too large even for an
empty device, as much of it is brought as fits.
"""

import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from engine.devices import memory
from engine.devices.part import LEAST, Check, Network, Part, go_on
from engine.devices.patches import NONE, Patches
from engine.errors import OutOfMemory

__all__ = ["Check", "Keeper", "MakeRoom", "Network", "Part"]

log = logging.getLogger(__name__)

MakeRoom = Callable[[torch.device, int], None]
"""Asked first when room is needed: frees up to so many bytes on a device, if it can."""


class Keeper:
    """Keeps parts on their devices while there is room; the one unused for longest leaves first.

    Of a part that does not fit even then, only some weights wait there. `reserve` bytes are left free. `make_room` is
    asked before a part has to leave, so that cached results can go first. Without `keeps` every part leaves as soon as
    no part is in use. `share` is how much of what is free weights may take; `budget` how many bytes the weights of all
    parts may take on a device, whatever is free (None: no matter).
    """

    def __init__(
        self,
        *,
        reserve: int = 0,
        keeps: bool = True,
        free: Callable[[torch.device], int] = memory.free,
        make_room: MakeRoom | None = None,
        budget: int | None = None,
        share: float = 1.0,
    ) -> None:
        self.reserve = reserve
        self.keeps = keeps
        self.make_room = make_room
        self.budget = budget
        self.share = share
        self._free = free
        self._lock = threading.RLock()
        self._here: list[weakref.ref[Part[Any]]] = []  # least recently used first

    @contextmanager
    def using(
        self, part: Part[Network], patches: Patches = NONE, working: int = 0, check: Check = go_on
    ) -> Iterator[Network]:
        """The part's module on its device, with these patches on, for as long as the block lasts.

        `working` is how many bytes the work itself will take there; `check` may stop the coming. One thread at a time
        uses a part; the others wait. Patches stay on until somebody uses the part without them, which costs nothing
        when the same model runs again.

        Raises: OutOfMemory, when the device has no room for anything even after everything else left it.
        """
        with part.lock:
            before = part.patches
            with self._lock:
                self._bring(part, patches, working, check)
                part.users += 1
            try:
                self._dress(part, patches, check)
                yield part.module
            finally:
                with self._lock:
                    part.users -= 1
                    self._give_back(part, before)

    def here(self) -> list[Part[Any]]:
        """The parts on any device, least recently used first."""
        parts = [reference() for reference in self._here]
        return [part for part in parts if part is not None and part.is_here]

    def free_room(self, device: torch.device, size: int) -> None:
        """Lets unused parts leave a device until so many bytes are free there, as far as possible."""
        with self._lock:
            if self._lacks(device, size) and self.make_room is not None:
                self.make_room(device, size + self.reserve - self._free(device))
            for part in self._unused(device):
                if not self._lacks(device, size):
                    return
                self._send_away(part)

    def send_all_away(self, *, but_those_who_stay: bool = False) -> None:
        """Lets every unused part leave."""
        with self._lock:
            for part in self.here():
                if part.users == 0 and not (but_those_who_stay and part.stays):
                    self._send_away(part)

    def _bring(self, part: Part[Any], patches: Patches, working: int, check: Check) -> None:
        """Makes room for a part, and brings it, as much of it as fits."""
        self._here = [reference for reference in self._here if reference() not in (None, part)]
        self._here.append(weakref.ref(part))
        if part.users > 0 and part.is_here:
            return  # a use within a use finds what the outer one has
        needed = part.needed(patches)
        self._let_go(part, needed, working)
        room = self._room(part, working)
        part.room = room if self.budget is not None else max(room, LEAST)
        if needed > part.room:
            log.info("%s: room for %s of %s", part.name, memory.readable(part.room), memory.readable(needed))
        if not part.is_here:
            self._bring_what_fits(part, patches, check)

    def _room(self, part: Part[Any], working: int) -> int:
        """Bytes that a part's weights may take as things are."""
        device, own = part.place.device, part.loaded
        room = int((self._free(device) + own - self.reserve - working) * self.share)
        if self.budget is not None:
            others = sum(each.loaded for each in self.here() if each is not part and each.place.device == device)
            room = min(room, self.budget - others)
        return max(0, room)

    def _let_go(self, part: Part[Any], needed: int, working: int) -> None:
        """Lets cached results and unused parts leave until all of a part fits, as far as possible."""
        device = part.place.device
        lacking = needed - part.loaded + working + self.reserve - self._free(device)
        if lacking > 0 and self.make_room is not None:
            self.make_room(device, lacking)
        for other in self._unused(device):
            if needed <= self._room(part, working):
                return
            if other is not part:
                self._send_away(other)

    def _lacks(self, device: torch.device, size: int) -> bool:
        return self._free(device) < size + self.reserve

    def _unused(self, device: torch.device) -> list[Part[Any]]:
        """The parts on a device that may leave, those first that should."""
        unused = [part for part in self.here() if part.users == 0 and part.place.device == device]
        return sorted(unused, key=lambda part: part.stays)

    def _dress(self, part: Part[Any], patches: Patches, check: Check) -> None:
        try:
            part.wear(patches, check)
            return
        except BaseException as error:
            part.leave()  # half dressed; whoever comes next starts from the file
            if not memory.is_out_of_memory(error):
                raise
        # Outside the handler, whose traceback would keep what did come alive.
        self._bring_what_fits(part, patches, check)

    def _bring_what_fits(self, part: Part[Any], patches: Patches, check: Check) -> None:
        """Brings a part, after all others left if need be, and less and less of it.

        Raises: OutOfMemory.
        """
        error = _try_to_bring(part, patches, check)
        if error is None:
            return
        device = part.place.device
        self.free_room(device, memory.UNKNOWN)
        most = min(part.room, part.needed(patches))
        for room in (most, most // 2, most // 4, most // 8, 0):
            memory.release_unused(device)
            part.room = room
            error = _try_to_bring(part, patches, check)
            if error is None:
                return
        raise OutOfMemory(
            f"{part.name} needs {memory.readable(part.size)} on {device}, but only "
            f"{memory.readable(self._free(device))} are free; close other programs or start with --cpu"
        ) from error

    def _give_back(self, part: Part[Any], before: Patches) -> None:
        if part.users > 0 and part.is_here:
            part.wear(before)  # a use within a use: the outer one goes on as it was
        elif not self.keeps and all(each.users == 0 for each in self.here()):
            self.send_all_away(but_those_who_stay=True)

    def _send_away(self, part: Part[Any]) -> None:
        log.debug("%s leaves %s", part.name, part.place.device)
        part.leave()
        memory.release_unused(part.place.device)


def _try_to_bring(part: Part[Any], patches: Patches, check: Check) -> Exception | None:
    """Brings a part to its device with these changes, or says why there was no room."""
    try:
        part.arrive(check, patches)
    except BaseException as error:
        part.leave()
        if not isinstance(error, Exception) or not memory.is_out_of_memory(error):
            raise
        return error.with_traceback(None)
    return None
