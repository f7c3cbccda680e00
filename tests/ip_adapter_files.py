"""What lies in models/ipadapter and models/clip_vision, small and random, with the names of the published files."""

import torch
from torch import Tensor
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from engine.adapters import ip_adapter
from engine.models.unet import UNet

CLIP_WIDTH = 20


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + sum(shape)))


def projection(kind: str, context: int) -> dict[str, tuple[int, ...]]:
    """The names and shapes of a projection, as the published files have them."""
    if kind == "standard":
        return {"proj.weight": (4 * context, CLIP_WIDTH), "proj.bias": (4 * context,), **norm("norm", context)}
    if kind == "full":
        wide = {"proj.0.weight": (CLIP_WIDTH, CLIP_WIDTH), "proj.0.bias": (CLIP_WIDTH,)}
        return wide | {"proj.2.weight": (context, CLIP_WIDTH), "proj.2.bias": (context,), **norm("proj.3", context)}
    width, inner = 24, 128
    shapes = {"latents": (1, 5, width), "proj_in.weight": (width, CLIP_WIDTH), "proj_in.bias": (width,)}
    shapes |= {"proj_out.weight": (context, width), "proj_out.bias": (context,), **norm("norm_out", context)}
    for i in range(4):
        shapes |= {**norm(f"layers.{i}.0.norm1", width), **norm(f"layers.{i}.0.norm2", width)}
        shapes |= {f"layers.{i}.0.to_q.weight": (inner, width), f"layers.{i}.0.to_kv.weight": (2 * inner, width)}
        shapes |= {f"layers.{i}.0.to_out.weight": (width, inner), **norm(f"layers.{i}.1.0", width)}
        shapes |= {f"layers.{i}.1.1.weight": (4 * width, width), f"layers.{i}.1.3.weight": (width, 4 * width)}
    return shapes


def norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def adapter_tensors(kind: str, net: UNet, seed: int = 3) -> dict[str, dict[str, Tensor]]:
    """An adapter for a UNet, as the dict of dicts that the published .bin files hold."""
    context = net.config.context_width
    shapes = projection(kind, context)
    layers = {
        f"{2 * number + 1}.to_{each}_ip.weight": (place.width, context)
        for number, place in enumerate(ip_adapter.cross_attentions(net))
        for each in "kv"
    }
    return {
        "image_proj": {name: drawn(shape, seed + i) for i, (name, shape) in enumerate(shapes.items())},
        "ip_adapter": {name: drawn(shape, seed + 50 + i) for i, (name, shape) in enumerate(layers.items())},
    }


def drawn(shape: tuple[int, ...], seed: int) -> Tensor:
    return rand(*shape, seed=seed) / (shape[-1] ** 0.5 if len(shape) > 1 else 2.0)


def eyes(width: int = CLIP_WIDTH, projection: int = CLIP_WIDTH, seed: int = 0) -> dict[str, Tensor]:
    """The eyes that go with it: a CLIP vision tower that sees 32 × 32 pixels."""
    torch.manual_seed(seed)
    config = CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=1,
        patch_size=16,
        image_size=32,
        projection_dim=projection,
    )
    net = CLIPVisionModelWithProjection(config)
    return {name: each for name, each in net.state_dict().items() if "position_ids" not in name}
