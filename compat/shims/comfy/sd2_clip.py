"""Stable Diffusion 2's text encoder under ComfyUI's names: OpenCLIP's ViT-H."""

from collections.abc import Mapping
from typing import Any

from comfy import sd1_clip

CONFIG = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "hidden_act": "gelu",
}
"""Source: OpenCLIP's ViT-H-14."""


class SD2ClipHModel(sd1_clip.SDClipModel):
    """CLIP-H, by its second-to-last layer."""

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("layer", "hidden")
        options.setdefault("layer_idx", -2)
        options.setdefault("textmodel_json_config", CONFIG)
        options.setdefault("special_tokens", {"start": 49406, "end": 49407, "pad": 0})
        super().__init__(*args, **options)


class SD2ClipHTokenizer(sd1_clip.SDTokenizer):
    """CLIP-H's tokens: padded with 0."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"embedding_size": 1024, "embedding_key": "clip_h", **options, "pad_with_end": False})


class SD2ClipModel(sd1_clip.SD1ClipModel):
    """The family's one encoder, `clip_h`."""

    def __init__(self, device: Any = "cpu", dtype: Any = None, model_options: Any = None, **options: Any) -> None:
        super().__init__(device, dtype, model_options, clip_name="h", clip_model=SD2ClipHModel, **options)


class SD2Tokenizer(sd1_clip.SD1Tokenizer):
    """The family's one tokenizer, `clip_h`."""

    def __init__(
        self, embedding_directory: Any = None, tokenizer_data: Mapping[str, Any] | None = None, **options: Any
    ) -> None:
        super().__init__(embedding_directory, tokenizer_data, clip_name="h", tokenizer=SD2ClipHTokenizer, **options)
