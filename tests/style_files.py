"""What lies in models/style_models, small and random."""

import torch
from torch import Tensor

WIDTH, CONTEXT = 64, 24


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + sum(shape))) * 0.3


def style_tensors(layers: int = 3, tokens: int = 8, context: int = CONTEXT) -> dict[str, Tensor]:
    """A style adapter with the names of the published file."""
    shapes = {"style_embedding": (1, tokens, WIDTH), "proj": (WIDTH, context)}
    shapes |= {f"{name}.{kind}": (WIDTH,) for name in ("ln_pre", "ln_post") for kind in ("weight", "bias")}
    for i in range(layers):
        at = f"transformer_layes.{i}"
        shapes |= {f"{at}.attn.in_proj_weight": (3 * WIDTH, WIDTH), f"{at}.attn.in_proj_bias": (3 * WIDTH,)}
        shapes |= {f"{at}.attn.out_proj.weight": (WIDTH, WIDTH), f"{at}.attn.out_proj.bias": (WIDTH,)}
        shapes |= {f"{at}.{name}.{kind}": (WIDTH,) for name in ("ln_1", "ln_2") for kind in ("weight", "bias")}
        shapes |= {f"{at}.mlp.c_fc.weight": (4 * WIDTH, WIDTH), f"{at}.mlp.c_fc.bias": (4 * WIDTH,)}
        shapes |= {f"{at}.mlp.c_proj.weight": (WIDTH, 4 * WIDTH), f"{at}.mlp.c_proj.bias": (WIDTH,)}
    return {name: rand(*shape, seed=i) for i, (name, shape) in enumerate(shapes.items())}
