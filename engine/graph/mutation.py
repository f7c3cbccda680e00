"""The checking mode that catches nodes which change the values they are given.

Outputs are shared: by every node wired to them and by the cache. A node that changes one in place changes what others
see, and what the next run finds; in tests this is an error that names the node.
"""

from collections.abc import Mapping

from engine.errors import NodeTypeError
from engine.graph.lists import Lists
from engine.graph.signature import Digest, encode

Contents = Mapping[str, bytes | None]


def contents(inputs: Lists, digest: Digest) -> Contents:
    """What is in each input now, as bytes to compare with later (None: unreadable)."""
    return {name: encode(values, digest) for name, values in inputs.items()}


def refuse_mutation(before: Contents, inputs: Lists, digest: Digest) -> None:
    """Raises: NodeTypeError, when an input is not what it was."""
    for name, now in contents(inputs, digest).items():
        if before.get(name) != now:
            raise NodeTypeError(
                f"the node changed its input {name} in place, but others use that value too; "
                "its author must change a copy"
            )
