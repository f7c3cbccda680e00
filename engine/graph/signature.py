"""What makes a node's result what it is, as one short text: equal signatures, equal results.

A Merkle hash: the node's kind, its author's fingerprint, its constants, and the signatures of the nodes it is wired to.
Sources come first, so the work is linear in the graph. A signature is the same in every process and on every machine;
None stands for "never the same twice".
"""

import math
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b

from engine.graph.prompt import Link
from engine.graph.step import Step

Signature = str
Digest = Callable[[object], bytes | None]
"""Tells values apart that this module cannot read (tensors): bytes that are equal for equal values, or None."""


def no_digest(value: object) -> bytes | None:
    """The answer where nobody can read the value."""
    return None


def encode(value: object, digest: Digest = no_digest) -> bytes | None:
    """A value as bytes that differ whenever the value or its type does; None when it cannot be read."""
    try:
        return _encode(value, digest)
    except RecursionError:  # nested without end, or within itself
        return None


def _encode(value: object, digest: Digest) -> bytes | None:
    if type(value) is str:
        text = value.encode("utf-8", "surrogatepass")
        return b"s%d:%b" % (len(text), text)
    if type(value) is bool or value is None:  # before int, which bool is one of
        return b"n" if value is None else b"b%d" % value
    if type(value) is int:
        return b"i%x;" % value
    if type(value) is float:
        return b"f%b;" % repr(value).encode()
    if type(value) is list:
        return _join(b"l", value, digest)
    if type(value) is tuple:
        return _join(b"t", value, digest)
    if type(value) is dict:
        return _encode_mapping(value, digest)
    if type(value) is bytes:
        return b"y%d:%b" % (len(value), value)
    if type(value) is set or type(value) is frozenset:
        members = _join(b"", sorted(value, key=repr), digest)
        return None if members is None else b"S" + members
    return _encode_other(value, digest)


def _join(tag: bytes, values: Iterable[object], digest: Digest) -> bytes | None:
    parts = []
    for each in values:
        part = _encode(each, digest)
        if part is None:
            return None
        parts.append(part)
    return b"%b%d:%b" % (tag, len(parts), b"".join(parts))


def _encode_mapping(value: Mapping[object, object], digest: Digest) -> bytes | None:
    parts = []
    for key, each in value.items():
        named, part = _encode(key, digest), _encode(each, digest)
        if named is None or part is None:
            return None
        parts.append(named + part)
    return b"d%d:%b" % (len(parts), b"".join(sorted(parts)))


def _encode_other(value: object, digest: Digest) -> bytes | None:
    for plain in (str, int, float):  # an author's own text or number, an enum member
        if isinstance(value, plain):
            name = type(value).__qualname__.encode()
            inner = _encode(str.__str__(value) if plain is str else plain(value), digest)
            return None if inner is None else b"c%d:%b%b" % (len(name), name, inner)
    read = digest(value)
    return None if read is None else b"o%d:%b" % (len(read), read)


def encode_fingerprint(value: object, digest: Digest = no_digest) -> bytes | None:
    """An author's fingerprint as bytes; None (always run) for NaN and for what cannot be read."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, list | tuple) and any(isinstance(each, float) and math.isnan(each) for each in value):
        return None
    return encode(value, digest)


Fingerprint = Callable[[Step], bytes | None]


class Signatures:
    """The signatures of a run's nodes, computed once each, sources first.

    fingerprint: asks the node's author (b"" when there is nothing to ask). salt: whatever else results depend on, such
    as the version of the nodes.
    """

    def __init__(self, fingerprint: Fingerprint, digest: Digest = no_digest, salt: str = "") -> None:
        self._fingerprint = fingerprint
        self._digest = digest
        self._seed = blake2b(salt.encode(), digest_size=20)
        self._signatures: dict[str, Signature | None] = {}
        self.fingerprints: dict[str, bytes | None] = {}
        self.resigned: set[str] = set()

    def __getitem__(self, node_id: str) -> Signature | None:
        return self._signatures[node_id]

    def __contains__(self, node_id: object) -> bool:
        return node_id in self._signatures

    def get(self, node_id: str) -> Signature | None:
        """The signature of a node; None too when it has not been computed."""
        return self._signatures.get(node_id)

    def add(self, step: Step) -> None:
        """Signs a node whose sources are signed."""
        node_type = step.traits.type
        fingerprint = self._fingerprint(step) if node_type.fingerprint is not None else b""
        self.fingerprints[step.node.id] = fingerprint
        self._signatures[step.node.id] = self._sign(step)

    def sign_again(self, step: Step) -> Signature | None:
        """The signature once its sources are known better than before they ran."""
        signature = self._sign(step)
        self.replace(step.node.id, signature)
        return signature

    def replace(self, node_id: str, signature: Signature | None) -> None:
        """Puts another signature in place; what hangs below must be signed again before it runs."""
        self._signatures[node_id] = signature
        self.resigned.add(node_id)

    def is_outdated(self, step: Step) -> bool:
        """Whether a source has been signed again since this node was signed."""
        resigned = self.resigned
        return bool(resigned) and any(source in resigned for source in step.sources)

    def of_results(self, calls: Iterable[Iterable[object]], token: str | None) -> Signature | None:
        """A signature for outputs made of links and plain values, one iterable per call.

        token: stands in for a value that cannot be read (None: nothing can).
        """
        hashed = self._seed.copy()
        for call, values in enumerate(calls):
            for position, value in enumerate(values):
                part = self._link(value) if isinstance(value, Link) else encode(value, self._digest)
                if part is None and token is not None and not isinstance(value, Link):
                    part = f"?{token}.{call}.{position}".encode()
                if part is None:
                    return None
                hashed.update(b"%d:%b" % (len(part), part))
            hashed.update(b"/")
        return hashed.hexdigest()

    def _sign(self, step: Step) -> Signature | None:
        fingerprint = self.fingerprints[step.node.id]
        if fingerprint is None:
            return None
        node_type = step.traits.type
        # What is hashed says its own length, so no two different lists of parts are the same bytes.
        parts = [node_type.id.encode(), node_type.python_module.encode(), fingerprint]
        if node_type.salt:
            parts += (b"~", node_type.salt.encode())
        if step.traits.is_personal:
            parts.append(b"#" + step.node.id.encode("utf-8", "surrogatepass"))
        for name, value in sorted(step.constants.items()):
            part = encode(value, self._digest)
            if part is None:
                return None
            parts += (b"=", name.encode("utf-8", "surrogatepass"), part)
        for name, link in sorted([*step.links.items(), *step.raw.items()], key=_by_name):
            part = self._link(link)
            if part is None:
                return None
            parts += (b"<", name.encode("utf-8", "surrogatepass"), part)
        hashed = self._seed.copy()
        hashed.update(b"".join([b"%d:%b" % (len(part), part) for part in parts]))
        return hashed.hexdigest()

    def _link(self, link: Link) -> bytes | None:
        above = self._signatures.get(link.node)
        return None if above is None else b"%b.%d" % (above.encode(), link.slot)


def _by_name(entry: tuple[str, Link]) -> str:
    return entry[0]
