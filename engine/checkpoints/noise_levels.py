"""A model's noise levels as plain numbers, as files of ours tell them, and back.

What the ModelSampling nodes choose between (engine/sampling/readings.py) comes back from here exactly; what a plugin
chose cannot be told.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import torch

from engine.errors import CheckpointError, SamplingError
from engine.sampling.betas import BetaSchedule
from engine.sampling.continuous import AngleTable, ContinuousTable, DistilledTable, ShareTable
from engine.sampling.cosine import CosineTable
from engine.sampling.prediction import Kind, Prediction
from engine.sampling.readings import DISCRETE, FLUX_LEVELS
from engine.sampling.table import SigmaTable

RANGES: Mapping[str, type[ContinuousTable]] = {"range": ContinuousTable, "angle": AngleTable, "share": ShareTable}
"""Tables between two ends, by how their time is told."""

NUMBERS: Mapping[str, tuple[str, ...]] = {
    "steps": (),
    "distilled": (),
    **dict.fromkeys(RANGES, ("sigma_min", "sigma_max")),
    "path": ("shift", "multiplier", "steps"),
    "cosine": ("shift",),
}
"""What each kind of table is made of, besides its schedule."""

FLOATS = ("sigma_data", "sigma_min", "sigma_max", "shift", "multiplier")

LARGEST = 1e18  # Numbers that are squared in single precision, which ends at 3.4e38.

MOST_STEPS = 100_000  # A table is built of them; published models have 1,000 to 10,000.


@dataclass(frozen=True)
class NoiseLevels:
    """At which noise levels a model was trained.

    `table` is "steps" (those of `schedule`), "distilled" (some of them), "range", "angle" or "share" (any between
    `sigma_min` and `sigma_max`), "path" (a straight one: `shift`, `multiplier`, `steps`) or "cosine" (Stable Cascade's,
    times `shift`). `schedule` None is Stable Diffusion's. `sigma_data` is the deviation of the latents.
    """

    table: str = "steps"
    sigma_data: float = 1.0
    sigma_min: float | None = None
    sigma_max: float | None = None
    shift: float | None = None
    multiplier: float | None = None
    steps: int | None = None
    schedule: BetaSchedule | None = None

    @classmethod
    def of(cls, prediction: Prediction) -> "NoiseLevels | None":
        """The levels of a prediction; None where numbers cannot tell them, as with a plugin's own."""
        told = _of_table(prediction.table) if type(prediction) is Prediction else None
        if told is None:
            return None
        told = replace(told, sigma_data=prediction.sigma_data)
        return told if torch.equal(told.sigmas().sigmas, prediction.table.sigmas) else None

    @classmethod
    def read(cls, said: object) -> "NoiseLevels":
        """The levels that a file's metadata tells. Raises: CheckpointError, when it says something impossible."""
        try:
            if not isinstance(said, Mapping):
                raise TypeError("expected an object")
            known = {field.name: said[field.name] for field in fields(cls) if field.name in said}
            schedule = known.pop("schedule", None)
            levels = cls(**_floats(known, FLOATS), schedule=None if schedule is None else _schedule(schedule))
            levels._check()
        except (TypeError, ValueError, SamplingError) as error:
            raise CheckpointError(f"noise_levels = {said!r:.300} cannot be: {error}") from error
        return levels

    def told(self) -> dict[str, Any]:
        """These levels as JSON has them, without what is not said."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def prediction(self, kind: Kind) -> Prediction:
        """What a network of this kind is asked at these levels. Raises: SamplingError, where they do not go with it."""
        return Prediction(kind, self.sigmas(), self.sigma_data)

    def sigmas(self) -> SigmaTable:
        """The levels themselves. Raises: SamplingError, for numbers that make none."""
        schedule = self.schedule or BetaSchedule()
        if self.table == "path":
            table = SigmaTable.from_flow(self.shift or 1.0, self.multiplier or 1.0, self.steps or 1)
            return replace(table, schedule=schedule)
        if self.table in RANGES:
            table = RANGES[self.table].between(self.sigma_min or 0.0, self.sigma_max or 0.0)
            return replace(table, schedule=schedule)
        if self.table == "cosine":
            return replace(CosineTable.stretched(self.shift or 1.0), schedule=schedule)
        steps = SigmaTable.from_betas(schedule)
        return DistilledTable.of(steps) if self.table == "distilled" else steps

    def is_nearly(self, other: "NoiseLevels") -> bool:
        """Whether both draw the same but for rounding: the numbers in other programs' marks have 32 bits."""
        ours, theirs = self.told(), other.told()
        return ours.keys() == theirs.keys() and all(_are_close(ours[name], theirs[name]) for name in ours)

    def node(self, kind: Kind) -> str:
        """The node that sets them, and how, for people."""
        name = next((each for each, known in DISCRETE.items() if known == kind), kind)
        if self.table == "path":
            if (self.multiplier, self.steps) == (1.0, FLUX_LEVELS):
                return f"ModelSamplingFlux with a shift of {math.log(self.shift or 1.0):.4g}"
            return f"ModelSampling{'AuraFlow' if self.multiplier == 1.0 else 'SD3'} with a shift of {self.shift:g}"
        if self.table == "cosine":
            return f"ModelSamplingStableCascade with a shift of {self.shift:g}"
        if self.table in RANGES:
            which = "V" if self.table == "angle" else "EDM"
            return f"ModelSamplingContinuous{which} with {name} from {self.sigma_max:g} to {self.sigma_min:g}"
        has_no_signal = self.schedule is not None and self.schedule.zero_terminal_snr
        return f"ModelSamplingDiscrete with {name}{' and zsnr' if has_no_signal else ''}"

    def _check(self) -> None:
        """Raises: TypeError, ValueError or SamplingError, for what makes no table."""
        if self.table not in NUMBERS:
            raise ValueError(f"expected a table of {', '.join(NUMBERS)}, got {self.table!r}")
        for name in ("sigma_data", *NUMBERS[self.table]):
            if getattr(self, name) is None:
                raise ValueError(f"{name} should be a number above 0, got none")
        counts = [self.steps or 2, BetaSchedule.steps if self.schedule is None else self.schedule.steps]
        if not all(isinstance(each, int) and 2 <= each <= MOST_STEPS for each in counts):
            raise ValueError(f"expected 2 to {MOST_STEPS} steps, got {counts}")
        if self.schedule is not None:
            self.schedule.betas()
        self.sigmas()


