"""The outputs of a run's nodes, each held for as long as somebody may still need it."""

from collections.abc import Iterable

from engine.graph.lists import Outputs
from engine.graph.prompt import Link


class Holding:
    """Outputs by node. Whoever will use a node's outputs says so first; the last one to finish lets them go."""

    def __init__(self) -> None:
        self._outputs: dict[str, Outputs] = {}
        self._users: dict[str, int] = {}
        self._forever: set[str] = set()

    def __contains__(self, node: object) -> bool:
        return node in self._outputs

    def __getitem__(self, node: str) -> Outputs:
        return self._outputs[node]

    def put(self, node: str, outputs: Outputs) -> None:
        """Holds a node's outputs."""
        self._outputs[node] = outputs

    def keep(self, node: str) -> None:
        """Holds this node's outputs to the end of the run: they are asked for, or could not be made again."""
        self._forever.add(node)

    def expect(self, nodes: Iterable[str]) -> None:
        """One more will use each of these nodes."""
        users = self._users
        for node in nodes:
            users[node] = users.get(node, 0) + 1

    def release(self, nodes: Iterable[str]) -> None:
        """One who used each of these nodes is done with them."""
        users = self._users
        for node in nodes:
            users[node] -= 1
            if not users[node] and node not in self._forever:
                self._outputs.pop(node, None)

    def items(self, link: Link) -> list[object]:
        """The list that flows over a link.

        Raises: IndexError, when the node has no such output.
        """
        outputs = self._outputs[link.node]
        if not 0 <= link.slot < len(outputs):
            raise IndexError(f"node {link.node} has {len(outputs)} output(s), so there is no slot {link.slot}")
        return outputs[link.slot]
