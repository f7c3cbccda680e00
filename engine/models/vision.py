"""The network that sees pictures as CLIP does, and how a picture is made ready for it. The networks are transformers'.

Importing transformers is slow, so this module is imported by the functions that need it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from transformers import CLIPVisionConfig, SiglipVisionConfig
from transformers.models.clip.modeling_clip import CLIPVisionModel
from transformers.models.siglip.modeling_siglip import SiglipVisionModel

Colour = tuple[float, float, float]

MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
"""Source: Radford et al. 2021, arXiv 2103.00020, the released preprocessing."""

SIGLIP_MEAN = SIGLIP_DEVIATION = (0.5, 0.5, 0.5)
"""Source: Zhai et al. 2023, arXiv 2303.15343, the released preprocessing."""

HEAD_WIDTHS = {1664: 104, 1280: 80, 1152: 72}
"""Where heads are not 64 wide: OpenCLIP's bigG and H, and SigLIP's So400m."""


@dataclass(frozen=True)
class VisionConfig:
    """The shape of a vision tower; the defaults are ViT-L/14's. SigLIP's has no projection (0)."""

    width: int = 1024
    layers: int = 24
    heads: int = 16
    mlp_width: int = 4096
    patch: int = 14
    picture: int = 224
    projection: int = 768
    activation: str = "quick_gelu"

    @property
    def is_siglip(self) -> bool:
        """Whether it is SigLIP's, which has no class token and no projection."""
        return self.projection == 0

    @property
    def colours(self) -> tuple[Colour, Colour]:
        """The mean and the deviation of the pictures that it was trained on."""
        return (SIGLIP_MEAN, SIGLIP_DEVIATION) if self.is_siglip else (MEAN, DEVIATION)

    @classmethod
    def from_shapes(cls, shapes: Mapping[str, tuple[int, ...]]) -> "VisionConfig":
        """Read the configuration off the tensors of a file, named as transformers names them."""
        width, _, patch, _ = shapes["embeddings.patch_embedding.weight"]
        is_siglip = "embeddings.class_embedding" not in shapes
        cells = shapes["embeddings.position_embedding.weight"][0] - (0 if is_siglip else 1)
        layers = 0
        while f"encoder.layers.{layers}.mlp.fc1.weight" in shapes:
            layers += 1
        return cls(
            width=width,
            layers=layers,
            heads=max(1, width // HEAD_WIDTHS.get(width, 64)),
            mlp_width=shapes["encoder.layers.0.mlp.fc1.weight"][0],
            patch=patch,
            picture=round(cells**0.5) * patch,
            projection=0 if is_siglip else shapes["visual_projection.weight"][0],
            activation=_activation(width, is_siglip),
        )


def _activation(width: int, is_siglip: bool) -> str:
    if is_siglip:
        return "gelu_pytorch_tanh"
    # OpenAI's CLIP-L was trained with the quick one, OpenCLIP's H and bigG were not.
    return "gelu" if width in HEAD_WIDTHS else VisionConfig.activation


@dataclass(frozen=True, eq=False)
class Seen:
    """What a picture is to CLIP, by the names that plugins read, as attributes or as items.

    Shapes: last_hidden_state and penultimate_hidden_states [B, T, D], the states behind the last block and the one
    before it, class token first; image_embeds [B, P], the projected summary; all_hidden_states [B, L + 1, T, D], where
    they were asked for. SigLIP has no class token; its last state is normalised, and its image_embeds are that state.
    image_sizes are those of the pixels it was shown, [3, H, W] each.
    """

    last_hidden_state: Tensor
    penultimate_hidden_states: Tensor
    image_embeds: Tensor
    all_hidden_states: Tensor | None = None
    mm_projected: Tensor | None = None
    image_sizes: Sequence[tuple[int, ...]] = ()

    def __getitem__(self, name: str) -> Any:
        return vars(self)[name]

    def __contains__(self, name: str) -> bool:
        return name in vars(self)


class VisionTower(CLIPVisionModel):
    """transformers' CLIP vision model with the projection beside it, as files have them."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__(
            CLIPVisionConfig(
                hidden_size=config.width,
                intermediate_size=config.mlp_width,
                num_hidden_layers=config.layers,
                num_attention_heads=config.heads,
                patch_size=config.patch,
                image_size=config.picture,
                projection_dim=config.projection,
                hidden_act=config.activation,
                attn_implementation="sdpa",  # type: ignore[call-arg]
            )
        )
        self.vision_config = config
        self.visual_projection = nn.Linear(config.width, config.projection, bias=False)

    def forward(self, pixels: Tensor, keeps_all: bool = False) -> Seen:
        """What it sees. Shapes: pixels [B, 3, H, W], normalised, of the tower's size."""
        cells = self.embeddings.patch_embedding(pixels).flatten(2).transpose(1, 2)  # [B, T - 1, D]
        first = self.embeddings.class_embedding.expand(len(cells), 1, -1)  # [B, 1, D]
        placed = torch.cat([first, cells], dim=1) + self.embeddings.position_embedding.weight  # [B, T, D]
        hidden = self.pre_layrnorm(placed)  # [B, T, D]
        states = [hidden]
        for block in self.encoder.layers:
            hidden = block(hidden, None)  # [B, T, D]
            states.append(hidden)
        summary = self.post_layernorm(hidden[:, 0])  # [B, D]
        every = torch.stack(states, dim=1) if keeps_all else None  # [B, L + 1, T, D]
        return Seen(hidden, states[-2], self.visual_projection(summary), every)


class SiglipTower(SiglipVisionModel):
    """transformers' SigLIP vision model, without the head that nobody here asks."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__(
            SiglipVisionConfig(
                hidden_size=config.width,
                intermediate_size=config.mlp_width,
                num_hidden_layers=config.layers,
                num_attention_heads=config.heads,
                patch_size=config.patch,
                image_size=config.picture,
                hidden_act=config.activation,
                vision_use_head=False,  # type: ignore[call-arg]
                attn_implementation="sdpa",
            )
        )
        self.vision_config = config

    def forward(self, pixels: Tensor, keeps_all: bool = False) -> Seen:
        """What it sees. Shapes: pixels [B, 3, H, W], normalised, of the tower's size."""
        cells = self.embeddings.patch_embedding(pixels).flatten(2).transpose(1, 2)  # [B, T, D]
        hidden = cells + self.embeddings.position_embedding.weight  # [B, T, D]
        states = [hidden]
        for block in self.encoder.layers:
            hidden = block(hidden, None)  # [B, T, D]
            states.append(hidden)
        last = self.post_layernorm(hidden)  # [B, T, D]
        every = torch.stack(states, dim=1) if keeps_all else None  # [B, L + 1, T, D]
        return Seen(last, states[-2], last, every)


def tower(config: VisionConfig) -> VisionTower | SiglipTower:
    """The network of this shape."""
    return SiglipTower(config) if config.is_siglip else VisionTower(config)


def preprocessed(
    image: Tensor,
    size: int = 224,
    mean: tuple[float, ...] = MEAN,
    deviation: tuple[float, ...] = DEVIATION,
    crop: bool = True,
) -> Tensor:
    """Pictures as CLIP was trained on them: of its size, rounded to 8 bits, normalised.

    `crop`: the middle square; else the whole picture is stretched.
    Shapes: image [B, H, W, C] of 0 … 1. Returns: [B, 3, size, size].
    Source: node_behaviour.md 1.2, CLIPVisionEncode.
    """
    pixels = image[..., : min(3, image.shape[-1])].movedim(-1, 1).float()
    if pixels.shape[1] == 1:
        pixels = pixels.expand(-1, 3, -1, -1)
    if pixels.shape[-2:] != (size, size):
        height, width = (size, size)
        if crop:
            scale = size / min(pixels.shape[-2:])
            height, width = (round(scale * side) for side in pixels.shape[-2:])
        pixels = interpolate(pixels, size=(height, width), mode="bicubic", antialias=True)
        top, left = (height - size) // 2, (width - size) // 2
        pixels = pixels[:, :, top : top + size, left : left + size]
    pixels = (255.0 * pixels).clamp(0, 255).round() / 255.0
    centre, spread = (torch.tensor(each, device=pixels.device).view(1, -1, 1, 1) for each in (mean, deviation))
    return (pixels - centre) / spread
