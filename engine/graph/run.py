"""What a node is handed about the run it takes part in: who it is, a way to report, a way to learn it should stop."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.errors import Cancelled
from engine.graph.events import Emit, Preview, Progress, Text


def never() -> bool:
    """The answer to "cancelled?" where nobody can cancel."""
    return False


@dataclass(frozen=True, slots=True)
class Run:
    """A node's view of the run. Ask for it with a parameter `run: Run`; the engine fills it in.

    `prompt` is the whole original graph in API JSON and `extra` what came along with it ({"workflow": …}); both are
    what SaveImage writes into its pictures. `call` counts the calls of a node that is mapped over lists. `job` is the
    name under which a server runs the prompt (empty: nobody keeps a record), `attempt` how often it has begun with it.
    `preview_method` is the prompt's own wish for pictures in the making, under the names of the settings; None: theirs.
    """

    node_id: str
    emit: Emit
    is_cancelled: Callable[[], bool] = never
    prompt: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    call: int = 0
    job: str = ""
    attempt: int = 1
    preview_method: str | None = None

    def progress(self, value: float, maximum: float) -> None:
        """Tells how far the node is, and stops it when the run was cancelled.

        Raises: Cancelled.
        """
        self.emit(Progress(self.node_id, value, maximum))
        self.stop_if_cancelled()

    def preview(self, data: bytes, mime: str = "image/jpeg", *, is_asked: bool = True) -> None:
        """Shows an encoded picture of what is being made. is_asked: as in events.Preview."""
        self.emit(Preview(self.node_id, data, mime, is_asked))

    def text(self, text: str) -> None:
        """Shows a line of text at the node."""
        self.emit(Text(self.node_id, text))

    def stop_if_cancelled(self) -> None:
        """Raises: Cancelled, when the user asked to stop. Long work calls this at least several times a second."""
        if self.is_cancelled():
            raise Cancelled
