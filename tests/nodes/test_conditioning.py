"""Where and when a text guides."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from engine.errors import ImageError
from nodes import conditioning

Make = Callable[..., list[list[Any]]]


def test_combining_keeps_both_in_order(condition: Make) -> None:
    first, second = condition(strength=1.0), condition(strength=2.0)
    combined = conditioning.conditioning_combine(conditioning_1=first, conditioning_2=second)
    assert [options["strength"] for _, options in combined] == [1.0, 2.0]
    assert len(first) == len(second) == 1


def test_an_area_is_given_in_cells_and_the_input_is_left_as_it_was(condition: Make) -> None:
    given = condition(pooled_output=None, set_area_to_bounds=True)
    made = conditioning.conditioning_set_area(conditioning=given, width=100, height=64, x=15, y=24, strength=0.7)
    assert made[0][1] == {
        "pooled_output": None,
        "area": (8, 12, 3, 1),
        "strength": 0.7,
        "set_area_to_bounds": False,
    }
    assert given[0][1] == {"pooled_output": None, "set_area_to_bounds": True}


@pytest.mark.parametrize(("mode", "bounds"), [("default", False), ("mask bounds", True)])
def test_a_mask_gets_a_batch_axis_and_a_strength(mode: Any, bounds: bool, condition: Make) -> None:
    made = conditioning.conditioning_set_mask(
        conditioning=condition(), mask=torch.ones(4, 6), strength=0.8, set_cond_area=mode
    )
    options = made[0][1]
    assert options["mask"].shape == (1, 4, 6)
    assert options["mask_strength"] == 0.8
    assert options["set_area_to_bounds"] is bounds
    assert "strength" not in options


def test_an_empty_mask_is_an_error(condition: Make) -> None:
    with pytest.raises(ImageError, match=r"^mask: expected a mask"):
        conditioning.conditioning_set_mask(
            conditioning=condition(), mask=torch.ones(0, 6), strength=0.8, set_cond_area="default"
        )


def test_a_range_of_steps_replaces_an_earlier_one(condition: Make) -> None:
    once = conditioning.conditioning_set_timestep_range(conditioning=condition(), start=0.1, end=0.4)
    twice = conditioning.conditioning_set_timestep_range(conditioning=once, start=0.5, end=0.9)
    assert twice[0][1] == {"start_percent": 0.5, "end_percent": 0.9}
    assert once[0][1] == {"start_percent": 0.1, "end_percent": 0.4}
