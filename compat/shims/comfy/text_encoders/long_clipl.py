"""Long CLIP-L, which reads 248 tokens at once; recognised, not supported yet."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from engine.errors import CheckpointError

_POSITIONS = "text_model.embeddings.position_embedding.weight"


def model_options_long_clip(
    sd: Mapping[str, Tensor], tokenizer_data: Mapping[str, Any], model_options: Mapping[str, Any]
) -> tuple[Any, Any]:
    """The options for a tokenizer and an encoder, as they are for a usual CLIP-L.

    Raises: CheckpointError, for a long one.
    """
    positions = sd.get(_POSITIONS, sd.get(f"clip_l.{_POSITIONS}", sd.get("long_clip_l.transformer." + _POSITIONS)))
    if positions is not None and positions.shape[0] != 77:
        raise CheckpointError(
            f"a CLIP-L that reads {positions.shape[0]} tokens at once is not supported yet; use one for 77"
        )
    return tokenizer_data, model_options
