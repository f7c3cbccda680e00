"""What LoRA files may call each weight of a model, in ComfyUI's terms. Source: node_behaviour.md B.1."""

from typing import Any

from compat.dress import engine_config
from engine.adapters import names

UNET = "diffusion_model."


def of_unet(model: Any) -> dict[str, str]:
    """Name in files -> weight of a BaseModel."""
    known = [name.removeprefix(UNET) for name in model.state_dict() if name.startswith(UNET)]
    config = getattr(getattr(model, "diffusion_model", None), "config", None)
    if config is None and "in_channels" in model.model_config.unet_config:
        config = engine_config(model.model_config.unet_config)
    return {name: UNET + weight for name, weight in names.of_unet(known, config)}


def of_clip(model: Any) -> dict[str, str]:
    """Name in files -> weight of a text encoder model (`clip_l.transformer.text_model.…`, `clip_g…`, `t5xxl…`)."""
    return dict(names.of_text(list(model.state_dict())))
