"""What this server can do that a client may want to know: the flags of the socket and of GET /features."""

from server.protocol.messages import Features
from server.settings import ServerSettings

PREVIEW_METADATA = "supports_preview_metadata"
TEXT_METADATA = "supports_progress_text_metadata"


def server_flags(settings: ServerSettings) -> Features:
    """The flags of this server. supports_event_numbers is our own: messages have an `id`, and /ws takes `since`."""
    return {
        "supports_preview_metadata": True,
        "max_upload_size": settings.max_upload_size,
        "supports_progress_text_metadata": True,
        "supports_event_numbers": True,
        "node_replacements": True,
    }
