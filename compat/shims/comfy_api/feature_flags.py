"""What browsers and this server can do, by dotted names."""

from collections.abc import Mapping
from typing import Any


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
