"""What this server can do that a client may want to know: the flags of the socket and of GET /features."""

from collections.abc import Mapping
from typing import Any

from server.settings import ServerSettings

PREVIEW_METADATA = "supports_preview_metadata"
TEXT_METADATA = "supports_progress_text_metadata"


def server_flags(settings: ServerSettings) -> Mapping[str, Any]:
    """The flags of this server. supports_event_numbers is our own: messages have an `id`, and /ws takes `since`."""
    return {
        PREVIEW_METADATA: True,
        "max_upload_size": settings.max_upload_size,
        TEXT_METADATA: True,
        "supports_event_numbers": True,
    }
