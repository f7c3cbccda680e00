"""What files of changes call the weights of a model: every trainer has names of its own, and all are understood.

Names of ours are those of checkpoints: `input_blocks.1.1…` in a denoiser, `clip_l.transformer.text_model.…` in a text
encoder. Source: node_behaviour.md B.1.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping

from engine.checkpoints.keys import unet_names
from engine.models.unet_config import UNetConfig

Named = tuple[str, str]
"""What a file calls a weight, and the weight."""

LAYERS = {"mlp.fc1", "mlp.fc2", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"}
"""What trainers change in a layer of CLIP."""

CLIP_LAYERS = "text_model.encoder.layers."


def of_unet(weights: Iterable[str], config: UNetConfig | None) -> Iterator[Named]:
    """Every name of a denoiser's weights; without a configuration those of the original layout only."""
    theirs: dict[str, list[str]] = {}
    for name, ours in ({} if config is None else unet_names(config)).items():
        theirs.setdefault(ours, []).append(name)
    for weight in weights:
        module = weight.removesuffix(".weight")
        yield f"diffusion_model.{module}", weight
        if not weight.endswith(".weight"):
            continue
        yield "lora_unet_" + module.replace(".", "_"), weight
        for other in _their_names(module, theirs):
            yield from ((name, weight) for name in _diffusers_spellings(other))


def of_text(weights: Collection[str]) -> Iterator[Named]:
    """Every name of text encoders' weights. Which encoders there are together decides what some names mean."""
    encoders = {weight.partition(".")[0] for weight in weights}
    for weight in weights:
        if weight.endswith(".weight"):
            yield f"text_encoders.{weight.removesuffix('.weight')}", weight
            yield from ((name, weight) for name in _text_spellings(weight, encoders))


def full_of_text(name: str) -> str:
    """A text encoder's weight as ComfyUI and the trainers know it: `clip_l.transformer.text_model.…`."""
    encoder, _, rest = name.partition(".")
    if rest.startswith("transformer."):  # an encoder of a plugin's
        return name
    inner = "" if rest.startswith("text_projection") else "text_model."
    return f"{encoder}.transformer.{inner}{rest}"


def _their_names(module: str, theirs: Mapping[str, Iterable[str]]) -> list[str]:
    head = module
    while head:
        if head in theirs:
            return [name + module[len(head) :] for name in theirs[head]]
        head = head.rpartition(".")[0]
    return []


def _diffusers_spellings(name: str) -> Iterator[str]:
    flat = name.replace(".", "_")
    yield "lora_unet_" + flat
    yield "lycoris_" + flat
    old = name.replace(".to_", ".processor.to_")
    for spelling in (name, old, old.removesuffix(".0") if old.endswith("to_out.0") else old):
        yield spelling
        yield "unet." + spelling


def _text_spellings(weight: str, encoders: set[str]) -> Iterator[str]:
    encoder, _, rest = weight.removesuffix(".weight").partition(".")
    module = rest.removeprefix("transformer.")
    if module == "text_projection":
        yield from _PROJECTIONS.get(encoder, ())
    is_layer = module.startswith(CLIP_LAYERS) and ".".join(module.split(".")[-2:]) in LAYERS
    if encoder == "t5xxl" and module.startswith("encoder."):
        yield from _t5_spellings(module.replace(".", "_"), encoders)
    elif is_layer:
        # ComfyUI's names have `text_model.` after `text_encoder.`, transformers 5's do not.
        flat, short = module.replace(".", "_"), module.removeprefix("text_model.")
        if encoder == "clip_g" and "clip_l" in encoders:
            yield from (f"lora_te2_{flat}", f"text_encoder_2.{module}", f"text_encoder_2.{short}")
        elif encoder == "clip_g":
            yield from (f"lora_te_{flat}", f"lora_prior_te_{flat}", f"text_encoder.{module}", f"text_encoder.{short}")
        else:
            yield from (f"lora_te_{flat}", f"lora_te1_{flat}", f"text_encoder.{module}", f"text_encoder.{short}")


_PROJECTIONS = {
    "clip_g": ("lora_te2_text_projection", "lora_prior_te_text_projection"),
    "clip_l": ("lora_te1_text_projection",),
    "clip_h": ("lora_te1_text_projection",),
}


def _t5_spellings(flat: str, encoders: set[str]) -> Iterator[str]:
    place = 1 + ("clip_g" in encoders) + ("clip_l" in encoders)
    yield f"lora_te{place}_{flat}"
    if place == 2:  # Flux's trainers count on both sides
        yield f"lora_te3_{flat}"
