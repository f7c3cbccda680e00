"""The network of the text encoder, and the only door to transformers, whose CLIP it is.

Importing transformers takes longer than importing all the rest, torch included (2.2 s of 3.3, measured 2026-11-22). So
this module is imported by the functions that need it, when the first text encoder is built. All go through this one
door: then a thread that imports it ahead of time makes others wait, and nobody meets a half-imported transformers.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import CLIPTextConfig
from transformers.activations import ACT2FN
from transformers.models.clip.modeling_clip import CLIPTextModel
from transformers.models.clip.tokenization_clip import CLIPTokenizer

from engine.text.tokenizer import CHUNK, END

__all__ = ["ACT2FN", "CLIPTokenizer", "TextConfig", "TextEncoder"]

PROJECTION = "text_projection.weight"
HEAD_WIDTH = 64  # Every published CLIP text encoder (Radford et al. 2021, table 19; OpenCLIP's configurations).


@dataclass(frozen=True)
class TextConfig:
    """The shape of a CLIP text encoder; the defaults are CLIP-L's, Stable Diffusion 1's.

    `projection` is the width of the space shared with pictures, for networks that have the way there.
    """

    width: int = 768
    layers: int = 12
    heads: int = 12
    mlp_width: int = 3072
    vocabulary: int = 49408
    positions: int = CHUNK
    activation: str = "quick_gelu"
    projection: int | None = None

    @classmethod
    def from_shapes(
        cls, shapes: Mapping[str, tuple[int, ...]], heads: int | None = None, activation: str | None = None
    ) -> "TextConfig":
        """Read the configuration off the tensors of a file, named as transformers names them.

        Heads and activation are not in the shapes: heads of width 64 and quick_gelu, unless said otherwise.
        """
        vocabulary, width = shapes["embeddings.token_embedding.weight"]
        layers = 0
        while f"encoder.layers.{layers}.mlp.fc1.weight" in shapes:
            layers += 1
        return cls(
            width=width,
            layers=layers,
            heads=heads or max(1, width // HEAD_WIDTH),
            mlp_width=shapes["encoder.layers.0.mlp.fc1.weight"][0],
            vocabulary=vocabulary,
            positions=shapes["embeddings.position_embedding.weight"][0],
            activation=activation or cls.activation,
            projection=shapes[PROJECTION][0] if PROJECTION in shapes else None,
        )


class TextEncoder(CLIPTextModel):
    """transformers' CLIP text model, made to take vectors in place of tokens and to stop at any layer.

    transformers 5 takes token numbers only, which leaves no way in for learned embeddings; so this walks its layers.
    """

    def __init__(self, config: TextConfig) -> None:
        super().__init__(
            CLIPTextConfig(
                vocab_size=config.vocabulary,
                hidden_size=config.width,
                intermediate_size=config.mlp_width,
                num_hidden_layers=config.layers,
                num_attention_heads=config.heads,
                max_position_embeddings=config.positions,
                hidden_act=config.activation,
                attn_implementation="sdpa",  # type: ignore[call-arg]
                bos_token_id=END - 1,
                eos_token_id=END,
                pad_token_id=END,
            )
        )
        self.text_config = config
        self.text_projection: nn.Linear | None = None
        if config.projection is not None:
            self.text_projection = nn.Linear(config.width, config.projection, bias=False)

    def projected(self, pooled: Tensor) -> Tensor:
        """A text's summary in the space shared with pictures; as it is, where there is no way there.

        Shapes: pooled [B, D].
        """
        return pooled if self.text_projection is None else self.text_projection(pooled)

    def forward(
        self, vectors: Tensor, ends: Tensor, last_layer: int = -1, final_norm: bool = True
    ) -> tuple[Tensor, Tensor]:
        """What a layer makes of each position, and the last layer's vector at the end token, which sums up the text.

        `last_layer` -1 is the last layer, -2 the one before it (clip skip 2), and so on; a number beyond the first
        layer means the last. It leaves the summary as it is.

        Shapes: vectors [B, T, D], token vectors without positions; ends [B], where the end token stands.
        Returns: [B, T, D] and [B, D].
        """
        blocks = self.encoder.layers
        chosen = len(blocks) + last_layer if -len(blocks) <= last_layer < 0 else len(blocks) - 1
        hidden = vectors + self.embeddings.position_embedding.weight[: vectors.shape[1]]  # [B, T, D]
        picked = hidden
        for index, block in enumerate(blocks):
            hidden = block(hidden, None, is_causal=True)  # [B, T, D]
            picked = hidden if index == chosen else picked
        last = self.final_layer_norm(hidden)  # [B, T, D]
        pooled = last[torch.arange(len(last), device=last.device), ends]  # [B, D]
        return (self.final_layer_norm(picked) if final_norm else picked), pooled
