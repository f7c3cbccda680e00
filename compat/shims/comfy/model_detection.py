"""ComfyUI's detection: which family a file's network is of. Source: node_behaviour.md A.1 to A.4."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

import comfy.supported_models
import comfy.supported_models_base
from compat import dress
from compat.missing import missing
from engine.checkpoints import keys
from engine.errors import CheckpointError
from engine.models.shapes import Shapes
from engine.models.unet_config import UNetConfig

log = logging.getLogger(__name__)

PREFIXES = ("model.diffusion_model.", "model.model.", "net.")
FEWEST = 5

BASE = comfy.supported_models_base.BASE


def count_blocks(state_dict_keys: Iterable[str], prefix_string: str) -> int:
    """How many blocks there are whose tensors' names begin with the pattern, with 0, 1, 2 … in its braces."""
    names = list(state_dict_keys)
    count = 0
    while any(name.startswith(prefix_string.format(count)) for name in names):
        count += 1
    return count


def unet_prefix_from_state_dict(state_dict: Mapping[str, Any]) -> str:
    """What the network's tensors begin with in a file."""
    counts = {prefix: sum(name.startswith(prefix) for name in state_dict) for prefix in PREFIXES}
    best = max(counts, key=lambda prefix: counts[prefix])
    return best if counts[best] > FEWEST else "model."


def detect_unet_config(
    state_dict: Mapping[str, Tensor], key_prefix: str, metadata: Mapping[str, str] | None = None
) -> dict[str, Any] | None:
    """The configuration of the network below a prefix, or None for what is no network we know the layout of."""
    shapes: Shapes = {
        name[len(key_prefix) :]: tuple(tensor.shape)
        for name, tensor in state_dict.items()
        if name.startswith(key_prefix)
    }
    transformer = _transformer(shapes)
    if transformer is not None:
        return transformer
    if "input_blocks.0.0.weight" not in shapes:
        return None
    try:
        config = UNetConfig.from_shapes(shapes)
    except (CheckpointError, ValueError, IndexError, KeyError, ZeroDivisionError) as error:
        log.warning("the network below %r has a shape of its own: %s", key_prefix, error)
        return None
    made = dress.unet_config(config)
    over_time = any("time_stack.0.attn1.to_q.weight" in name or "time_mix_blocks" in name for name in shapes)
    made["use_temporal_attention"] = made["use_temporal_resblock"] = over_time
    for name in ("num_heads", "num_head_channels"):
        made.pop(name, None)
    return made


def _transformer(shapes: Shapes) -> dict[str, Any] | None:
    """Families by a tensor that gives them away."""
    if "joint_blocks.0.context_block.attn.qkv.weight" in shapes:
        projection = shapes["x_embedder.proj.weight"]
        return {
            "in_channels": projection[1],
            "patch_size": projection[2],
            "depth": projection[0] // 64,
            "pos_embed_scaling_factor": None,
            "adm_in_channels": shapes.get("y_embedder.mlp.0.weight", (0, 0))[1],
        }
    if "double_blocks.0.img_attn.norm.key_norm.scale" in shapes and "img_in.weight" in shapes:
        return {
            "image_model": "flux",
            "in_channels": shapes["img_in.weight"][1] // 4,
            "out_channels": 16,
            "hidden_size": shapes["img_in.weight"][0],
            "num_heads": 24,
            "depth": count_blocks(shapes, "double_blocks.{}."),
            "depth_single_blocks": count_blocks(shapes, "single_blocks.{}."),
            "guidance_embed": any(name.startswith("guidance_in.") for name in shapes),
            "patch_size": 2,
        }
    if "txt_norm.weight" in shapes:
        return {
            "image_model": "qwen_image",
            "in_channels": shapes["img_in.weight"][1],
            "num_layers": count_blocks(shapes, "transformer_blocks.{}."),
        }
    return None


def model_config_from_unet_config(
    unet_config: Mapping[str, Any], state_dict: Mapping[str, Any] | None = None
) -> BASE | None:
    """The family with this configuration, or None."""
    for family in comfy.supported_models.models:
        if family.matches(unet_config, state_dict):
            return family(unet_config)
    log.error("no match %s", unet_config)
    return None


