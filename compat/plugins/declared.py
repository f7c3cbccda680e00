"""What plugins declare in passing, by calls of ComfyUI's API: which node takes the place of which old one."""

from collections.abc import Mapping
from typing import Any

from compat.host import Host, host

_declared: dict[Host, dict[str, list[dict[str, Any]]]] = {}


def replace_node(old: str, by: Mapping[str, Any]) -> None:
    """Declares what a node of a class that is gone becomes, in the shape of GET /node_replacements."""
    known = _declared.setdefault(host(), {}).setdefault(old, [])
    if dict(by) not in known:
        known.append(dict(by))


def replacements() -> dict[str, list[dict[str, Any]]]:
    """What has been declared in this process, by the old class."""
    return _declared.get(host(), {})
