"""What plugins want changed inside one evaluation of a UNet, and where in the net that evaluation stands.

The networks know nothing of plugins: they call these methods at the places the plugin interface names, with the
mapping of author hooks that came with the call (`transformer_options` in ComfyUI). Without hooks nothing is built.
"""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from engine.devices.attention import attention

Triple = tuple[Tensor, Tensor, Tensor]


class Patches:
    """One evaluation's view of the author hooks; it moves along with the evaluation.

    `options` is the mapping that hooks are shown. Its "patches" are lists of functions by name, its "patches_replace"
    functions by name and place; the rest is information for them. `shape` is the latent's [B, C, h, w].
    """

    def __init__(self, options: Mapping[str, Any], shape: tuple[int, ...]) -> None:
        self.options: dict[str, Any] = {"original_shape": list(shape), **options, "transformer_index": 0}
        self._lists: Mapping[str, list[Callable[..., Any]]] = options.get("patches", {})
        self._replacements: Mapping[str, Mapping[tuple[Any, ...], Callable[..., Tensor]]] = options.get(
            "patches_replace", {}
        )

    def enter_block(self, name: str, index: int) -> None:
        """The evaluation has come to this block ("input", "middle" or "output")."""
        self.options["block"] = (name, index)

    def enter_layer(self, block_index: int, shape: tuple[int, ...]) -> None:
        """The evaluation has come to this layer of a transformer, on activations of this shape [B, C, H, W]."""
        self.options["block_index"] = block_index
        self.options["activations_shape"] = list(shape)

    def leave_transformer(self) -> None:
        """One more transformer, with all its layers, is done."""
        self.options["transformer_index"] += 1

    def embedding(self, embedding: Tensor, model_channels: int) -> Tensor:
        """The time embedding, before class labels are added."""
        for patch in self._lists.get("emb_patch", ()):
            embedding = patch(embedding, model_channels, self.options)
        return embedding

    def hidden(self, name: str, h: Tensor) -> Tensor:
        """The activations at an input block ("input_block_patch", "input_block_patch_after_skip")."""
        for patch in self._lists.get(name, ()):
            h = patch(h, self.options)
        return h

    def joined(self, h: Tensor, skip: Tensor) -> tuple[Tensor, Tensor]:
        """The activations and the skip connection, before they are concatenated at an output block."""
        for patch in self._lists.get("output_block_patch", ()):
            h, skip = patch(h, skip, self.options)
        return h, skip

    def attention_inputs(self, name: str, n: Tensor, context: Tensor, value: Tensor, heads: int) -> Triple:
        """What queries, keys and values will be projected from ("attn1_patch", "attn2_patch")."""
        for patch in self._lists.get(name, ()):
            n, context, value = patch(n, context, value, self._extra(n, heads))
        return n, context, value

    def tokens(self, name: str, n: Tensor, heads: int) -> Tensor:
        """Tokens on their way to the residual ("attn1_output_patch", "middle_patch", "attn2_output_patch")."""
        for patch in self._lists.get(name, ()):
            n = patch(n, self._extra(n, heads))
        return n

    def attend(self, name: str, q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
        """Attention, and what joins its answer before that is projected ("attn1_mixed_patch", "attn2_mixed_patch")."""
        mixed = self._attended(name, q, k, v, heads)
        for patch in self._lists.get(f"{name}_mixed_patch", ()):
            mixed = patch(mixed, q, self._extra(q, heads))
        return mixed

    def _attended(self, name: str, q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
        """Attention itself, or what a plugin put in its place here ("attn1", "attn2")."""
        replacements = self._replacements.get(name, {})
        place = self.options.get("block", ())
        # ComfyUI: the third part of a key, which its setters call transformer_index, is the layer inside a transformer.
        exact = (*place, self.options["block_index"])
        replace = replacements.get(exact, replacements.get(place))
        if replace is not None:
            return replace(q, k, v, self._extra(q, heads))
        override = self.options.get("optimized_attention_override")
        if override is not None:
            return override(attention, q, k, v, heads, transformer_options=self.options)
        return attention(q, k, v, heads)

    def _extra(self, n: Tensor, heads: int) -> dict[str, Any]:
        shown = {key: value for key, value in self.options.items() if key not in ("patches", "patches_replace")}
        return {**shown, "n_heads": heads, "dim_head": n.shape[-1] // heads, "attn_precision": None}
