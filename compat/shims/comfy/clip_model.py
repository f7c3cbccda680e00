"""CLIP's networks under ComfyUI's names: our text tower as `text_model`, with the projection some families have."""

from typing import Any

import torch
from torch import Tensor, nn

from engine.text.clip import TextConfig, TextEncoder


def config_of(given: dict[str, Any]) -> TextConfig:
    """Our configuration for one in the form of transformers' config.json."""
    return TextConfig(
        width=given.get("hidden_size", 768),
        layers=given.get("num_hidden_layers", 12),
        heads=given.get("num_attention_heads", 12),
        mlp_width=given.get("intermediate_size", 3072),
        vocabulary=given.get("vocab_size", 49408),
        positions=given.get("max_position_embeddings", 77),
        activation=given.get("hidden_act", "quick_gelu"),
    )


class CLIPTextModel(nn.Module):
    """The text tower and the matrix that takes its summary into the space shared with pictures.

    `tower` is a tower that is there already; without one it is built on the meta device, weights to follow.
    """

    def __init__(
        self,
        config_dict: dict[str, Any] | None = None,
        dtype: torch.dtype | None = None,
        device: Any = None,
        operations: Any = None,
        tower: TextEncoder | None = None,
    ) -> None:
        super().__init__()
        if tower is None:
            with torch.device("meta"):
                tower = TextEncoder(config_of(config_dict or {}))
        self.text_model = tower
        self.num_layers = tower.text_config.layers
        self.dtype = dtype or torch.float32

    @property
    def text_projection(self) -> nn.Linear | None:
        """The matrix, where weights for it came; it lives in the tower."""
        return self.text_model.text_projection

    def projected(self, pooled: Tensor) -> Tensor:
        """The summary in the space shared with pictures; as it is, when no projection came with the weights.

        Shapes: pooled [B, D].
        """
        return self.text_model.projected(pooled)

    def get_input_embeddings(self) -> nn.Module:
        """The table of token vectors."""
        return self.text_model.embeddings.token_embedding

    def set_input_embeddings(self, embeddings: Any) -> None:
        """Puts another table of token vectors in its place."""
        self.text_model.embeddings.token_embedding = embeddings

    def forward(self, vectors: Tensor, ends: Tensor, last_layer: int = -1, final_norm: bool = True) -> Any:
        """As our text tower: the states of a layer, and the summary."""
        return self.text_model(vectors, ends, last_layer, final_norm)
