"""Between the jobs and the workers: hands out what waits, and turns what workers say into rows and messages."""

from engine.workers.pool import Pool
from server.hub import Hub
from server.jobs.store import Jobs


class Dispatcher:
    """The only one who moves jobs from state to state while they run."""

    def __init__(self, jobs: Jobs, hub: Hub, pool: Pool) -> None:
        raise NotImplementedError

    def wake(self) -> None:
        """Something may be ready to run; call it after a submission."""
        raise NotImplementedError

    def interrupt(self, job: str | None = None) -> bool:
        """Asks what runs to stop (only that job, when one is named). Returns: whether anything was asked."""
        raise NotImplementedError

    async def cancel(self, jobs: list[str]) -> list[str]:
        """Cancels jobs that wait or run. Returns: those it could still cancel."""
        raise NotImplementedError

    async def withdraw(self, jobs: list[str] | None) -> list[str]:
        """Takes waiting jobs out of the queue (None: all). Returns: those it took."""
        raise NotImplementedError
