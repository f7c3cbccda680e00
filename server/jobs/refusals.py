"""Why something cannot be done to a job."""

from engine.errors import LatentwireError
from server.requests.refusal import Refused

UNAVAILABLE, NO_SPACE = 503, 507
RETRY_AFTER = 5  # seconds; a person has to free some space first


class JobConflict(LatentwireError):
    """A prompt id that another request has taken already."""


class JobGone(LatentwireError):
    """A job that is not there, or no longer in the state that the request needs."""


class Unreadable(LatentwireError):
    """A row that does not hold what was written to it: another program or the disk has changed it."""


class NotStored(Refused):
    """The disk, or the file on it, does not take or give what it should. What was asked has not happened."""

    def __init__(self, message: str, *, status: int = UNAVAILABLE) -> None:
        super().__init__(status, message, headers={"Retry-After": str(RETRY_AFTER)})
