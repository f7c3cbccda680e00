"""GLIGEN: phrases bound to boxes, by gated attention between the transformers' own two.

Source: Li et al. 2023, arXiv 2301.07093; node_behaviour.md F.2 for the layout of files.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from compat.missing import missing
from engine.errors import CheckpointError
from engine.models.transformer import CrossAttention, FeedForward

MOST = 30
"""How many boxes the published networks were trained with."""

Placed = Callable[[Tensor, Mapping[str, Any]], Tensor]


class GatedSelfAttentionDense(nn.Module):
    """Attention over picture and objects, and a layer behind it; gates that began closed let them in."""

    def __init__(self, query_dim: int, context_dim: int, n_heads: int, d_head: int = 0) -> None:
        super().__init__()
        self.linear = nn.Linear(context_dim, query_dim)
        self.attn = CrossAttention(query_dim, query_dim, n_heads)
        self.ff = FeedForward(query_dim)
        self.norm1, self.norm2 = nn.LayerNorm(query_dim), nn.LayerNorm(query_dim)
        self.alpha_attn, self.alpha_dense = nn.Parameter(torch.tensor(0.0)), nn.Parameter(torch.tensor(0.0))

    def forward(self, x: Tensor, objs: Tensor) -> Tensor:
        """Shapes: x [B, T, D], objs [B, N, E]."""
        seen = self.norm1(torch.cat([x, self.linear(objs)], dim=1))
        x = x + self.alpha_attn.tanh() * self.attn(seen, seen, seen)[:, : x.shape[1]]
        return x + self.alpha_dense.tanh() * self.ff(self.norm2(x))


class PositionNet(nn.Module):
    """A phrase's vector and its box as one token. Places without an object have learned features."""

    def __init__(self, in_dim: int, out_dim: int, fourier_freqs: int = 8) -> None:
        super().__init__()
        self.frequencies = 100 ** (torch.arange(fourier_freqs) / fourier_freqs)
        self.position_dim = fourier_freqs * 2 * 4
        self.linears = nn.Sequential(
            nn.Linear(in_dim + self.position_dim, 512),
            nn.SiLU(),
            nn.Linear(512, 512),
            nn.SiLU(),
            nn.Linear(512, out_dim),
        )
        self.null_positive_feature = nn.Parameter(torch.zeros(in_dim))
        self.null_position_feature = nn.Parameter(torch.zeros(self.position_dim))

    def forward(self, boxes: Tensor, masks: Tensor, positive_embeddings: Tensor) -> Tensor:
        """Shapes: boxes [B, N, 4] of 0 … 1, masks [B, N], positive_embeddings [B, N, D]."""
        waves = [wave(f * boxes) for f in self.frequencies.tolist() for wave in (torch.sin, torch.cos)]
        there = masks[..., None]
        phrase = positive_embeddings * there + (1 - there) * self.null_positive_feature
        place = torch.cat(waves, dim=-1) * there + (1 - there) * self.null_position_feature
        return self.linears(torch.cat([phrase, place], dim=-1))


class Gligen(nn.Module):
    """The modules of a GLIGEN file, in the order in which the UNet's transformers run."""

    def __init__(self, modules: Sequence[nn.Module], position_net: PositionNet, key_dim: int) -> None:
        super().__init__()
        self.module_list = nn.ModuleList(modules)
        self.position_net = position_net
        self.key_dim = key_dim
        self.max_objs = MOST
        self.current_device = torch.device("cpu")

    def _set_position(self, boxes: Tensor, masks: Tensor, positive_embeddings: Tensor) -> Placed:
        """The patch that shows these objects to the transformers."""
        objects = self.position_net(boxes, masks, positive_embeddings)

        def patch(x: Tensor, extra_options: Mapping[str, Any]) -> Tensor:
            module = self.module_list[extra_options["transformer_index"]]
            shown = objects if objects.shape[0] == x.shape[0] else objects[:1].expand(x.shape[0], -1, -1)
            return module(x, shown.to(x))

        return patch

    def set_position(self, latent_image_shape: Sequence[int], position_params: Sequence[Any], device: Any) -> Placed:
        """The patch for phrases (vector, height, width, y, x) in latent cells."""
        batch, _, height, width = latent_image_shape[:4]
        boxes, masks = torch.zeros(self.max_objs, 4), torch.zeros(self.max_objs)
        phrases = torch.zeros(self.max_objs, self.key_dim)
        for index, (phrase, h, w, y, x) in enumerate(position_params[: self.max_objs]):
            boxes[index] = torch.tensor([x / width, y / height, (x + w) / width, (y + h) / height])
            masks[index], phrases[index] = 1.0, phrase.flatten()
        return self._placed(batch, boxes, masks, phrases, device)

    def set_empty(self, latent_image_shape: Sequence[int], device: Any) -> Placed:
        """The patch without any object."""
        none = torch.zeros(self.max_objs)
        empty = torch.zeros(self.max_objs, self.key_dim)
        return self._placed(latent_image_shape[0], torch.zeros(self.max_objs, 4), none, empty, device)

    def _placed(self, batch: int, boxes: Tensor, masks: Tensor, phrases: Tensor, device: Any) -> Placed:
        like = self.position_net.null_positive_feature
        spread = [each.to(like).expand(batch, *each.shape) for each in (boxes, masks, phrases)]
        with torch.no_grad():
            return self._set_position(*spread)


def load_gligen(sd: Mapping[str, Tensor]) -> Gligen:
    """The network of a GLIGEN file. Raises: CheckpointError."""
    modules = []
    for block in ("input_blocks", "middle_block", "output_blocks"):
        places = sorted({_place(name) for name in sd if name.startswith(block) and ".fuser." in name})
        modules += [_module(_below(sd, place[1])) for place in places]
    if not modules or "position_net.null_positive_feature" not in sd:
        raise CheckpointError("no GLIGEN inside: expected tensors such as input_blocks.1.1.….fuser.linear.weight")
    key_dim = sd["position_net.null_positive_feature"].shape[0]
    position = PositionNet(key_dim, sd["position_net.linears.4.weight"].shape[0])
    position.load_state_dict(_below(sd, "position_net."))
    return Gligen(modules, position.float(), key_dim).eval().requires_grad_(False)


def _place(name: str) -> tuple[tuple[int, ...], str]:
    head = name[: name.index(".fuser.") + len(".fuser.")]
    return tuple(int(part) for part in head.split(".") if part.isdigit()), head


def _below(sd: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: tensor.float() for name, tensor in sd.items() if name.startswith(prefix)}


def _module(weights: Mapping[str, Tensor]) -> GatedSelfAttentionDense:
    width, context = weights["linear.weight"].shape
    made = GatedSelfAttentionDense(width, context, 8 if context == 768 else max(1, width // 64))
    made.load_state_dict(dict(weights))
    return made


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
