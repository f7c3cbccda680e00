"""What an execution is made from: the equipment of the executor, and a request."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.graph.cache import Cache, Inner
from engine.graph.events import Emit
from engine.graph.failure import Advise
from engine.graph.invoke import Instances
from engine.graph.prompt import Prompt
from engine.graph.run import never
from engine.graph.step import NodeTypes


class InnerShown:
    """What was shown by nodes that others expanded into, by the signature of those; the oldest are forgotten."""

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._inner: dict[str, Inner] = {}

    def __len__(self) -> int:
        return len(self._inner)

    def get(self, signature: str | None) -> Inner:
        """What was shown; empty where nothing was."""
        return self._inner.get(signature, ()) if signature is not None else ()

    def remember(self, signature: str, inner: Inner) -> None:
        """Notes what was shown, if anything was."""
        if inner:
            self._inner[signature] = inner
            if len(self._inner) > self._limit:
                self._inner.pop(next(iter(self._inner)), None)


@dataclass(frozen=True, slots=True)
class Equipment:
    """What every run of an executor shares."""

    types: NodeTypes
    cache: Cache
    instances: Instances
    inner: InnerShown
    advise: Advise
    salt: str = ""
    catch_mutation: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be run, and for whom. targets: None means every output node of the prompt."""

    prompt: Prompt
    emit: Emit
    targets: Sequence[str] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    is_cancelled: Callable[[], bool] = never
    unvalidated: Collection[str] = ()
    job: str = ""
    attempt: int = 1
    preview_method: str | None = None
