"""The node types there are, by id."""

import difflib
from collections.abc import Iterable, Iterator

from engine.errors import NodeTypeError, PromptError
from engine.graph.nodetype import NodeType

NEAR_MISSES = 3
NEAR_ENOUGH = 0.6  # difflib's own default: "KSampler" finds "KSamplerAdvanced", "Foo" finds nothing


class UnknownNodeType(PromptError, KeyError):
    """Nobody registered a node type of that id; the message names the ones that are spelled alike."""

    # KeyError would print the message as a quoted key.
    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class Registry:
    """Node types by id. `add` refuses an id that is taken; `put` and `remove` are for types that come and go."""

    def __init__(self, node_types: Iterable[NodeType] = ()) -> None:
        self._types: dict[str, NodeType] = {}
        for node_type in node_types:
            self.add(node_type)

    def add(self, node_type: NodeType) -> None:
        """Makes a node type known.

        Raises: NodeTypeError, when its id is empty or taken.
        """
        if not node_type.id:
            raise NodeTypeError(f"A node type from {node_type.python_module} has no id; give it a name.")
        if node_type.id in self._types:
            first = self._types[node_type.id].python_module
            raise NodeTypeError(
                f"Two node types are called {node_type.id!r}: one from {first}, one from {node_type.python_module}; "
                "rename one."
            )
        self._types[node_type.id] = node_type

    def put(self, node_type: NodeType) -> None:
        """Makes a node type known, in the place of one of the same id."""
        if node_type.id in self._types:
            self._types[node_type.id] = node_type  # at once: others may be looking for it
        else:
            self.add(node_type)

    def remove(self, node_id: str) -> None:
        """Forgets a node type; one that is not there is forgotten already."""
        self._types.pop(node_id, None)

    def get(self, node_id: str) -> NodeType | None:
        """The node type of that id, or None."""
        return self._types.get(node_id)

    def near(self, node_id: str) -> list[str]:
        """The ids spelled most like this one, the likeliest first; display names count too."""
        spellings: dict[str, str] = {}
        for each in self._types.values():
            spellings.setdefault(each.display_name.casefold(), each.id)
        spellings.update((each.casefold(), each) for each in self._types)
        # A very long name is nobody's typing error, and difflib takes time by its length.
        wanted = node_id.casefold()[:100]
        close = difflib.get_close_matches(wanted, spellings, n=NEAR_MISSES, cutoff=NEAR_ENOUGH)
        return list(dict.fromkeys(spellings[each] for each in close))

    def __getitem__(self, node_id: str) -> NodeType:
        found = self._types.get(node_id)
        if found is None:
            near = self.near(node_id)
            hint = f"; did you mean {' or '.join(near)}?" if near else "; is a plugin missing?"
            raise UnknownNodeType(f"there is no node type {node_id!r}{hint}")
        return found

    def __contains__(self, node_id: object) -> bool:
        return node_id in self._types

    def __iter__(self) -> Iterator[NodeType]:
        return iter(self._types.values())

    def __len__(self) -> int:
        return len(self._types)
