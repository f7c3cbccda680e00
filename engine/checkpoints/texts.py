"""Text encoders in files of their own: which one it is, and under which names its weights are.

Source: node_behaviour.md A.8.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import Tensor

from engine.checkpoints import open_clip
from engine.checkpoints.family import TextSpec
from engine.checkpoints.keys import clip_name
from engine.checkpoints.tensors import TensorFile
from engine.errors import CheckpointError

# Source of the activations: OpenCLIP's configurations; only OpenAI's CLIP-L was trained with the quick one.
CLIP_L = TextSpec("clip_l", "")
CLIP_H = TextSpec("clip_h", "", padding=0, last_layer=-2, activation="gelu", is_projected=True)
CLIP_G = replace(CLIP_H, id="clip_g", final_norm=False)

LAYERS_OF_H = 24

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
    """The weights of a CLIP text encoder under transformers 5's names, and which one it is."""

    spec: TextSpec
    tensors: Mapping[str, Tensor]

    @property
    def is_cut_short(self) -> bool:
        """Whether the layers that its family never uses were left out: Stable Diffusion 2's last, by diffusers."""
        return self.spec.id == "clip_h" and f"encoder.layers.{LAYERS_OF_H - 1}.mlp.fc1.weight" not in self.tensors

    @property
    def projection(self) -> Tensor | None:
        """The way into the space shared with pictures [P, D], where the file has it."""
        return self.tensors.get(PROJECTION)


def network(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a CLIP text encoder in either layout, under transformers 5's names; empty when there is none."""
    if open_clip.is_open_clip(tensors):
        found = open_clip.converted(tensors)
    else:
        found = {clip_name(name): tensor for name, tensor in tensors.items()}
        matrix = found.pop("text_projection", None)  # OpenAI's own layout stores it the other way round
        if matrix is not None:
            found.setdefault(PROJECTION, matrix.T)
    if "embeddings.token_embedding.weight" not in found:
        return {}
    return {name: tensor for name, tensor in found.items() if name.split(".")[0] in _PARTS}


_PARTS = ("embeddings", "encoder", "final_layer_norm", "text_projection")


def tower(file: TensorFile) -> Tower:
    """The CLIP text encoder of a file. Raises: CheckpointError, naming what it is instead where we can tell."""
    for prefix in PREFIXES:
        below = file.below(prefix)
        if open_clip.is_open_clip(below) or any(clip_name(name) == _FIRST for name in below):
            tensors = network(file.read(prefix))
            if tensors:
                found = Tower(_spec(tensors), tensors)
                return replace(found, spec=replace(found.spec, last_layer=-1)) if found.is_cut_short else found
    for mark, kind in OTHERS.items():
        if any(name.endswith(mark) for name in file.shapes):
            raise CheckpointError(
                f"{file.path.name}: {kind}, which is not supported yet; supported are CLIP-L, CLIP-H and CLIP-G"
            )
    raise CheckpointError(
        f"{file.path.name}: no text encoder inside; expected tensors such as "
        f"text_model.encoder.layers.0.mlp.fc1.weight, got {', '.join(sorted(file.shapes)[:3])}"
    )


def _spec(tensors: Mapping[str, Tensor]) -> TextSpec:
    for layer, known in ((30, CLIP_G), (22, CLIP_H)):
        if f"encoder.layers.{layer}.mlp.fc1.weight" in tensors:
            return known
    return CLIP_L


_FIRST = "encoder.layers.0.mlp.fc1.weight"
