"""Families that we know by sight but cannot run yet, so that their files are refused by name.

Source: node_behaviour.md A.2 and A.4.
"""

from engine.checkpoints.family import Axes, Condition, Family, HasAny, Lacks, Size

_UNET = HasAny(("input_blocks.0.0.weight",), "a UNet")
_LINEAR = Axes("*1.proj_in.weight", 2, "linear layers around its transformers")


def _context(width: int) -> Condition:
    return Size("*attn2.to_k.weight", 1, (width,), "a text width of")


def _classes(*widths: int) -> Condition:
    return Size("label_emb.0.0.weight", 1, widths, "a class width of")


def _family(id: str, name: str, *conditions: Condition) -> Family:
    return Family(id, name, conditions, is_supported=False)


_NO_CLASSES = Lacks("label_emb.0.0.weight", "class embedding")
_OVER_TIME = HasAny(("*time_stack.0.attn1.to_q.weight", "*time_mix_blocks.0.attn1.to_q.weight"), "attention over time")

TRANSFORMERS = (
    _family("sd3", "Stable Diffusion 3", HasAny(("joint_blocks.0.context_block.attn.qkv.weight",), "joint blocks")),
    _family("cascade", "Stable Cascade", HasAny(("clf.1.weight",), "its output layer")),
    _family("auraflow", "AuraFlow", HasAny(("double_layers.0.attn.w1q.weight",), "double layers")),
    _family("flux", "Flux", HasAny(("double_blocks.0.img_attn.norm.key_norm.scale",), "double blocks")),
    _family("qwen_image", "Qwen-Image", HasAny(("txt_norm.weight",), "a norm of the text")),
)

UNETS = (
    _family("zero123", "Stable Zero123", _UNET, HasAny(("/cc_projection.weight",), "a camera projection")),
    _family("svd", "Stable Video Diffusion", _UNET, _OVER_TIME),
    _family(
        "x4_upscaler",
        "Stable Diffusion x4 upscaler",
        _UNET,
        Size("input_blocks.0.0.weight", 1, (7,), "input channels:"),
        _context(1024),
    ),
    _family("sd2", "Stable Diffusion 2.x", _UNET, _LINEAR, _context(1024), _NO_CLASSES),
    _family("sd2_unclip", "Stable Diffusion 2.1 unCLIP", _UNET, _LINEAR, _context(1024), _classes(1536, 2048)),
    _family("sdxl_refiner", "SDXL refiner", _UNET, _LINEAR, _context(1280), _classes(2560)),
    _family("sdxl", "SDXL", _UNET, _LINEAR, _context(2048), _classes(2816)),
)
