"""What is on the device, and what leaves when room is needed.

A part's weights rest where they came from, usually mapped from its file. When it is used, a copy in the number format
it computes in goes to the device; when it leaves, that copy is dropped and nothing has to be moved back.
"""

import logging
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from engine.devices import memory
from engine.devices.device import Place
from engine.devices.patches import NONE, Patches, patched
from engine.errors import OutOfMemory

log = logging.getLogger(__name__)

Check = Callable[[], None]
"""Called between weights; raises to stop."""

MakeRoom = Callable[[torch.device, int], None]
"""Asked first when room is needed: frees up to so many bytes on a device, if it can."""


Network = TypeVar("Network", bound=nn.Module, covariant=True)


def _go_on() -> None:
    """Nobody can stop this."""


class Part(Generic[Network]):
    """A network and its weights at rest.

    The module is built on the meta device and has real weights only while it is on its device (at rest too, after
    `show`). `weights` are never changed. A part that `stays` leaves only when nothing else can make room.
    """

    def __init__(self, name: str, module: Network, weights: Mapping[str, Tensor], place: Place) -> None:
        self.name = name
        self.module = module.eval().requires_grad_(False)
        self.weights = dict(weights)
        self.place = place
        self.lock = threading.RLock()
        self.users = 0
        self.is_here = False
        self.stays = False
        self._patches: Patches = NONE
        self._slots = {key: (module.get_submodule(key.rpartition(".")[0]), key.rpartition(".")[2]) for key in weights}
        self._absent = {key: owner._parameters[leaf] for key, (owner, leaf) in self._slots.items()}

    @property
    def size(self) -> int:
        """Bytes that coming to the device takes; weights that can be used where they rest take none."""
        device, dtype = self.place.device, self.place.dtype
        elsewhere = (w for w in self.weights.values() if w.device != device or w.dtype != dtype)
        return sum(weight.numel() for weight in elsewhere) * dtype.itemsize

    @property
    def nbytes(self) -> int:
        """What it takes of a result cache's budget: nothing. At rest it is a mapped file, on a device the keeper's."""
        return 0

    @property
    def patches(self) -> Patches:
        """The changes its weights have at this moment."""
        return self._patches

    def arrive(self, check: Check = _go_on) -> None:
        """Brings the weights to the device, as they are in the file."""
        for key in self.weights:
            check()
            self._set(key, self._made(key, NONE))
        self._patches = NONE
        self.is_here = True

    def show(self) -> None:
        """From now on the resting module holds the resting weights, for those who read them off it. Costs no memory."""
        if any(each is not None and each.device.type == "meta" for each in self._absent.values()):
            self._absent = {key: nn.Parameter(weight, requires_grad=False) for key, weight in self.weights.items()}
            if not self.is_here:
                self.leave()

    def leave(self) -> None:
        """Drops the weights on the device."""
        for key, (owner, leaf) in self._slots.items():
            owner._parameters[leaf] = self._absent[key]
        self._patches = NONE
        self.is_here = False

    def wear(self, patches: Patches, check: Check = _go_on) -> None:
        """Gives the weights exactly these changes. Only weights whose changes are others than before are made anew."""
        before, self._patches = self._patches, patches
        for key in {*before, *patches} & self.weights.keys():
            if before.get(key, ()) != patches.get(key, ()):
                check()
                self._set(key, self._made(key, patches))

    def _made(self, key: str, patches: Patches) -> Tensor:
        weight = self.weights[key]
        if patches.get(key):
            weight = patched(key, weight, patches[key], self.place.device)
        return weight.to(self.place.device, self.place.dtype)

    def _set(self, key: str, weight: Tensor) -> None:
        owner, leaf = self._slots[key]
        owner._parameters[leaf] = nn.Parameter(weight, requires_grad=False)


class Keeper:
    """Keeps parts on their devices while there is room; the one unused for longest leaves first.

    `reserve` bytes are left free. `make_room` is asked before a part has to leave, so that cached results can go
    first. Without `keeps` every part leaves as soon as no part is in use.
    """

    def __init__(
        self,
        *,
        reserve: int = 0,
        keeps: bool = True,
        free: Callable[[torch.device], int] = memory.free,
        make_room: MakeRoom | None = None,
    ) -> None:
        self.reserve = reserve
        self.keeps = keeps
        self.make_room = make_room
        self._free = free
        self._lock = threading.RLock()
        self._here: list[weakref.ref[Part[Any]]] = []  # least recently used first

    @contextmanager
    def using(
        self, part: Part[Network], patches: Patches = NONE, working: int = 0, check: Check = _go_on
    ) -> Iterator[Network]:
        """The part's module on its device, with these patches on, for as long as the block lasts.

        `working` is how many bytes the work itself will take there; `check` may stop the coming. One thread at a time
        uses a part; the others wait. Patches stay on until somebody uses the part without them, which costs nothing
        when the same model runs again.

        Raises: OutOfMemory, when the device has no room even after everything else left it.
        """
        with part.lock:
            before = part.patches
            with self._lock:
                self._bring(part, working, check)
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
            for part in sorted(self.here(), key=lambda each: each.stays):
                if not self._lacks(device, size):
                    return
                if part.users == 0 and part.place.device == device:
                    self._send_away(part)

    def send_all_away(self, *, but_those_who_stay: bool = False) -> None:
        """Lets every unused part leave."""
        with self._lock:
            for part in self.here():
                if part.users == 0 and not (but_those_who_stay and part.stays):
                    self._send_away(part)

    def _bring(self, part: Part[Any], working: int, check: Check) -> None:
        device = part.place.device
        self._here = [reference for reference in self._here if reference() not in (None, part)]
        self._here.append(weakref.ref(part))
        self.free_room(device, working + (0 if part.is_here else part.size))
        if part.is_here or _try_to_bring(part, check) is None:
            return
        # Outside the handler, whose traceback would keep what did come alive.
        self.free_room(device, memory.UNKNOWN)
        memory.release_unused(device)
        error = _try_to_bring(part, check)
        if error is not None:
            raise OutOfMemory(
                f"{part.name} needs {memory.readable(part.size)} on {device}, but only "
                f"{memory.readable(self._free(device))} are free; close other programs or start with --cpu"
            ) from error

    def _dress(self, part: Part[Any], patches: Patches, check: Check) -> None:
        try:
            part.wear(patches, check)
        except BaseException:
            part.leave()  # half dressed; whoever comes next starts from the file
            raise

    def _give_back(self, part: Part[Any], before: Patches) -> None:
        if part.users > 0 and part.is_here:
            part.wear(before)  # a use within a use: the outer one goes on as it was
        elif not self.keeps and all(each.users == 0 for each in self.here()):
            self.send_all_away(but_those_who_stay=True)

    def _send_away(self, part: Part[Any]) -> None:
        log.debug("%s leaves %s", part.name, part.place.device)
        part.leave()
        memory.release_unused(part.place.device)

    def _lacks(self, device: torch.device, size: int) -> bool:
        return self._free(device) < size + self.reserve


def _try_to_bring(part: Part[Any], check: Check) -> Exception | None:
    """Brings a part to its device, or says why there was no room."""
    try:
        part.arrive(check)
    except BaseException as error:
        part.leave()
        if not isinstance(error, Exception) or not memory.is_out_of_memory(error):
            raise
        return error.with_traceback(None)
    return None
