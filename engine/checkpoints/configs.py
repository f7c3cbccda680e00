"""Old configuration files (v1-inference.yaml and its like): what they say of a checkpoint that the checkpoint does not.

Source: node_behaviour.md 6, CheckpointLoader: what is predicted, and which layer of the text encoder is taken. All
else such a file says is read off the checkpoint's own tensors.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from engine.errors import CheckpointError
from engine.sampling.prediction import Kind, Prediction

LARGEST = 1 << 20  # bytes; the published ones have less than 4,000


@dataclass(frozen=True)
class Configuration:
    """What is known of a checkpoint besides its tensors; None where nothing is said.

    `last_layer` is the text encoder's that is taken, -1 the last. `noise` is what is predicted, and at which levels,
    where they are not the usual ones. `latents` are other ones than the family's, by name (hints.LATENTS).
    """

    prediction: Kind | None = None
    last_layer: int | None = None
    noise: Prediction | None = None
    latents: str | None = None


STANDARD: Mapping[str, Configuration] = MappingProxyType(
    {
        "anything_v3.yaml": Configuration(last_layer=-2),
        "v1-inference.yaml": Configuration(),
        "v1-inference_clip_skip_2.yaml": Configuration(last_layer=-2),
        "v1-inference_clip_skip_2_fp16.yaml": Configuration(last_layer=-2),
        "v1-inference_fp16.yaml": Configuration(),
        "v1-inpainting-inference.yaml": Configuration(),
        "v2-inference-v.yaml": Configuration("v"),
        "v2-inference-v_fp32.yaml": Configuration("v"),
        "v2-inference.yaml": Configuration(),
        "v2-inference_fp32.yaml": Configuration(),
        "v2-inpainting-inference.yaml": Configuration(),
    }
)
"""The files that everybody has, by name; nothing of them is needed but this."""


def read(path: Path) -> Configuration:
    """What a configuration file says. Nothing in it is run. Raises: CheckpointError."""
    try:
        if path.stat().st_size > LARGEST:
            raise CheckpointError(
                f"{path.name}: more than {LARGEST:,} bytes, which no configuration has; choose another"
            )
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise CheckpointError(f"{path.name}: cannot be read as a configuration ({error}); choose another") from error
    params = _inside(said, "model", "params")
    if not isinstance(params, Mapping):
        raise CheckpointError(
            f"{path.name}: no configuration of a checkpoint; expected model: params: …, as in v1-inference.yaml"
        )
    text = _inside(params, "cond_stage_config", "params")
    layer = text.get("layer_idx") if isinstance(text, Mapping) else None
    return Configuration(
        "v" if params.get("parameterization") == "v" else None,
        layer if isinstance(layer, int) and not isinstance(layer, bool) else None,
    )


def _inside(said: Any, *keys: str) -> Any:
    for key in keys:
        said = said.get(key) if isinstance(said, Mapping) else None
    return said
