"""Networks larger than the memory they may take: which weights wait on the device, and which come when they are read.

A layer reads its weights from itself (`self.weight`), and gets them out of its `_parameters`. In a layer whose weights
do not fit, that is a dictionary which makes a weight when it is read and keeps nothing. So there is nothing to put in
order when work is stopped half way, and no layer is left out, whoever wrote it. Decision 19 says why.
"""

import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from torch import Tensor, nn

Form = Literal["ready", "stored", "streamed"]
"""What waits on the device: a weight as the work needs it, a weight as its file has it (to be cast whenever it is
read), or nothing."""


@dataclass(frozen=True)
class Need:
    """What a weight takes on the device. Units: bytes; `stored` is None where resting there would save nothing."""

    name: str
    ready: int
    stored: int | None = None


def settled(needs: Iterable[Need], room: int) -> dict[str, Form]:
    """Which weights wait on the device, so that they take `room` bytes at most.

    Small ones first: reading a streamed weight costs some time however small it is. As stored before ready: a cast on
    the device is quicker than a way to it.
    """
    forms: dict[str, Form] = {}
    in_order = sorted(needs, key=lambda need: need.ready)
    for need in in_order:
        least = need.ready if need.stored is None else min(need.stored, need.ready)
        fits = least <= room
        room -= least if fits else 0
        forms[need.name] = "streamed" if not fits else "ready" if least == need.ready else "stored"
    for need in in_order:
        if need.stored is not None and forms[need.name] == "stored" and need.ready - need.stored <= room:
            room -= need.ready - need.stored
            forms[need.name] = "ready"
    return forms


class Source(Protocol):
    """Makes weights that are read."""

    name: str

    @property
    def at_rest(self) -> Mapping[str, Tensor]:
        """All weights as their file has them."""
        ...

    def read(self, name: str) -> nn.Parameter:
        """The weight as the work needs it."""
        ...

    def lighten(self) -> bool:
        """Lets weights that wait on the device go, to be streamed instead; False when there are none."""
        ...


class Streamed(dict[str, Any]):
    """A layer's `_parameters`, some of which are made when they are read.

    Whoever goes through all of them (`parameters`, `state_dict`) finds what stands in for those instead.
    """

    def __init__(self, plain: Mapping[str, Any], source: Source) -> None:
        super().__init__(plain)
        self.waiting: dict[str, str] = {}  # leaf -> the weight's name, for those that are made
        self._source = weakref.ref(source)

    @property
    def source(self) -> Source:
        """Who makes them."""
        found = self._source()
        if found is None:
            raise RuntimeError("this network's weights are gone: nobody holds the model it belongs to any more")
        return found

    def __getitem__(self, leaf: str) -> Any:
        name = self.waiting.get(leaf)
        return super().__getitem__(leaf) if name is None else self.source.read(name)

    def __setitem__(self, leaf: str, value: Any) -> None:
        self.waiting.pop(leaf, None)
        super().__setitem__(leaf, value)

    def wait(self, leaf: str, name: str, stand_in: nn.Parameter | None) -> None:
        """From now on this one is made when it is read."""
        super().__setitem__(leaf, stand_in)
        self.waiting[leaf] = name

    def __reduce__(self) -> Any:
        """A copy of the network has weights of its own, made now."""
        return dict, ([(leaf, self[leaf]) for leaf in list(self)],)


def lighten(network: object) -> bool:
    """Makes room for a network's own work by letting some of its weights go; False where none can.

    To be called between two calls of a network that is in use.
    """
    source = source_of(network)
    return source is not None and source.lighten()


def source_of(network: object) -> Source | None:
    """Who makes a network's weights; None for one that has its own."""
    own = getattr(network, "_parameters", None)
    return own.source if isinstance(own, Streamed) else None


def first_weight(network: nn.Module) -> Tensor | None:
    """A weight as the network's work finds it, which tells where it runs and what it computes in."""
    for module in network.modules():
        for leaf in module._parameters:
            found: Tensor | None = module._parameters[leaf]
            if found is not None and found.is_floating_point():
                return found
    return None
