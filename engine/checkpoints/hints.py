"""What the shapes in a file cannot say about its networks, and the file says itself.

Our own miniatures have other numbers of heads than the families' networks; their metadata says so under the key
`latentwire`, as JSON: {"unet_heads": 4, "clip_heads": 4, "clip_activation": "quick_gelu", "prediction": "eps"}. Their
autoencoders are their own too; `latent_colours` are what previews are painted with (LatentFormat.rgb_factors, and
rgb_bias as the last row). Files that were saved say besides what nodes set on the model: `noise_levels` (an object,
engine/checkpoints/noise_levels.py), `latents` ("playground"), and for editing networks `scaled_picture`.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, get_args

from engine.checkpoints.noise_levels import NoiseLevels
from engine.errors import CheckpointError
from engine.sampling.prediction import Kind

METADATA = "latentwire"
"""The key of the metadata."""

TOKEN_IDS = "latentwire.token_ids"
"""A tensor [n]: which tokens the rows of a shortened token table are for. The others' rows are the mean of these."""

LATENTS = ("playground",)
"""Latents that a file may say it has in the place of its family's."""


@dataclass(frozen=True)
class Hints:
    """None where nothing is said; the family's usual value holds then."""

    unet_heads: int | None = None
    clip_heads: int | None = None
    clip_activation: str | None = None
    prediction: Kind | None = None
    latent_colours: tuple[tuple[float, ...], ...] | None = None
    noise_levels: NoiseLevels | None = None
    latents: str | None = None
    scaled_picture: bool | None = None

    @classmethod
    def of(cls, metadata: Mapping[str, str], file_name: str) -> "Hints":
        """What a file's metadata says; keys it has besides are left alone.

        Raises: CheckpointError, when it says something impossible.
        """
        try:
            said = dict(json.loads(metadata.get(METADATA, "{}")))
        except (ValueError, TypeError) as error:
            raise CheckpointError(f"{file_name}: its metadata {METADATA!r} is not a JSON object") from error
        known = {field.name: said[field.name] for field in fields(cls) if said.get(field.name) is not None}
        levels = known.pop("noise_levels", None)
        for name, value in known.items():
            if not _is_possible(name, value):
                raise CheckpointError(f"{file_name}: its metadata says {name} = {value!r}, which cannot be")
        try:
            return cls(**known, noise_levels=None if levels is None else NoiseLevels.read(levels))
        except CheckpointError as error:
            raise CheckpointError(f"{file_name}: its metadata says {error}") from error

    def metadata(self) -> dict[str, str]:
        """These hints as a file's metadata."""
        said = {name: value for name, value in asdict(self).items() if value is not None}
        if self.noise_levels is not None:
            said["noise_levels"] = self.noise_levels.told()
        return {METADATA: json.dumps(said)}


def _is_possible(name: str, value: Any) -> bool:
    if name == "latent_colours":
        return _are_colours(value)
    if name == "prediction":
        return value in get_args(Kind)
    if name == "latents":
        return value in LATENTS
    if name == "scaled_picture":
        return isinstance(value, bool)
    if name == "clip_activation":
        from engine.text.clip import ACT2FN  # slow; but who says this has a text encoder, which needs it anyway

        return isinstance(value, str) and value in ACT2FN
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _are_colours(rows: Any) -> bool:
    """Whether these are rows of three finite numbers, one per channel and one more."""
    if not isinstance(rows, list | tuple) or not 2 <= len(rows) <= 129:
        return False
    return all(
        isinstance(row, list | tuple)
        and len(row) == 3
        and all(isinstance(each, int | float) and not isinstance(each, bool) and math.isfinite(each) for each in row)
        for row in rows
    )
