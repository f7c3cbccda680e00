"""Which node is running, for code that was not told."""

from typing import Any, NamedTuple

from compat.host import host
from compat.missing import missing


class ExecutionContext(NamedTuple):
    """The prompt, the node, and which of its calls it is where it is called once for each item of a list."""

    prompt_id: str
    node_id: str
    list_index: int | None


def get_executing_context() -> ExecutionContext | None:
    """The node whose function is being called; None, where none is."""
    run = host().run
    return None if run is None else ExecutionContext(host().work.prompt_id or run.job, run.node_id, run.call)


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
