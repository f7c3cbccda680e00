"""What diffusers' scheduler_config.json says of a network: what it predicts, and at which noise levels it was trained.

Source: the published configurations, and what diffusers' schedulers (DDIM and its like, EDM) make of them.
"""

import math
from collections.abc import Mapping
from typing import Any, TypeVar

from engine.errors import CheckpointError, SamplingError
from engine.sampling.betas import BetaSchedule
from engine.sampling.continuous import ContinuousTable
from engine.sampling.prediction import Kind, Prediction
from engine.sampling.table import SigmaTable

T = TypeVar("T")

KINDS: Mapping[str, Kind] = {"epsilon": "eps", "v_prediction": "v", "sample": "x0"}
RISES = {"scaled_linear": "scaled_linear", "linear": "linear", "squaredcos_cap_v2": "cosine"}
"""What diffusers calls predictions and the rise of the noise, and what we call them."""

EDM_KINDS: Mapping[str, Kind] = {"epsilon": "edm", "v_prediction": "v"}
EDM = {"sigma_min": 0.002, "sigma_max": 80.0, "sigma_data": 0.5}
"""What schedulers for any level of a range say, and what they mean where they say nothing."""

MOST_STEPS = 100_000
"""Of a training; the published ones have 1,000."""


def prediction(said: Mapping[str, Any], where: str) -> Prediction | None:
    """What a configuration says; None where it says nothing. `where` names it in errors.

    Raises: CheckpointError, for one that no network of ours can have been trained with.
    """
    name = said.get("_class_name", "")
    if isinstance(name, str) and name.startswith("EDM"):
        return _at_any_level(said, where)
    if isinstance(name, str) and name.startswith("FlowMatch"):
        raise CheckpointError(
            f"{where} says {name}, for networks trained along straight paths; expected one of diffusion's, such as "
            "DDIMScheduler; fetch that file again"
        )
    if not said:
        return None
    kind = _one_of(KINDS, said.get("prediction_type", "epsilon"), f"{where} says prediction_type")
    try:
        return Prediction(kind, SigmaTable.from_betas(_betas(said, where)))
    except SamplingError as error:
        raise CheckpointError(f"{where} says noise that cannot be ({error}); fetch that file again") from error


def _betas(said: Mapping[str, Any], where: str) -> BetaSchedule:
    usual = BetaSchedule()
    if said.get("trained_betas") is not None:
        raise CheckpointError(f"{where} says trained_betas, a list of its own; expected none: it cannot be read here")
    rise = _one_of(RISES, said.get("beta_schedule", usual.kind), f"{where} says beta_schedule")
    start, end, steps = (
        _number(said, name, value, where)
        for name, value in {
            "beta_start": usual.start,
            "beta_end": usual.end,
            "num_train_timesteps": usual.steps,
        }.items()
    )
    if steps > MOST_STEPS:
        raise CheckpointError(f"{where} says num_train_timesteps {steps:g}; expected at most {MOST_STEPS}")
    return BetaSchedule(rise, start, end, int(steps), said.get("rescale_betas_zero_snr") is True)


def _at_any_level(said: Mapping[str, Any], where: str) -> Prediction:
    """Of a network that was trained at any level of a range, as Playground 2.5 was.

    Source: Karras et al. 2022, table 1; diffusers' EDMEulerScheduler, whose "epsilon" is EDM's mix of both.
    """
    kind = _one_of(EDM_KINDS, said.get("prediction_type", "epsilon"), f"{where} says prediction_type")
    lowest, highest, deviation = (_number(said, name, usual, where) for name, usual in EDM.items())
    try:
        return Prediction(kind, ContinuousTable.between(lowest, highest), deviation)
    except SamplingError as error:
        raise CheckpointError(f"{where} says noise that cannot be ({error}); fetch that file again") from error


def _one_of(known: Mapping[str, T], value: object, what: str) -> T:
    if not isinstance(value, str) or value not in known:
        raise CheckpointError(f"{what} {value!r:.80}; expected one of {', '.join(known)}")
    return known[value]


def _number(said: Mapping[str, Any], name: str, usual: float, where: str) -> float:
    """A number above 0."""
    value = said.get(name, usual)
    try:
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    except OverflowError:
        number = math.inf
    if not 0.0 < number < math.inf:
        raise CheckpointError(f"{where} says {name} {value!r:.80}; expected a number above 0; fetch that file again")
    return number
