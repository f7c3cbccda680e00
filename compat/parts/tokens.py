"""Tokens as plugins hold them, lists of (token, weight) or (token, weight, word id), and as our text encoders do."""

from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor

from engine.errors import TextError
from engine.text.tokenizer import Chunk, Token

Pair = tuple[Any, ...]
"""(token, weight) or (token, weight, word id); a token is a number of the vocabulary or a vector [D] in its place."""


def pairs_of(chunk: Chunk, with_ids: bool = False) -> list[Pair]:
    """A chunk as plugins want it; the word id is the piece of the prompt, 0 for start, end and padding."""
    return [
        (token.id if token.vector is None else token.vector, token.weight, *([token.piece] if with_ids else []))
        for token in chunk
    ]


def chunk_of(pairs: Iterable[Sequence[Any]]) -> Chunk:
    """A chunk of what a plugin made of it. Raises: TextError."""
    return tuple(_token(pair) for pair in pairs)


def unweighted(tokens: Iterable[Any]) -> Chunk:
    """A chunk of bare tokens. Raises: TextError."""
    return tuple(_token((token, 1.0)) for token in tokens)


def _token(pair: Sequence[Any]) -> Token:
    token, weight = pair[0], float(pair[1])
    if isinstance(token, dict) and isinstance(token.get("data"), Tensor):
        token = token["data"]
    if isinstance(token, Tensor) and token.ndim > 0:
        return Token(0, weight, token.reshape(-1))
    try:
        return Token(int(token), weight)
    except (TypeError, ValueError) as error:
        raise TextError(
            f"a plugin handed over a token that is {type(token).__name__}; "
            "expected a number of the vocabulary or a vector in its place"
        ) from error
