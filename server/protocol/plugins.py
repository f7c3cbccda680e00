"""Plugins: what became of each, and what is asked for about them."""

from collections.abc import Mapping, Sequence
from typing import Literal, NotRequired, TypeAlias, TypedDict

PluginState: TypeAlias = Literal["loaded", "failed", "skipped", "disabled", "crashed"]


class Plugin(TypedDict):
    """A plugin. error: one line, "" without one; problems: lines about single nodes; nodes: the ids it gave;
    named: the ids that its files name, where it could not be imported; web: the folders behind its names below
    /extensions; version: as it says itself, or "". Units: seconds."""

    name: str
    path: str
    state: PluginState
    error: str
    traceback: str
    seconds: float
    nodes: Sequence[str]
    problems: Sequence[str]
    named: Sequence[str]
    web: Mapping[str, str]
    version: str


class PluginReload(TypedDict):
    """The body of POST /api/plugins/reload; without a name: those whose files have changed, and those that failed."""

    name: NotRequired[str]


class PluginsReloaded(TypedDict):
    """The answer. reloaded: what was imported again; done: false while a worker has yet to do it, after its job."""

    done: bool
    reloaded: Sequence[str]
    plugins: Sequence[Plugin]
