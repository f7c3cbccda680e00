"""What LoRA files may call each weight of a model, in ComfyUI's terms. Source: node_behaviour.md B.1."""

from collections.abc import Iterator, Mapping
from typing import Any

from compat.dress import engine_config
from engine.checkpoints import keys
from engine.checkpoints import lora as files

UNET = "diffusion_model."

_LAYERS = {"mlp.fc1", "mlp.fc2", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"}


def of_unet(model: Any) -> dict[str, str]:
    """Name in files -> weight of a BaseModel."""
    known = [name for name in model.state_dict() if name.startswith(UNET)]
    config = getattr(getattr(model, "diffusion_model", None), "config", None)
    if config is None and "in_channels" in model.model_config.unet_config:
        config = engine_config(model.model_config.unet_config)
    theirs = {} if config is None else {ours: name for name, ours in keys.unet_names(config).items()}
    found: dict[str, str] = {}
    for key in known:
        module = key.removeprefix(UNET).removesuffix(".weight")
        found[f"{UNET}{module}"] = key
        if not key.endswith(".weight"):
            continue
        found["lora_unet_" + module.replace(".", "_")] = key
        other = files._their_name(module, theirs)
        if other is not None:
            found.update((name, key) for name in files._diffusers_spellings(other))
    return found


def of_clip(model: Any) -> dict[str, str]:
    """Name in files -> weight of a text encoder model (`clip_l.transformer.text_model.…`, `clip_g…`, `t5xxl…`)."""
    known = list(model.state_dict())
    found: dict[str, str] = {}
    has = {kind: any(name.startswith(f"{kind}.") for name in known) for kind in ("clip_l", "clip_h", "clip_g")}
    for key in known:
        if key.endswith(".weight"):
            found[f"text_encoders.{key.removesuffix('.weight')}"] = key
            found.update((name, key) for name in _spellings(key, has))
    return found


def _spellings(key: str, has: Mapping[str, bool]) -> Iterator[str]:
    encoder, _, rest = key.partition(".")
    module = rest.removeprefix("transformer.").removesuffix(".weight")
    if module == "text_projection" and encoder == "clip_g":
        yield from ("lora_te2_text_projection", "lora_prior_te_text_projection")
    elif module == "text_projection":
        yield "lora_te1_text_projection"
    layer = ".".join(module.split(".")[-2:])
    if not module.startswith("text_model.encoder.layers.") or layer not in _LAYERS:
        yield from _t5_spellings(encoder, module, has)
        return
    flat = module.replace(".", "_")
    if encoder in ("clip_l", "clip_h"):
        yield from (f"lora_te_{flat}", f"lora_te1_{flat}", f"text_encoder.{module}")
        return
    if encoder == "clip_g" and has["clip_l"]:
        yield from (f"lora_te2_{flat}", f"text_encoder_2.{module}")
    elif encoder == "clip_g":
        yield from (f"lora_te_{flat}", f"text_encoder.{module}", f"lora_prior_te_{flat}")


def _t5_spellings(encoder: str, module: str, has: Mapping[str, bool]) -> Iterator[str]:
    if encoder == "t5xxl" and module.startswith("encoder."):
        place = 1 + has["clip_g"] + has["clip_l"]
        flat = module.replace(".", "_")
        yield f"lora_te{place}_{flat}"
        if place == 2:  # Flux's trainers count on both sides
            yield f"lora_te3_{flat}"
