"""Text encoders in files of their own: which one it is, and under which names its weights are.

Source: node_behaviour.md A.8.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from engine.checkpoints import open_clip
from engine.checkpoints.family import TextSpec
from engine.checkpoints.keys import clip_name
from engine.checkpoints.tensors import TensorFile
from engine.errors import CheckpointError

CLIP_L = TextSpec("clip_l", "")
CLIP_H = TextSpec("clip_h", "", padding=0, last_layer=-2)
CLIP_G = TextSpec("clip_g", "", padding=0, last_layer=-2, final_norm=False)

PREFIXES = (
    "",
    "cond_stage_model.model.",
    "cond_stage_model.transformer.",
    "conditioner.embedders.0.model.",
    *(f"text_encoders.{name}.transformer." for name in ("clip_l", "clip_h", "clip_g")),
    *(f"{name}.transformer." for name in ("clip_l", "clip_h", "clip_g")),
)
"""Where a text encoder may be in a file of its own."""

OTHERS = {
    "encoder.block.0.layer.0.SelfAttention.k.weight": "a T5 text encoder",
    "model.layers.0.self_attn.q_proj.weight": "a language model",
}

PROJECTION = "text_projection.weight"


@dataclass(frozen=True)
class Tower:
    """The weights of a CLIP text encoder under transformers 5's names, and which one it is.

    Shapes: projection [P, D], where the file has one.
    """

    spec: TextSpec
    tensors: Mapping[str, Tensor]
    projection: Tensor | None = None


def tower(file: TensorFile) -> Tower:
    """The CLIP text encoder of a file. Raises: CheckpointError, naming what it is instead where we can tell."""
    for prefix in PREFIXES:
        below = file.below(prefix)
        if open_clip.is_open_clip(below):
            return _tower(open_clip.converted(file.read(prefix)))
        if any(clip_name(name) == "encoder.layers.0.mlp.fc1.weight" for name in below):
            return _tower({clip_name(name): tensor for name, tensor in file.read(prefix).items()})
    for mark, kind in OTHERS.items():
        if any(name.endswith(mark) for name in file.shapes):
            raise CheckpointError(
                f"{file.path.name}: {kind}, which is not supported yet; supported are CLIP-L, CLIP-H and CLIP-G"
            )
    raise CheckpointError(
        f"{file.path.name}: no text encoder inside; expected tensors such as "
        f"text_model.encoder.layers.0.mlp.fc1.weight, got {', '.join(sorted(file.shapes)[:3])}"
    )


def _tower(tensors: Mapping[str, Tensor]) -> Tower:
    spec = CLIP_L
    for layer, known in ((30, CLIP_G), (22, CLIP_H)):
        if f"encoder.layers.{layer}.mlp.fc1.weight" in tensors:
            spec = known
            break
    network = {name: tensor for name, tensor in tensors.items() if name.split(".")[0] in _PARTS}
    matrix = tensors.get("text_projection")  # OpenAI's own layout stores it the other way round
    return Tower(spec, network, tensors.get(PROJECTION, None if matrix is None else matrix.T))


_PARTS = ("embeddings", "encoder", "final_layer_norm")
