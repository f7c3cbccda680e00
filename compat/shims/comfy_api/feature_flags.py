"""What browsers and this server can do, by dotted names."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

SERVER_FEATURE_FLAGS: dict[str, Any] = {
    "supports_preview_metadata": True,
    "max_upload_size": 100 << 20,
    "supports_progress_text_metadata": True,
}
"""What the server can do. What plugins write into it is told to browsers, beside what the server says of itself."""

_OURS = deepcopy(SERVER_FEATURE_FLAGS)


def get_server_features() -> dict[str, Any]:
    """What the server can do, as a copy."""
    return dict(SERVER_FEATURE_FLAGS)


def added() -> dict[str, Any]:
    """What plugins have written into the table."""
    return {name: value for name, value in SERVER_FEATURE_FLAGS.items() if name not in _OURS}


def get_connection_feature(
    sockets_metadata: Mapping[str, Mapping[str, Any]], sid: str, feature_name: str, default: Any = False
) -> Any:
    """What a connected client said of a feature; the default where it said nothing.

    sockets_metadata: {client id: {"feature_flags": {…}}}.
    """
    found: Any = sockets_metadata.get(sid, {}).get("feature_flags", {})
    for part in feature_name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return default
        found = found[part]
    return found


def supports_feature(sockets_metadata: Mapping[str, Mapping[str, Any]], sid: str, feature_name: str) -> bool:
    """Whether a connected client said that it can do this."""
    return get_connection_feature(sockets_metadata, sid, feature_name, False) is True
