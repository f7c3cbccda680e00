"""How much memory tensors take while something works, counted by torch itself and not by those who are tested."""

from collections.abc import Iterable
from typing import Any

from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Counted(TorchDispatchMode):
    """While it is entered: the bytes of all storages that operations made and that are alive; `known` ones are not."""

    def __init__(self, known: Iterable[Tensor]) -> None:
        super().__init__()
        self.alive: dict[int, tuple[StorageWeakRef, int]] = {}
        self.known = {each.untyped_storage().data_ptr() for each in known}
        self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for each in tree_leaves(made):
            if isinstance(each, Tensor):
                storage = each.untyped_storage()
                if storage.data_ptr() not in self.known and storage.nbytes():
                    self.alive[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
        self.peak = max(self.peak, self.now)
        return made

    @property
    def now(self) -> int:
        """Bytes at this moment."""
        self.alive = {key: each for key, each in self.alive.items() if not each[0].expired()}
        return sum(size for _, size in self.alive.values())
