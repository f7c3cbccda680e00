"""Other ways to read a model's answers than its file says: what the ModelSampling nodes choose between."""

import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from engine.errors import SamplingError
from engine.sampling.betas import BetaSchedule
from engine.sampling.continuous import AngleTable, ContinuousTable, DistilledTable, ShareTable
from engine.sampling.cosine import CosineTable
from engine.sampling.prediction import Kind, Prediction
from engine.sampling.table import SigmaTable

DISCRETE: Mapping[str, Kind] = MappingProxyType(
    {"eps": "eps", "v_prediction": "v", "lcm": "lcm", "x0": "x0", "img_to_img": "img_to_img"}
)
"""What a network tells at the steps of its training, by the name that workflows know."""

PLAYGROUND = "edm_playground_v2.5"
"""EDM on the latents of Playground 2.5, which are scaled in a way of their own (latent_format.PLAYGROUND)."""

CONTINUOUS: Mapping[str, tuple[Kind, float]] = MappingProxyType(
    {
        "v_prediction": ("v", 1.0),
        "edm": ("edm", 0.5),
        PLAYGROUND: ("edm", 0.5),
        "eps": ("eps", 1.0),
        "cosmos_rflow": ("cosmos_rflow", 1.0),
    }
)
"""What a network tells at any level of a range, and the deviation of its latents. Source: node_behaviour 8."""

FLUX_LEVELS = 10000
LARGEST_LOGARITHM = 700.0  # Beyond it, numbers end.
FLUX_TOKENS = (256, 4096)  # Between these many tokens Flux's shift is on a straight line. Source: its inference code.


def discrete(before: Prediction, sampling: str, zero_terminal_snr: bool = False) -> Prediction:
    """At the steps of a training schedule, the one the model came with; `zero_terminal_snr` ends it in pure noise.

    Raises: SamplingError, for an unknown name.
    """
    kind = DISCRETE[_known(sampling, DISCRETE)]
    schedule = before.table.schedule or BetaSchedule()
    table = SigmaTable.from_betas(replace(schedule, zero_terminal_snr=zero_terminal_snr))
    return Prediction(kind, DistilledTable.of(table) if kind == "lcm" else table)


def continuous(before: Prediction, sampling: str, sigma_max: float, sigma_min: float) -> Prediction:
    """At any level of a range. Raises: SamplingError, for an unknown name or a range that is none."""
    kind, sigma_data = CONTINUOUS[_known(sampling, CONTINUOUS)]
    table = (ShareTable if kind == "cosmos_rflow" else ContinuousTable).between(sigma_min, sigma_max)
    return Prediction(kind, replace(table, schedule=before.table.schedule), sigma_data)


def continuous_v(before: Prediction, sigma_max: float, sigma_min: float) -> Prediction:
    """Velocity at any level of a range, asked about at its angle. Raises: SamplingError, for a range that is none."""
    table = AngleTable.between(sigma_min, sigma_max)
    return Prediction("v", replace(table, schedule=before.table.schedule))


def flow(before: Prediction, shift: float, multiplier: float = 1000.0) -> Prediction:
    """On a straight path, its time shifted towards noise. Raises: SamplingError, for a shift that leaves no levels."""
    return Prediction("flow", _flow_table(before, shift, multiplier, 1000))


def flux(before: Prediction, max_shift: float, base_shift: float, width: int, height: int) -> Prediction:
    """On a straight path, shifted the more the larger the picture is.

    Units: width and height in pixels; the shifts are logarithms.
    """
    logarithm = flux_shift(max_shift, base_shift, width, height)
    shift = math.exp(logarithm) if logarithm < LARGEST_LOGARITHM else math.inf
    return Prediction("flow", _flow_table(before, shift, 1.0, FLUX_LEVELS))


def flux_shift(max_shift: float, base_shift: float, width: int, height: int) -> float:
    """The logarithm of the shift of a picture's time, on a line through those of few tokens and of many."""
    few, many = FLUX_TOKENS
    slope = (max_shift - base_shift) / (many - few)
    return width * height / 256 * slope + base_shift - slope * few


def cascade(before: Prediction, shift: float) -> Prediction:
    """Noise at Stable Cascade's levels, each times the shift. Raises: SamplingError, for a shift that leaves none."""
    return Prediction("eps", replace(CosineTable.stretched(shift), schedule=before.table.schedule))


def _flow_table(before: Prediction, shift: float, multiplier: float, steps: int) -> SigmaTable:
    table = None
    if math.isfinite(shift) and shift > 0.0:
        table = _rising(shift, multiplier, steps)
    if table is None:
        raise SamplingError(
            f"a shift of {shift:g} leaves no rising noise levels between picture and noise; 1 shifts nothing, "
            "and values from 0.5 to 12 are usual"
        )
    return replace(table, schedule=before.table.schedule)


def _rising(shift: float, multiplier: float, steps: int) -> SigmaTable | None:
    """The shifted table; None where so strong a shift makes levels fall together."""
    try:
        return SigmaTable.from_flow(shift, multiplier, steps)
    except SamplingError:
        return None


def _known(sampling: str, names: Mapping[str, object]) -> str:
    if sampling not in names:
        raise SamplingError(f"sampling {sampling!r} is unknown; choose one of {', '.join(names)}")
    return sampling
