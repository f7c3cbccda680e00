"""Families that we know by sight but cannot run yet, so that their files are refused by name.

Source: node_behaviour.md A.2 and A.4.
"""

from engine.checkpoints.families.unets import OVER_TIME, UNET
from engine.checkpoints.family import Condition, Family, HasAny


def _family(id: str, name: str, *conditions: Condition) -> Family:
    return Family(id, name, conditions, is_supported=False)


TRANSFORMERS = (
    _family("sd3", "Stable Diffusion 3", HasAny(("joint_blocks.0.context_block.attn.qkv.weight",), "joint blocks")),
    _family("cascade", "Stable Cascade", HasAny(("clf.1.weight",), "its output layer")),
    _family("auraflow", "AuraFlow", HasAny(("double_layers.0.attn.w1q.weight",), "double layers")),
    _family("flux", "Flux", HasAny(("double_blocks.0.img_attn.norm.key_norm.scale",), "double blocks")),
    _family("qwen_image", "Qwen-Image", HasAny(("txt_norm.weight",), "a norm of the text")),
)

UNETS = (
    _family("zero123", "Stable Zero123", UNET, HasAny(("/cc_projection.weight",), "a camera projection")),
    _family("svd", "Stable Video Diffusion", UNET, OVER_TIME),
)
