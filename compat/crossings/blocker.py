"""ComfyUI's ExecutionBlocker and our Blocked: the same thing under two names."""

from comfy_execution.graph_utils import ExecutionBlocker

from compat.crossing import enter, leave
from engine.graph.nodetype import Blocked


@leave.register
def _(value: ExecutionBlocker) -> Blocked:
    return Blocked(None if value.message is None else str(value.message))


@enter.register
def _(value: Blocked) -> ExecutionBlocker:
    return ExecutionBlocker(value.message)
