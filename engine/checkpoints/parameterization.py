"""What a checkpoint's denoiser predicts and at which noise levels, where its family does not settle it.

Source: node_behaviour.md A.4 and 9 (the keys that mark files).
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from engine.checkpoints.configs import Configuration
from engine.checkpoints.detect import Match
from engine.checkpoints.hints import Hints
from engine.checkpoints.tensors import TensorFile
from engine.errors import CheckpointError, SamplingError
from engine.models.latent_format import PLAYGROUND, LatentFormat
from engine.sampling.betas import BetaSchedule
from engine.sampling.continuous import ContinuousTable
from engine.sampling.cosine import CosineTable
from engine.sampling.prediction import Kind, Prediction
from engine.sampling.table import SigmaTable

VELOCITY, NO_SIGNAL = "v_pred", "ztsnr"
"""Empty tensors that mark networks which predict velocity, and those trained down to pure noise."""

EDM_MAX, EDM_MIN = "edm_vpred.sigma_max", "edm_vpred.sigma_min"
"""Numbers that mark networks which predict velocity at any level of a range (CosXL)."""

PLAYGROUND_MARKS = ("edm_mean", "edm_std")

LOWEST_LEVEL = 0.002  # Karras et al. 2022, table 1; also CosXL's, where the file does not say.
PLAYGROUND_LEVELS = (0.002, 80.0)
PLAYGROUND_DEVIATION = 0.5

TELLTALE = "output_blocks.11.1.transformer_blocks.0.norm1.bias"
VELOCITY_SPREAD = 0.09
"""How Stable Diffusion 2's networks are told apart: this tensor spreads wider in those that predict velocity."""


def prediction(file: TensorFile, match: Match, hints: Hints, said: Configuration | None = None) -> Prediction:
    """What a file's denoiser predicts, unless somebody said so. Raises: CheckpointError, where its marks cannot be."""
    if said is not None and said.noise is not None and match.family.prediction in ("eps", "v"):
        return said.noise
    if said is not None and said.prediction is not None:
        return of_kind(said.prediction, match.family.betas)
    if hints.noise_levels is not None:
        kind = hints.prediction or match.family.prediction
        try:
            return hints.noise_levels.prediction(kind)
        except SamplingError as error:
            raise CheckpointError(
                f"{file.path.name}: its metadata says noise_levels that cannot be: {error}"
            ) from error
    return of_kind(hints.prediction, match.family.betas) if hints.prediction is not None else marked(file, match)


def marked(file: TensorFile, match: Match) -> Prediction:
    """What a file's tensors alone say that its denoiser predicts. Raises: CheckpointError, where they cannot be."""
    shapes = file.shapes
    if is_playground(file, match):
        return Prediction("edm", ContinuousTable.between(*PLAYGROUND_LEVELS), PLAYGROUND_DEVIATION)
    if match.family.id == "sdxl" and EDM_MAX in shapes:
        marks = file.load([name for name in (EDM_MAX, EDM_MIN) if name in shapes])
        lowest = _number(file, marks, EDM_MIN) if EDM_MIN in marks else LOWEST_LEVEL
        return Prediction("v", ContinuousTable.between(lowest, _number(file, marks, EDM_MAX)))
    if VELOCITY in shapes and match.family.prediction == "eps":
        return of_kind("v", BetaSchedule(zero_terminal_snr=NO_SIGNAL in shapes))
    if match.family.id == "sd2" and _spreads_wide(file, match.prefix):
        return of_kind("v")
    return of_kind(match.family.prediction, match.family.betas)


def marked_for_others(file: TensorFile, match: Match) -> Prediction:
    """What other programs take a file's denoiser to predict: they look for marks in SDXL's files alone."""
    if match.family.id == "sdxl":
        return marked(file, match)
    names = {*PLAYGROUND_MARKS, EDM_MAX, EDM_MIN, VELOCITY, NO_SIGNAL}
    return marked(replace(file, shapes={name: each for name, each in file.shapes.items() if name not in names}), match)


def of_kind(kind: Kind, schedule: BetaSchedule | None = None) -> Prediction:
    """A prediction at a family's usual noise levels."""
    return Prediction(kind, SigmaTable.from_flow() if kind == "flow" else SigmaTable.from_betas(schedule))


def latent_format(
    file: TensorFile, match: Match, usual: LatentFormat, hints: Hints, said: Configuration | None = None
) -> LatentFormat:
    """A file's latents, where it or somebody says that they are not its family's."""
    named = said.latents if said is not None and said.latents is not None else hints.latents
    return PLAYGROUND if named == "playground" or is_playground(file, match) else usual


def shows_scaled(file: TensorFile, match: Match, hints: Hints) -> bool:
    """Whether an editing network was trained on pictures as it draws them: CosXL's was. Source: node_behaviour A.5."""
    if hints.scaled_picture is not None:
        return hints.scaled_picture
    return match.family.id == "sdxl" and EDM_MAX in file.shapes


def is_playground(file: TensorFile, match: Match) -> bool:
    """Whether this is Playground 2.5 or made of it: SDXL's network on latents scaled in another way."""
    return match.family.id == "sdxl" and all(name in file.shapes for name in PLAYGROUND_MARKS)


def marks(prediction: Prediction, latents: LatentFormat | None = None) -> dict[str, Tensor]:
    """What a file says of a prediction that is not its family's: the tensors that mark it."""
    table = prediction.table
    if prediction.kind == "edm" and latents is not None and latents.mean:
        statistics = zip(PLAYGROUND_MARKS, (latents.mean, latents.deviation), strict=True)
        return {name: torch.tensor(values).view(1, -1, 1, 1) for name, values in statistics}
    if prediction.kind == "v" and isinstance(table, ContinuousTable) and type(table) is ContinuousTable:
        return {EDM_MAX: torch.tensor(table.ends[1]), EDM_MIN: torch.tensor(table.ends[0])}
    made = {VELOCITY: torch.tensor([])} if prediction.kind == "v" else {}
    of_steps = not table.flow and not isinstance(table, ContinuousTable | CosineTable)
    if of_steps and table.schedule is not None and table.schedule.zero_terminal_snr:
        made[NO_SIGNAL] = torch.tensor([])
    return made


def _spreads_wide(file: TensorFile, prefix: str) -> bool:
    name = prefix + TELLTALE
    if name not in file.shapes or file.shapes.get(f"{prefix}input_blocks.0.0.weight", (0, 0))[1] != 4:
        return False
    found = file.load([name]).get(name)
    return found is not None and bool(found.float().std(correction=0) > VELOCITY_SPREAD)


def _number(file: TensorFile, tensors: Mapping[str, Tensor], name: str) -> float:
    value = tensors[name]
    if value.numel() != 1 or not bool(torch.isfinite(value.float()).all()) or float(value) <= 0:
        raise CheckpointError(f"{file.path.name}: {name} should be one noise level above 0, got {value.tolist()!r:.80}")
    return float(value)
