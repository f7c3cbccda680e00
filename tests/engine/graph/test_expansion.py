"""What a node may return in place of a value, and what it is taken for."""

import math
from typing import Any

import pytest

from engine.graph.expansion import as_link
from engine.graph.prompt import Link


@pytest.mark.parametrize("value", [["x", 1], ("x", 1), ["x", 1.0], Link("x", 1)])
def test_a_node_and_a_whole_number_are_a_link(value: Any) -> None:
    assert as_link(value) == Link("x", 1)


@pytest.mark.parametrize("slot", [math.inf, -math.inf, math.nan, 1.9, True, "1", None])
def test_a_pair_with_anything_else_is_a_value(slot: Any) -> None:
    assert as_link(["x", slot]) is None
