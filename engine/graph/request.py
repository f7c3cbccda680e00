"""What an execution is made from: the equipment of the executor, and a request."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.graph.cache import Cache
from engine.graph.events import Emit
from engine.graph.failure import Advise
from engine.graph.invoke import Instances
from engine.graph.prompt import Prompt
from engine.graph.run import never
from engine.graph.step import NodeTypes


@dataclass(frozen=True, slots=True)
class Equipment:
    """What every run of an executor shares."""

    types: NodeTypes
    cache: Cache
    instances: Instances
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
