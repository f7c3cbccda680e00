"""The editor's types of the wire are those of server/protocol."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pytest

from server import typescript
from server.protocol import messages


def test_the_editor_has_the_newest_types():
    written = typescript.TARGET.read_text(encoding="utf-8")
    assert written == typescript.typescript(), f"web/src/api/wire.ts is out of date; run: {typescript.COMMAND}"


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (int, "number"),
        (float, "number"),
        (str | None, "string | null"),
        (Any, "unknown"),
        (Literal["a", "b"], '"a" | "b"'),
        (Sequence[str], "readonly string[]"),
        (Sequence[str | None], "readonly (string | null)[]"),
        (tuple[float, Sequence[bool]], "readonly [number, readonly boolean[]]"),
        (Mapping[str, Sequence[int]], "Readonly<Record<string, readonly number[]>>"),
        (Sequence[messages.NodeIds], "readonly NodeIds[]"),
    ],
)
def test_a_type_is_written_as_typescript_has_it(hint, expected):
    assert typescript._type(hint, {}) == expected


@pytest.mark.parametrize("hint", [bytes, set[str], Mapping[int, str], object])
def test_a_type_that_json_does_not_have_is_refused(hint):
    with pytest.raises(TypeError, match="expected a type that JSON has"):
        typescript._type(hint, {})


def test_what_may_be_missing_is_marked_and_what_is_inherited_is_not_repeated():
    found = typescript.typescript([messages])
    assert "export interface ExecutionCached extends ExecutionMark {\n  readonly nodes: readonly string[];\n}" in found
    assert "  readonly sid?: string;" in found


def test_every_type_of_message_is_a_member_of_one_union():
    assert "export type Message = {" in typescript.typescript()
