"""Whose node counts where several plugins have one of the same id: that of the plugin that is imported last at a start.

The order is that of a start, also after reloads. A node that does not count is kept, and comes back when the plugin
whose node counted goes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from compat.plugins import nodes
from compat.plugins.records import Given, Plugin
from engine.graph.nodetype import NodeType
from engine.graph.registry import Registry


class Standing:
    """The plugins that are loaded, and their nodes in the registry and in ComfyUI's tables."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._builtins: Mapping[str, NodeType] = {each.id: each for each in registry}
        self._own: dict[str, tuple[Any, str]] = {}
        self._plugins: dict[str, Plugin] = {}
        self._order: dict[str, int] = {}

    def settle(self) -> None:
        """ComfyUI's tables are as they are without plugins."""
        names = nodes.display_names()
        self._own = {id: (cls, names.get(id, id)) for id, cls in nodes.table().items()}

    def line_up(self, paths: Iterable[str]) -> None:
        """A start would import the plugins in this order."""
        self._order = {path: place for place, path in enumerate(paths)}

    def put(self, plugin: Plugin) -> None:
        """A plugin is loaded."""
        self._plugins[str(plugin.path)] = plugin
        self.arrange(plugin.given)

    def take(self, path: str) -> Plugin | None:
        """A plugin goes, and with it its nodes. Returns: it; None, where it was not loaded."""
        plugin = self._plugins.pop(path, None)
        if plugin is not None:
            self.arrange(plugin.given)
        return plugin

    def get(self, path: str) -> Plugin | None:
        """A plugin that is loaded; None, where it is not."""
        return self._plugins.get(path)

    def counting(self) -> Iterator[tuple[str, Given]]:
        """The nodes of plugins that count, by id."""
        for plugin in self.plugins:
            yield from ((id, given) for id, given in plugin.given.items() if id not in plugin.record.shadowed)

    @property
    def plugins(self) -> Sequence[Plugin]:
        """Those that are loaded, in the order of a start."""
        return sorted(self._plugins.values(), key=lambda each: self.place(str(each.path)))

    def place(self, path: str) -> int:
        """When a start would import the plugin; last, where it is not there any more."""
        return self._order.get(path, len(self._order))

    @property
    def builtins(self) -> Mapping[str, NodeType]:
        """Our own node types by id."""
        return self._builtins

    def arrange(self, ids: Iterable[str]) -> None:
        """Has that node stand under each id that counts now, and every record say so."""
        for id in ids:
            having = [each for each in self.plugins if id in each.given]
            if having:
                given = having[-1].given[id]
                self._show(id, given.node_type, given.cls, given.name)
            elif id in self._builtins:  # a plugin had put its own in the place of ours
                self._show(id, self._builtins[id], *self._own.get(id, (None, "")))
            else:
                self._registry.remove(id)
                self._show(id, None, None, "")
            for each in having:
                each.record.shadowed.pop(id, None)
            for each in having[:-1]:
                each.record.shadowed[id] = having[-1].record.name
        for each in self.plugins:
            each.record.nodes = sorted(each.given.keys() - each.record.shadowed.keys())

    def _show(self, id: str, node_type: NodeType | None, cls: Any, name: str) -> None:
        if node_type is not None:
            self._registry.put(node_type)
        if cls is not None:
            nodes.table()[id] = cls
            nodes.display_names()[id] = name
        else:
            nodes.table().pop(id, None)
            nodes.display_names().pop(id, None)
