"""Who listens: sends what happens to the sockets it concerns, in order, and never waits for any of them."""

from collections.abc import Iterable, Mapping
from typing import Any

from server.jobs.job import Sent


class Hub:
    """The sockets and event streams that are open now."""

    def status(self, remaining: int) -> None:
        """Tells everybody how many jobs wait or run."""
        raise NotImplementedError

    def publish(self, job: str, client_id: str | None, sent: Iterable[Sent]) -> None:
        """Sends what happened to a job, once it is on the disk, to its client and to those who follow the job."""
        raise NotImplementedError

    def send(self, type: str, data: Mapping[str, Any], client_id: str | None) -> None:
        """Sends any other message to a client, or to everybody."""
        raise NotImplementedError

    async def close(self) -> None:
        """Says goodbye to everybody."""
        raise NotImplementedError