def _schedule(said: object) -> BetaSchedule:
    """Raises: TypeError or ValueError, for what is none."""
    if not isinstance(said, Mapping):
        raise TypeError(f"schedule should be an object, got {said!r:.40}")
    has_no_signal = said.get("zero_terminal_snr", False)
    if not isinstance(has_no_signal, bool):
        raise TypeError(f"zero_terminal_snr should be true or false, got {has_no_signal!r:.40}")
    return BetaSchedule(**_floats(said, ("start", "end")))


def _floats(said: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The same with these as floats, where they are said. Raises: ValueError, for one that is no number above 0."""
    return {**said, **{name: _above_zero(name, said[name]) for name in names if said.get(name) is not None}}


def _above_zero(name: str, value: object) -> float:
    # JSON's whole numbers may be larger than any float; comparing them is exact.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < LARGEST:
        raise ValueError(f"{name} should be a number above 0 and below {LARGEST:g}, got {value!r:.40}")
    return float(value)


def _of_table(table: SigmaTable) -> NoiseLevels | None:
    usual = BetaSchedule()
    if type(table) is DistilledTable or (type(table) is SigmaTable and not table.flow):
        if table.schedule is None:
            return None
        kind = "distilled" if isinstance(table, DistilledTable) else "steps"
        return NoiseLevels(kind, schedule=None if table.schedule == usual else table.schedule)
    # Only a later ModelSamplingDiscrete asks for it, and that says for itself how the schedule ends.
    before = None if table.schedule is None else replace(table.schedule, zero_terminal_snr=False)
    kept = None if before == usual else before
    if type(table) is SigmaTable:
        return NoiseLevels("path", shift=table.shift, multiplier=table.multiplier, steps=len(table), schedule=kept)
    if isinstance(table, CosineTable):
        return NoiseLevels("cosine", shift=table.stretch, schedule=kept)
    for kind, known in RANGES.items():
        if isinstance(table, ContinuousTable) and type(table) is known:
            return NoiseLevels(kind, sigma_min=table.ends[0], sigma_max=table.ends[1], schedule=kept)
    return None


def _are_close(ours: Any, theirs: Any) -> bool:
    return math.isclose(ours, theirs, rel_tol=1e-6) if isinstance(ours, float) else bool(ours == theirs)
