"""From a prompt to the vectors that guide a picture: chunks of tokens through the text encoder, and their weights."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from engine.text.tokenizer import END, Chunk, Token

if TYPE_CHECKING:  # transformers is slow to import; whoever hands us an encoder has done it
    from engine.text.clip import TextEncoder

log = logging.getLogger(__name__)


def encode(
    encoder: "TextEncoder",
    chunks: Sequence[Chunk],
    empty: Chunk,
    last_layer: int = -1,
    final_norm: bool = True,
    projected: bool = False,
) -> tuple[Tensor, Tensor]:
    """The vectors of a prompt, each pulled away from the empty prompt's by its weight, and the first chunk's summary.

    `projected`: the summary as it is compared with pictures', where the network has the projection for it.

    Shapes: chunks are 77 tokens long (a shorter one is padded to the longest); `empty` is the empty prompt's.
    Returns: float32 [1, 77·chunks, D] and [1, D].
    Source: design/numerics.md "Text (CLIP)".
    """
    longest = max(len(chunk) for chunk in chunks)
    chunks = [_padded(chunk, longest) for chunk in chunks]
    weights = torch.tensor([[token.weight for token in chunk] for chunk in chunks])
    is_weighted = bool((weights != 1.0).any())
    base_chunk = _padded(empty, longest)[:longest]
    batch = [fitting(chunk, encoder.text_config.width) for chunk in [*chunks, *[base_chunk] * is_weighted]]
    states, pooled = hidden_states(encoder, batch, last_layer, final_norm, projected)
    if is_weighted:
        states, base = states[:-1], states[-1:]
        states = base + weights[:, :, None] * (states - base)
    return states.reshape(1, -1, states.shape[-1]), pooled[:1]


def hidden_states(
    encoder: "TextEncoder",
    chunks: Sequence[Chunk],
    last_layer: int = -1,
    final_norm: bool = True,
    projected: bool = False,
) -> tuple[Tensor, Tensor]:
    """What a layer makes of each position of each chunk, and the chunks' summaries, whatever their tokens weigh.

    Shapes: all chunks are equally long.
    Returns: float32 [chunks, T, D] and [chunks, D or P], on the CPU.
    """
    with torch.inference_mode():
        vectors = torch.stack([_vectors(encoder, chunk) for chunk in chunks])
        ends = torch.tensor([_end(chunk) for chunk in chunks], device=vectors.device)
        states, pooled = encoder(vectors, ends, last_layer, final_norm)
        pooled = encoder.projected(pooled) if projected else pooled
    # Clones, because a tensor born in inference mode cannot enter a training loop later.
    return states.float().cpu().clone(), pooled.float().cpu().clone()


def _padded(chunk: Chunk, length: int) -> Chunk:
    return (*chunk, *[Token(chunk[-1].id)] * (length - len(chunk)))


def fitting(chunk: Chunk, width: int) -> Chunk:
    """The chunk without learned vectors made for another encoder; padding takes their places at the end."""
    fits = [token for token in chunk if token.vector is None or token.vector.shape[-1] == width]
    missing = len(chunk) - len(fits)
    if missing:
        log.warning("an embedding of another width than %d was left out; it was made for another model", width)
    return (*fits, *[Token(chunk[-1].id)] * missing)


def _vectors(encoder: "TextEncoder", chunk: Chunk) -> Tensor:
    table, device = encoder.embeddings.token_embedding, encoder.embeddings.position_embedding.weight.device
    vectors: Tensor = table(torch.tensor([token.id for token in chunk], device=device))
    for place, token in enumerate(chunk):
        if token.vector is not None:
            vectors[place] = token.vector.to(vectors)
    return vectors


def _end(chunk: Chunk) -> int:
    """Where the text ends; the start, in a chunk that somebody made without an end."""
    return next((place for place, token in enumerate(chunk) if token.id == END and token.vector is None), 0)