def model_config_from_unet(
    state_dict: Mapping[str, Tensor],
    unet_key_prefix: str,
    use_base_if_no_match: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> BASE | None:
    """The family of the network below a prefix, or None."""
    unet_config = detect_unet_config(state_dict, unet_key_prefix, metadata=metadata)
    if unet_config is None:
        return None
    config = model_config_from_unet_config(unet_config, state_dict)
    if config is None and use_base_if_no_match:
        config = BASE(unet_config)
    scaled = state_dict.get(f"{unet_key_prefix}scaled_fp8")
    if config is not None and scaled is not None:
        config.scaled_fp8 = scaled.dtype
    return config


def config_of_network(unet_config: dict[str, Any], family: str) -> BASE:
    """The family of one of the engine's networks; a miniature in a family's layout is of the family, too."""
    supported = comfy.supported_models
    for each in supported.models:
        if each.matches(unet_config):
            made = each(unet_config)
            break
    else:
        is_editing = unet_config.get("in_channels") == 8
        seen_by_l = unet_config.get("adm_in_channels") == 1536
        made = {
            "sd1": supported.SD15_instructpix2pix if is_editing else supported.SD15,
            "sd2": supported.SD20,
            "sd2_unclip": supported.SD21UnclipL if seen_by_l else supported.SD21UnclipH,
            "lotus_d": supported.LotusD,
            "sdxl_refiner": supported.SDXLRefiner,
            "sdxl": supported.SDXL_instructpix2pix if is_editing else supported.SDXL,
        }.get(family, BASE)(unet_config)
    made.unet_config.update({name: unet_config[name] for name in unet_config})
    return made


def family_of(model_config: Any) -> str:
    """The engine's name for a family."""
    known: tuple[tuple[type, str], ...] = (
        (comfy.supported_models.SD15, "sd1"),
        (comfy.supported_models.SDXLRefiner, "sdxl_refiner"),
        (comfy.supported_models.SDXL, "sdxl"),
        (comfy.supported_models.LotusD, "lotus_d"),
        (comfy.supported_models.SD21UnclipL, "sd2_unclip"),
        (comfy.supported_models.SD21UnclipH, "sd2_unclip"),
        (comfy.supported_models.SD20, "sd2"),
    )
    return next((name for kind, name in known if isinstance(model_config, kind)), type(model_config).__name__.lower())


def convert_config(unet_config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration of the original latent diffusion code (attention by resolution) as one by block."""
    made = dict(unet_config)
    blocks = made.get("num_res_blocks")
    multipliers = made.get("channel_mult")
    counts = [blocks] * len(multipliers) if isinstance(blocks, int) and multipliers is not None else blocks
    if "attention_resolutions" not in made:
        return made
    resolutions = made.pop("attention_resolutions")
    depth = made.get("transformer_depth")
    middle = made.pop("transformer_depth_middle", None)
    assert counts is not None
    assert multipliers is not None
    depths = [depth or 1] * len(multipliers) if not isinstance(depth, list | tuple) else list(depth)
    inputs: list[int] = []
    outputs: list[int] = []
    for level, count in enumerate(counts):
        here = depths[level] if 2**level in resolutions else 0
        inputs += [here] * count
        outputs += [here] * (count + 1)
    made["num_res_blocks"] = list(counts)
    made["transformer_depth"] = inputs
    made["transformer_depth_output"] = outputs
    made["transformer_depth_middle"] = depths[-1] if middle is None else middle
    return made


def unet_config_from_diffusers_unet(state_dict: Mapping[str, Tensor], dtype: Any = None) -> dict[str, Any] | None:
    """The configuration of a network in diffusers' layout, or None for one that has none of our shapes."""
    if "conv_in.weight" not in state_dict or "down_blocks.0.resnets.0.norm1.weight" not in state_dict:
        return None
    shapes = {name: tuple(tensor.shape) for name, tensor in state_dict.items()}
    names = keys.unet_names(keys.diffusers_unet_config(shapes))
    ours = {keys.our_name(name, names): shape for name, shape in shapes.items()}
    try:
        made = dress.unet_config(UNetConfig.from_shapes(ours))
    except (CheckpointError, ValueError, IndexError, KeyError, ZeroDivisionError):
        return None
    for name in ("num_heads", "num_head_channels"):
        made.pop(name, None)
    return {**made, "dtype": dtype}


def model_config_from_diffusers_unet(state_dict: Mapping[str, Tensor]) -> BASE | None:
    """The family of a network in diffusers' layout, or None."""
    unet_config = unet_config_from_diffusers_unet(state_dict)
    return None if unet_config is None else model_config_from_unet_config(unet_config)


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
