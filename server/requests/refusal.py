"""A request that cannot be answered as asked."""

from collections.abc import Mapping
from typing import Any

from engine.errors import LatentwireError


class Refused(LatentwireError):
    """Answered with this status and {"error": message}, or with the body given instead."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = body
        self.headers = dict(headers or {})
