"""The text encoder: chunks of tokens to the vectors that guide a picture. The network itself is transformers' CLIP."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import CLIPTextConfig
from transformers.models.clip.modeling_clip import CLIPTextModel

from engine.text.tokenizer import CHUNK, END, Chunk, Token

log = logging.getLogger(__name__)

HEAD_WIDTH = 64  # Every published CLIP text encoder (Radford et al. 2021, table 19; OpenCLIP's configurations).


@dataclass(frozen=True)
class TextConfig:
    """The shape of a CLIP text encoder; the defaults are CLIP-L's, Stable Diffusion 1's."""

    width: int = 768
    layers: int = 12
    heads: int = 12
    mlp_width: int = 3072
    vocabulary: int = 49408
    positions: int = CHUNK
    activation: str = "quick_gelu"

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


def encode(
    encoder: TextEncoder, chunks: Sequence[Chunk], empty: Chunk, last_layer: int = -1, final_norm: bool = True
) -> tuple[Tensor, Tensor]:
    """The vectors of a prompt, each pulled away from the empty prompt's by its weight, and the first chunk's summary.

    Shapes: every chunk is 77 tokens long; `empty` is the chunk of an empty prompt.
    Returns: float32 [1, 77·chunks, D] and [1, D].
    Source: design/numerics.md "Text (CLIP)".
    """
    weights = torch.tensor([[token.weight for token in chunk] for chunk in chunks])
    is_weighted = bool((weights != 1.0).any())
    batch = [_fitting(chunk, encoder.text_config.width) for chunk in [*chunks, *[empty] * is_weighted]]
    with torch.inference_mode():
        vectors = torch.stack([_vectors(encoder, chunk) for chunk in batch])
        ends = torch.tensor([_end(chunk) for chunk in batch], device=vectors.device)
        states, pooled = encoder(vectors, ends, last_layer, final_norm)
        states, pooled = states.float().cpu(), pooled.float().cpu()
        if is_weighted:
            states, base = states[:-1], states[-1:]
            states = base + weights[:, :, None] * (states - base)
    # Clones, because a tensor born in inference mode cannot enter a training loop later.
    return states.reshape(1, -1, states.shape[-1]).clone(), pooled[:1].clone()


def _fitting(chunk: Chunk, width: int) -> Chunk:
    """The chunk without learned vectors made for another encoder; padding takes their places at the end."""
    fits = [token for token in chunk if token.vector is None or token.vector.shape[-1] == width]
    missing = len(chunk) - len(fits)
    if missing:
        log.warning("an embedding of another width than %d was left out; it was made for another model", width)
    return (*fits, *[Token(chunk[-1].id)] * missing)


def _vectors(encoder: TextEncoder, chunk: Chunk) -> Tensor:
    table = encoder.embeddings.token_embedding
    vectors: Tensor = table(torch.tensor([token.id for token in chunk], device=table.weight.device))
    for place, token in enumerate(chunk):
        if token.vector is not None:
            vectors[place] = token.vector.to(vectors)
    return vectors


def _end(chunk: Chunk) -> int:
    return next(place for place, token in enumerate(chunk) if token.id == END and token.vector is None)
