"""What a run looks like to ComfyUI's clients: the engine's events become the messages of protocol.md, section 2.1.

Pure: time comes in as an argument, and what goes out is data.
"""

from engine.graph.events import Event
from server.jobs.job import Item, Output, Span


class Story:
    """One job's run, told as clients expect it. Fed every event of the run in order."""

    def __init__(self, job: str, *, classes: dict[str, str]) -> None:
        """classes: the class of each node of the prompt, for spans and errors."""
        raise NotImplementedError

    def tell(self, event: Event, now: float) -> tuple[list[Item], list[Output]]:
        """What to store and send for an event, and what a node showed. Units: now is seconds since 1970."""
        raise NotImplementedError

    def crash(self, cause: str, message: str, now: float) -> list[Item]:
        """The messages of a run whose worker died: execution_error at the node that ran."""
        raise NotImplementedError

    def end(self, now: float) -> list[Item]:
        """The messages after the last event: a last progress_state, and the end mark (executing, node null)."""
        raise NotImplementedError

    @property
    def messages(self) -> list[tuple[str, dict[str, object]]]:
        """execution_start, execution_cached and the end, for the history entry."""
        raise NotImplementedError

    @property
    def error(self) -> dict[str, object] | None:
        """The data of execution_error, where there was one that ended the run."""
        raise NotImplementedError

    @property
    def spans(self) -> list[Span]:
        """How long each node took."""
        raise NotImplementedError

    @property
    def current(self) -> tuple[str, str] | None:
        """The node that runs now, and the one it stands for on the screen."""
        raise NotImplementedError
