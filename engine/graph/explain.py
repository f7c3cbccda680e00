"""Why a node would run again: the input that made the difference since the last run."""

from collections.abc import Mapping
from dataclasses import dataclass

from engine.graph.failure import reduce
from engine.graph.prompt import Link, Node
from engine.graph.signature import Signature
from engine.graph.survey import Survey


@dataclass(frozen=True, slots=True)
class Record:
    """What a node was when it was last run or found."""

    node: Node
    signature: Signature | None
    fingerprint: bytes | None


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was: an input of a node, its kind, or (input "") what its author watches."""

    node: str
    class_type: str
    input: str
    reason: str

    def __str__(self) -> str:
        return f"node {self.node} ({self.class_type}): {self.reason}"


@dataclass(frozen=True, slots=True)
class Explanation:
    """Whether a node is in the cache, and if not, why; `differences` are empty when it was only thrown out for room."""

    node: str
    is_cached: bool
    is_known: bool
    differences: tuple[Difference, ...] = ()

    def __str__(self) -> str:
        if self.is_cached:
            return f"node {self.node} is in the cache"
        if not self.is_known:
            return f"node {self.node} has not been run before"
        if not self.differences:
            return f"node {self.node} is as it was, but its outputs were not kept"
        return f"node {self.node} runs again because of {'; '.join(map(str, self.differences))}"


Records = Mapping[str, Record]


def records(survey: Survey) -> dict[str, Record]:
    """What to remember of a run's nodes."""
    steps, signatures = survey.steps, survey.signatures
    return {node: Record(steps[node].node, signatures[node], signatures.fingerprints[node]) for node in survey.signed}


def differences(node: str, before: Records, now: Records) -> tuple[Difference, ...]:
    """What changed at the node or above it, followed along the wires to where it comes from."""
    found: list[Difference] = []
    seen = {node}
    stack = [node]
    while stack:
        current = stack.pop()
        old, new = before.get(current), now[current]
        if old is None:
            found.append(Difference(current, new.node.class_type, "", "it was not in the last run"))
            continue
        if old.signature is not None and old.signature == new.signature:
            continue
        if old.node.class_type != new.node.class_type:
            reason = f"it was a {old.node.class_type}"
            found.append(Difference(current, new.node.class_type, "class_type", reason))
            continue
        found += _own(current, old, new)
        for link in new.node.inputs.values():
            if isinstance(link, Link) and link.node in now and link.node not in seen:
                seen.add(link.node)
                stack.append(link.node)
    return tuple(found)


def _own(node_id: str, old: Record, new: Record) -> list[Difference]:
    """What changed at the node itself; a wire counts when it comes from elsewhere than before."""
    found = []
    if new.fingerprint is None:
        found.append(Difference(node_id, new.node.class_type, "", "its author wants it run every time"))
    elif old.fingerprint != new.fingerprint:
        found.append(Difference(node_id, new.node.class_type, "", "what it watches (a file, for example) has changed"))
    for name in dict.fromkeys((*new.node.inputs, *old.node.inputs)):
        was, value = old.node.inputs.get(name), new.node.inputs.get(name)
        if type(was) is not type(value) or not _is_same(was, value):
            reason = f"{name} was {_shown(was)}, is {_shown(value)}"
            found.append(Difference(node_id, new.node.class_type, name, reason))
    return found


def _is_same(was: object, value: object) -> bool:
    return was is value or repr(was) == repr(value)


def _shown(value: object) -> str:
    if isinstance(value, Link):
        return f"wired to node {value.node} (output {value.slot})"
    text = repr(reduce(value))
    return text if len(text) <= 80 else f"{text[:77]}…"
