"""SDXL's text encoders under ComfyUI's names: CLIP-L and OpenCLIP's bigG, side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from comfy import sd1_clip
from compat.parts.tokens import Pair
from compat.residence import SharedResidence

CONFIG = {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 20,
    "hidden_act": "gelu",
}
"""Source: OpenCLIP's ViT-bigG-14."""


class SDXLClipG(sd1_clip.SDClipModel):
    """CLIP-G, by its second-to-last layer without the last norm, its summary projected."""

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("layer", "hidden")
        options.setdefault("layer_idx", -2)
        options.setdefault("textmodel_json_config", CONFIG)
        options.setdefault("special_tokens", {"start": 49406, "end": 49407, "pad": 0})
        options.setdefault("layer_norm_hidden_state", False)
        super().__init__(*args, **options)


class SDXLClipGTokenizer(sd1_clip.SDTokenizer):
    """CLIP-G's tokens: padded with 0."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"embedding_size": 1280, "embedding_key": "clip_g", **options, "pad_with_end": False})


class SDXLTokenizer(sd1_clip.SD1Tokenizer):
    """Both tokenizers, `clip_l` and `clip_g`."""

    def __init__(self, embedding_directory: Any = None, tokenizer_data: Mapping[str, Any] | None = None) -> None:
        super().__init__(embedding_directory, tokenizer_data)
        self.clip_g = SDXLClipGTokenizer(embedding_directory=embedding_directory)

    def tokenizers(self) -> dict[str, sd1_clip.SDTokenizer]:
        """Name in token dicts -> tokenizer."""
        return {"g": self.clip_g, "l": getattr(self, self.clip)}

    def untokenize(self, token_weight_pair: Sequence[Pair]) -> list[tuple[Pair, str]]:
        """Each pair with the word of the vocabulary it stands for."""
        return self.clip_g.untokenize(token_weight_pair)


class SDXLClipModel(nn.Module):
    """Both encoders, their vectors joined by features and cut to the shorter; the summary is CLIP-G's."""

    def __init__(
        self,
        device: Any = "cpu",
        dtype: Any = None,
        model_options: Any = None,
        encoders: tuple[sd1_clip.SDClipModel, sd1_clip.SDClipModel] | None = None,
    ) -> None:
        super().__init__()
        small, large = encoders or (
            sd1_clip.SDClipModel(
                device, layer="hidden", layer_idx=-2, dtype=dtype, layer_norm_hidden_state=False, model_options=None
            ),
            SDXLClipG(device, dtype=dtype),
        )
        self.clip_l, self.clip_g = small, large
        self.dtypes = {*small.dtypes, *large.dtypes}
        kept = [each.residence for each in (small, large)]
        self.residence = SharedResidence([each for each in kept if each is not None]) if all(kept) else None

    def encoders(self) -> dict[str, sd1_clip.SDClipModel]:
        """Name in token dicts -> encoder."""
        return {"g": self.clip_g, "l": self.clip_l}

    def set_clip_options(self, options: Mapping[str, Any]) -> None:
        """For both."""
        self.clip_l.set_clip_options(options)
        self.clip_g.set_clip_options(options)

    def reset_clip_options(self) -> None:
        """For both."""
        self.clip_l.reset_clip_options()
        self.clip_g.reset_clip_options()

    def encode_token_weights(self, token_weight_pairs: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        """Tokens by encoder as vectors [1, T, 2048] and a summary [1, 1280]."""
        large, pooled = self.clip_g.encode_token_weights(token_weight_pairs["g"])
        small, _ = self.clip_l.encode_token_weights(token_weight_pairs["l"])
        length = min(small.shape[1], large.shape[1])
        return torch.cat([small[:, :length], large[:, :length]], dim=-1), pooled

    def load_sd(self, sd: Mapping[str, Tensor]) -> tuple[list[str], list[str]]:
        """Weights for whichever of the two they fit. Returns: names missing, and names not known."""
        is_large = any("encoder.layers.30.mlp.fc1.weight" in name for name in sd)
        return (self.clip_g if is_large else self.clip_l).load_sd(sd)


class SDXLRefinerClipModel(sd1_clip.SD1ClipModel):
    """The refiner's one encoder, `clip_g`."""

    def __init__(self, device: Any = "cpu", dtype: Any = None, model_options: Any = None, **options: Any) -> None:
        super().__init__(device, dtype, model_options, clip_name="g", clip_model=SDXLClipG, **options)


class SDXLRefinerTokenizer(sd1_clip.SD1Tokenizer):
    """The refiner's one tokenizer, `clip_g`."""

    def __init__(
        self, embedding_directory: Any = None, tokenizer_data: Mapping[str, Any] | None = None, **options: Any
    ) -> None:
        super().__init__(embedding_directory, tokenizer_data, clip_name="g", tokenizer=SDXLClipGTokenizer, **options)


class StableCascadeClipGTokenizer(SDXLClipGTokenizer):
    """Stable Cascade's tokens; padded with the end."""

    def __init__(self, *args: Any, **options: Any) -> None:
        sd1_clip.SDTokenizer.__init__(
            self, *args, **{"embedding_size": 1280, "embedding_key": "clip_g", **options, "pad_with_end": True}
        )
