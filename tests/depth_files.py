"""Files of Depth Anything 3 as their authors publish them: names and shapes of each variant, and random miniatures.

Names and shapes are written down from the configurations and the reference code, and not made by our networks.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Layout:
    """What a published configuration says: the ViT, from which block views look at each other (0: never), the head."""

    width: int
    depth: int
    views_from: int
    features: int
    stages: tuple[int, int, int, int]
    cells: int = 37
    mlp: int = 0
    is_gated: bool = False

    @property
    def is_dual(self) -> bool:
        return self.views_from > 0


SMALL = Layout(384, 12, 4, 64, (48, 96, 192, 384))
BASE = Layout(768, 12, 4, 128, (96, 192, 384, 768))
LARGE = Layout(1024, 24, 8, 256, (256, 512, 1024, 1024))
GIANT = Layout(1536, 40, 13, 256, (256, 512, 1024, 1024), mlp=4096, is_gated=True)
MONO = Layout(1024, 24, 0, 256, (256, 512, 1024, 1024))
TINY = Layout(128, 6, 2, 8, (4, 8, 8, 8), cells=3, mlp=128)
TINY_MONO = replace(TINY, depth=4, views_from=0)


def names(layout: Layout) -> Shapes:
    """Every tensor of such a file, without a prefix."""
    found = _trunk(layout, "backbone.pretrained.") | _head(layout, "head.")
    return found | (_cameras(2 * layout.width, layout.width) if layout.is_dual else {})


def tensors(layout: Layout, prefix: str = "model.", seed: int = 0) -> dict[str, Tensor]:
    """A random file under which every part of the network shows in its answers."""
    generator = torch.Generator().manual_seed(seed)
    made = {}
    for name, shape in names(layout).items():
        drawn = torch.randn(shape, generator=generator)
        if name.endswith(("gamma", "norm.weight", "norm1.weight", "norm2.weight")):
            drawn = 1 + 0.1 * drawn
        elif len(shape) > 1 and not name.endswith(("token", "pos_embed")):
            drawn = drawn / (drawn[0].numel() ** 0.5)
        else:
            drawn = 0.1 * drawn
        made[prefix + name] = drawn
    return made


def _linear(name: str, out: int, width: int, *kernel: int) -> Shapes:
    return {f"{name}.weight": (out, width, *kernel), f"{name}.bias": (out,)}


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _trunk(layout: Layout, root: str) -> Shapes:
    width, hidden = layout.width, layout.mlp or 4 * layout.width
    found: Shapes = {f"{root}cls_token": (1, 1, width), f"{root}pos_embed": (1, layout.cells**2 + 1, width)}
    found |= _linear(f"{root}patch_embed.proj", width, 3, 14, 14) | _norm(f"{root}norm", width)
    if layout.is_dual:
        found[f"{root}camera_token"] = (1, 2, width)
    for number in range(layout.depth):
        block = f"{root}blocks.{number}."
        found |= _norm(f"{block}norm1", width) | _norm(f"{block}norm2", width)
        found |= _linear(f"{block}attn.qkv", 3 * width, width) | _linear(f"{block}attn.proj", width, width)
        found |= {f"{block}ls1.gamma": (width,), f"{block}ls2.gamma": (width,)}
        if layout.is_dual and number >= layout.views_from:
            found |= _norm(f"{block}attn.q_norm", 64) | _norm(f"{block}attn.k_norm", 64)
        if layout.is_gated:
            found |= _linear(f"{block}mlp.w12", 2 * hidden, width) | _linear(f"{block}mlp.w3", width, hidden)
        else:
            found |= _linear(f"{block}mlp.fc1", hidden, width) | _linear(f"{block}mlp.fc2", width, hidden)
    return found


def _head(layout: Layout, root: str) -> Shapes:
    wide, half = layout.features, layout.features // 2
    read = layout.width * (2 if layout.is_dual else 1)
    first, second, _, fourth = layout.stages
    found: Shapes = {}
    for number, width in enumerate(layout.stages):
        found |= _linear(f"{root}projects.{number}", width, read, 1, 1)
        found[f"{root}scratch.layer{number + 1}_rn.weight"] = (wide, width, 3, 3)
    found |= _linear(f"{root}resize_layers.0", first, first, 4, 4)
    found |= _linear(f"{root}resize_layers.1", second, second, 2, 2)
    found |= _linear(f"{root}resize_layers.3", fourth, fourth, 3, 3)
    for end in ("", "_aux") if layout.is_dual else ("",):
        for level in range(1, 5):
            fusion = f"{root}scratch.refinenet{level}{end}."
            found |= _linear(f"{fusion}out_conv", wide, wide, 1, 1)
            for unit in (1, 2) if level < 4 else (2,):
                for conv in (1, 2):
                    found |= _linear(f"{fusion}resConfUnit{unit}.conv{conv}", wide, wide, 3, 3)
    found |= _linear(f"{root}scratch.output_conv1", half, wide, 3, 3)
    found |= _linear(f"{root}scratch.output_conv2.0", 32, half, 3, 3)
    found |= _linear(f"{root}scratch.output_conv2.2", 2 if layout.is_dual else 1, 32, 1, 1)
    if not layout.is_dual:
        found |= _linear(f"{root}scratch.sky_output_conv2.0", 32, half, 3, 3)
        return found | _linear(f"{root}scratch.sky_output_conv2.2", 1, 32, 1, 1)
    found |= _norm(f"{root}norm", read)
    for level in range(4):
        for number in range(5):
            out, width = (half, wide) if number % 2 == 0 else (wide, half)
            found |= _linear(f"{root}scratch.output_conv1_aux.{level}.{number}", out, width, 3, 3)
        found |= _linear(f"{root}scratch.output_conv2_aux.{level}.0", 32, half, 3, 3)
        found |= _linear(f"{root}scratch.output_conv2_aux.{level}.5", 7, 32, 1, 1)
    # One norm is in all four levels, and safetensors keeps a shared tensor once.
    return found | _norm(f"{root}scratch.output_conv2_aux.0.2", 32)


def _cameras(read: int, width: int) -> Shapes:
    found = _linear("cam_dec.backbone.0", read, read) | _linear("cam_dec.backbone.2", read, read)
    found |= _linear("cam_dec.fc_t", 3, read) | _linear("cam_dec.fc_qvec", 4, read)
    found |= _linear("cam_dec.fc_fov.0", 2, read)
    # What reads known cameras, which no node here has: in the files, but not ours to load.
    return found | _linear("cam_enc.pose_branch.fc1", width // 2, 9) | _norm("cam_enc.token_norm", width)
