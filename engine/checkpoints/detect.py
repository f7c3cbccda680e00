"""Which family a file belongs to, and when it belongs to none, why not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.checkpoints.families import recognised, sd1, sd2, sdxl, x4_upscaler
from engine.checkpoints.family import Condition, Family, Lacks, find
from engine.checkpoints.tensors import Shape, Shapes, TensorFile
from engine.errors import CheckpointError

FAMILIES: tuple[Family, ...] = (
    *recognised.TRANSFORMERS,
    *recognised.UNETS,
    x4_upscaler.FAMILY,
    sd2.LOTUS,
    sd2.UNCLIP,
    sd2.FAMILY,
    sdxl.REFINER,
    sdxl.FAMILY,
    sd1.FAMILY,
)
"""In the order they are asked: the particular before the general."""

PREFIXES = ("model.diffusion_model.", "model.model.", "net.", "diffusion_model.")
"""What the denoiser's tensors begin with in files that hold more than it."""

FEWEST = 5
"""A prefix counts when more tensors than this have it. Source: node_behaviour.md A.1."""

_BLOCKS = ("input_blocks", "middle_block", "output_blocks", "time_embed", "label_emb", "out")
"""What the names of a UNet's tensors begin with."""

OTHER_KINDS: Mapping[tuple[str, ...], str] = {
    (
        "*.lora_up.weight",
        "*.lora_A.weight",
        "*.lora.up.weight",
        "*.hada_w1_a",
        "*.lokr_w1",
        "*.lokr_w1_a",
        "*.oft_blocks",
    ): "a LoRA; put it in models/loras and load it with LoraLoader",
    (
        "*zero_convs.0.0.weight",
        "*controlnet_cond_embedding.conv_in.weight",
        "lora_controlnet",
    ): "a ControlNet; put it in models/controlnet and load it with ControlNetLoader",
    ("*decoder.conv_in.weight",): "an autoencoder; put it in models/vae and load it with VAELoader",
    (
        "*vision_model.encoder.layers.0.self_attn.q_proj.weight",
    ): "a CLIP vision model; put it in models/clip_vision and load it with CLIPVisionLoader",
    ("*position_net.null_positive_feature",): "a GLIGEN; put it in models/gligen and load it with GLIGENLoader",
    ("*body.0.block1.weight",): "a T2I-Adapter; put it in models/controlnet and load it with ControlNetLoader",
    ("style_embedding",): "a style model; put it in models/style_models and load it with StyleModelLoader",
    ("*encoder.layers.0.self_attn.q_proj.weight", "*resblocks.0.ln_1.weight"): "a text encoder alone",
    ("emb_params", "clip_l", "clip_g"): "a learned embedding; put it in models/embeddings",
    ("*RDB1.conv1.0.weight", "*RDB1.conv1.weight", "*rdb1.conv1.weight"): "an upscale model",
}
"""What else people put into models/checkpoints, by a tensor that gives it away."""


@dataclass(frozen=True)
class Match:
    """A file's family, and what the names of its denoiser's tensors begin with."""

    family: Family
    prefix: str


def detect(file: TensorFile) -> Match:
    """The family of a checkpoint.

    Raises: CheckpointError, for a family we cannot run, a file of another kind (saying what it is), or an unknown one
    (naming the nearest family and what would be missing).
    """
    prefix = network_prefix(file.shapes)
    shapes = _seen(file, prefix)
    for family in FAMILIES:
        if family.unmet(shapes):
            continue
        if not family.is_supported:
            raise CheckpointError(
                f"{file.path.name}: this is a checkpoint of {family.name}, which is not supported yet; "
                f"supported are: {', '.join(each.name for each in FAMILIES if each.is_supported)}"
            )
        return Match(family, prefix)
    raise CheckpointError(f"{file.path.name}: {_why_none(file.shapes, shapes, prefix)}")


def network_prefix(shapes: Shapes) -> str:
    """What the denoiser's tensors begin with; nothing, in a file that holds a denoiser alone."""
    counts = {prefix: sum(name.startswith(prefix) for name in shapes) for prefix in PREFIXES}
    best = max(counts, key=lambda prefix: counts[prefix])
    return best if counts[best] > FEWEST else ""


def _seen(file: TensorFile, prefix: str) -> dict[str, Shape]:
    """The tensors as conditions speak of them: the denoiser's by their own names, all by their full ones."""
    return {**file.below(prefix), **{f"/{name}": shape for name, shape in file.shapes.items()}}


def _why_none(all_shapes: Shapes, shapes: Shapes, prefix: str) -> str:
    for marks, kind in OTHER_KINDS.items():
        if not prefix and any(find(all_shapes, mark) is not None for mark in marks):
            return f"not a checkpoint but {kind}"
    few, found = _few(all_shapes, prefix)
    if found:
        return (
            f"of no known family; of a denoiser only {', '.join(found)} is in it. "
            f"Nearest is {sd1.FAMILY.name}, but missing: {_texts(sd1.FAMILY.unmet(few))}"
        )
    nearest = min(FAMILIES, key=lambda family: len(family.unmet(shapes)) / len(family.conditions))
    unmet = nearest.unmet(shapes)
    if all(isinstance(condition, Lacks) or condition in unmet for condition in nearest.conditions):
        examples = ", ".join(sorted(all_shapes)[:3])
        return (
            f"of no known family; nothing in it looks like a denoiser (it has {len(all_shapes)} tensors such as "
            f"{examples}). Nearest is {sd1.FAMILY.name}, which would need {_texts(sd1.FAMILY.unmet(shapes))}"
        )
    return f"of no known family; nearest is {nearest.name}, but missing: {_texts(unmet)}"


def _few(all_shapes: Shapes, prefix: str) -> tuple[dict[str, Shape], list[str]]:
    """The tensors and full names of a denoiser that has too few of them to go by, as in a file that was cut down."""
    for each in (prefix, *PREFIXES):
        below = {name[len(each) :]: shape for name, shape in all_shapes.items() if name.startswith(each)}
        is_denoiser = any(name.split(".")[0] in _BLOCKS for name in below)
        if len(below) <= FEWEST and is_denoiser:
            return below, sorted(each + name for name in below)
    return {}, []


def _texts(conditions: Iterable[Condition]) -> str:
    return "; ".join(condition.text() for condition in conditions)
