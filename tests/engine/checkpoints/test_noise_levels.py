"""Noise levels out of a file's metadata, where anybody may have written anything."""

import json
import re
from typing import Any

import pytest

from engine.checkpoints.noise_levels import NoiseLevels
from engine.errors import CheckpointError
from engine.sampling.betas import BetaSchedule


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"table": "range", "sigma_min": 0.1, "sigma_max": 10**400}, "sigma_max should be a number above 0 and below"),
        ({"table": "steps", "sigma_data": 10**400}, "sigma_data should be a number above 0 and below 1e+18, got 1000"),
        ({"table": "cosine", "shift": 1e300}, "shift should be a number above 0 and below"),
        ({"table": "path", "shift": 1.0, "multiplier": 10**400, "steps": 9}, "multiplier should be a number above 0"),
        ({"table": "cosine"}, "shift should be a number above 0, got none"),
        ({"schedule": {"zero_terminal_snr": "no"}}, "zero_terminal_snr should be true or false, got 'no'"),
        ({"schedule": {"zero_terminal_snr": None}}, "zero_terminal_snr should be true or false, got None"),
        ({"schedule": {"start": "0"}}, "start should be a number above 0 and below 1e+18, got '0'"),
        ({"schedule": {"end": 10**400}}, "end should be a number above 0"),
        ({"schedule": {"steps": 10**400}}, "expected 2 to 100000 steps"),
        ({"schedule": {"kind": ["linear"]}}, "cannot be"),
        ({"schedule": [1]}, "schedule should be an object, got [1]"),
    ],
)
def test_levels_that_no_number_can_be_are_refused_with_the_key(said: Any, why: str) -> None:
    with pytest.raises(CheckpointError, match=re.escape(why)):
        NoiseLevels.read(json.loads(json.dumps(said)))


def test_whole_numbers_are_levels_too() -> None:
    read = NoiseLevels.read(
        {"table": "range", "sigma_min": 1, "sigma_max": 80, "schedule": {"zero_terminal_snr": True}}
    )
    assert (read.sigmas().sigma_max, read.schedule) == (pytest.approx(80.0), BetaSchedule(zero_terminal_snr=True))
