"""A network and its weights: at rest as its file has them, on its device as the work needs them.

Weights at rest are mapped from the file, and never changed. On the device are copies in the number format that the part
computes in; when they leave, they are dropped, and nothing has to be moved back. Weights for which there is no room are
made when a layer reads them (engine/devices/streaming.py).
"""

import threading
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from torch import Tensor, nn

from engine.devices import memory
from engine.devices.device import Place
from engine.devices.patches import NONE, Patches, patched
from engine.devices.resting import Resting
from engine.devices.streaming import Form, Need, Streamed, settled

Check = Callable[[], None]
"""Called between weights; raises to stop."""

LEAST = 64 << 20
"""Bytes of weights that are worth a try however little memory seems to be free: the embedded model has fewer."""

Network = TypeVar("Network", bound=nn.Module, covariant=True)


def go_on() -> None:
    """Nobody can stop this."""


class Part(Generic[Network]):
    """A network and its weights at rest.

    The module is built on the meta device and has real weights only while it is on its device (at rest too, after
    `show`). `weights` are never changed. A part that `stays` leaves only when nothing else can make room. `room` is how
    many bytes its weights may take on the device; those that do not fit are made when a layer reads them.
    """

    def __init__(self, name: str, module: Network, weights: Mapping[str, Tensor], place: Place) -> None:
        self.name = name
        self.module = module.eval().requires_grad_(False)
        self.weights = weights if isinstance(weights, Resting) else Resting(weights)
        self.place = place
        self.lock = threading.RLock()
        self.users = 0
        self.is_here = False
        self.stays = False
        self.room = memory.UNKNOWN
        self._patches: Patches = NONE
        self._forms: dict[str, Form] = {}  # of those that are not ready
        self._planned: tuple[int, Patches] | None = None  # the room and the patches that the forms are for
        self._lazy: dict[int, nn.Module] = {}  # layers that have streamed weights
        self._stored: dict[str, Tensor] = {}  # on the device, as the file has them
        self._held: dict[str, int] = {}  # bytes on the device
        self._slots = {key: (module.get_submodule(key.rpartition(".")[0]), key.rpartition(".")[2]) for key in weights}
        self._absent = {key: owner._parameters[leaf] for key, (owner, leaf) in self._slots.items()}
        # The network's own is always one that knows its source: authors' wrappers share it, and `lighten` asks it.
        vars(module)["_parameters"] = Streamed(module._parameters, self)

    @property
    def size(self) -> int:
        """Bytes that coming to the device takes; weights that can be used where they rest take none."""
        return self.needed(NONE)

    @property
    def at_rest(self) -> Mapping[str, Tensor]:
        """All weights as their file has them, those with a scale without it."""
        return self.weights.stored

    @property
    def whole_size(self) -> int:
        """Bytes of all weights in the format it computes in, wherever they are."""
        return sum(weight.numel() for weight in self.weights.stored.values()) * self.place.dtype.itemsize

    @property
    def missing(self) -> int:
        """The same for those that layers get only when they read them."""
        return sum(self.weights.stored[key].numel() for key in self._forms) * self.place.dtype.itemsize

    @property
    def loaded(self) -> int:
        """Bytes that its weights take on the device now."""
        return sum(self._held.values())

    @property
    def nbytes(self) -> int:
        """What it takes of a result cache's budget: nothing. At rest it is a mapped file, on a device the keeper's."""
        return 0

    @property
    def patches(self) -> Patches:
        """The changes its weights have at this moment."""
        return self._patches

    def needed(self, patches: Patches) -> int:
        """Bytes that all its weights take on the device with these changes."""
        return sum(self._ready_size(key, patches) for key in self.weights)

    def arrive(self, check: Check = go_on, patches: Patches = NONE) -> None:
        """Brings the weights to the device with these changes, as far as there is room for them."""
        self._patches = patches
        self._forms = self._plan(patches)
        for key in self.weights:
            check()
            self._put(key)
        self.is_here = True

    def show(self) -> None:
        """From now on the resting module holds the resting weights, for those who read them off it.

        Costs no memory, but for weights that have a scale.
        """
        if any(each is not None and each.device.type == "meta" for each in self._absent.values()):
            self._absent = {key: nn.Parameter(weight, requires_grad=False) for key, weight in self.weights.items()}
            if not self.is_here:
                self.leave()

    def leave(self) -> None:
        """Drops the weights on the device."""
        for key in self._slots:
            self._drop(key)
        self._forms, self._planned = {}, None
        self._tidy()
        self._patches = NONE
        self.is_here = False

    def wear(self, patches: Patches, check: Check = go_on) -> None:
        """Gives the weights exactly these changes. Only weights whose changes are others than before are made anew.

        What waits on the device keeps to `room`, also where that is another than before.
        """
        before, self._patches = self._patches, patches
        known, self._forms = self._forms, self._plan(patches)
        changed = {key for key in {*before, *patches} if before.get(key, ()) != patches.get(key, ())}
        made = {key for key in changed if known.get(key, "ready") == self._forms.get(key, "ready") == "ready"}
        moved = {key for key in {*known, *self._forms} if known.get(key) != self._forms.get(key)}
        for key in moved:
            self._drop(key)
        for key in (made | moved) & self.weights.stored.keys():
            check()
            self._drop(key)
            self._put(key)
        self._tidy()

    def lighten(self) -> bool:
        """Lets about half of what is on the device go, while the network is in use; False when nothing is there."""
        if not self.is_here or not self.loaded:
            return False
        self.room = self.loaded // 2 if self.loaded > LEAST else 0
        self.wear(self._patches)
        memory.release_unused(self.place.device)
        return True

    def read(self, name: str) -> nn.Parameter:
        """A weight as the work needs it, made for whoever reads it."""
        return nn.Parameter(self._made(name), requires_grad=False)

    def _plan(self, patches: Patches) -> dict[str, Form]:
        """What is not ready on the device when it keeps to its room."""
        if self._planned is not None and self._planned[0] == self.room and self._planned[1] is patches:
            return self._forms
        self._planned = (self.room, patches)
        if self.needed(patches) <= self.room:
            return {}
        needs = [Need(key, self._ready_size(key, patches), self._stored_size(key)) for key in self.weights]
        return {key: form for key, form in settled(needs, self.room).items() if form != "ready"}

    def _ready_size(self, key: str, patches: Patches) -> int:
        weight = self.weights.stored[key]
        is_usable = weight.dtype == self.place.dtype and weight.device == self.place.device
        if is_usable and key not in self.weights.scales and not patches.get(key):
            return 0
        return weight.numel() * self.place.dtype.itemsize

    def _stored_size(self, key: str) -> int | None:
        """None where the weight rests on the device anyway, or the device may not know its format."""
        weight = self.weights.stored[key]
        if weight.device == self.place.device or self.place.device.type == "mps":
            return None
        return weight.numel() * weight.element_size()

    def _put(self, key: str) -> None:
        """Has the weight in its form."""
        form = self._forms.get(key, "ready")
        owner, leaf = self._slots[key]
        if form == "ready":
            owner._parameters[leaf] = nn.Parameter(self._made(key), requires_grad=False)
            self._held[key] = self._ready_size(key, self._patches)
            return
        if form == "stored":
            self._stored[key] = self.weights.stored[key].to(self.place.device)
            self._held[key] = self._stored_size(key) or 0
        own = owner._parameters
        if not isinstance(own, Streamed):
            vars(owner)["_parameters"] = own = Streamed(own, self)
            self._lazy[id(owner)] = owner
        own.wait(leaf, key, self._absent[key])

    def _drop(self, key: str) -> None:
        """Has nothing of the weight on the device."""
        self._held.pop(key, None)
        self._stored.pop(key, None)
        owner, leaf = self._slots[key]
        owner._parameters[leaf] = self._absent[key]

    def _made(self, key: str) -> Tensor:
        """The weight as the work needs it, from the one on the device or the one at rest."""
        device, dtype = self.place.device, self.place.dtype
        weight = self._stored.get(key, self.weights.stored[key])
        if device.type == "cuda" and weight.element_size() < dtype.itemsize:
            weight = weight.to(device)  # the narrow one travels, and is cast there
        weight = self.weights.unscaled(key, weight)
        if self._patches.get(key):
            weight = patched(key, weight, self._patches[key], device)
        return weight.to(device, dtype)

    def _tidy(self) -> None:
        """Layers none of whose weights are streamed have a plain dictionary, which is quicker."""
        for owner in list(self._lazy.values()):
            own = owner._parameters
            if isinstance(own, Streamed) and not own.waiting:
                vars(owner)["_parameters"] = dict(own)
                del self._lazy[id(owner)]
