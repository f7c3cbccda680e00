"""OpenCLIP's names for the towers of CLIP, which transformers' networks have other names for.

Source: node_behaviour.md A.5 and A.8; github.com/mlfoundations/open_clip (transformer.py) for the names themselves.
"""

from collections.abc import Mapping

from torch import Tensor

_BLOCK = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
    "attn.out_proj": "self_attn.out_proj",
}
_TEXT = {
    "positional_embedding": "embeddings.position_embedding.weight",
    "token_embedding.weight": "embeddings.token_embedding.weight",
    "ln_final.weight": "final_layer_norm.weight",
    "ln_final.bias": "final_layer_norm.bias",
}
_VISION = {
    "class_embedding": "embeddings.class_embedding",
    "conv1.weight": "embeddings.patch_embedding.weight",
    "positional_embedding": "embeddings.position_embedding.weight",
    "ln_pre.weight": "pre_layrnorm.weight",
    "ln_pre.bias": "pre_layrnorm.bias",
    "ln_post.weight": "post_layernorm.weight",
    "ln_post.bias": "post_layernorm.bias",
}
_PROJECTIONS = {"text_projection": "text_projection.weight", "proj": "visual_projection.weight"}
_BLOCKS = "transformer.resblocks."


def is_open_clip(names: Mapping[str, object]) -> bool:
    """Whether these are the tensors of a tower in OpenCLIP's layout."""
    return f"{_BLOCKS}0.ln_1.weight" in names


def converted(tensors: Mapping[str, Tensor], *, vision: bool = False) -> dict[str, Tensor]:
    """The tensors of a tower under transformers' names. What belongs to no tower is left out.

    Queries, keys and values come as one matrix in thirds, projections transposed.
    """
    whole = _VISION if vision else _TEXT
    made: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name in whole:
            made[whole[name]] = tensor
        elif name in _PROJECTIONS:
            made[_PROJECTIONS[name]] = tensor.T
        elif name.startswith(_BLOCKS):
            number, _, rest = name[len(_BLOCKS) :].partition(".")
            made.update(_of_block(f"encoder.layers.{number}", rest, tensor))
    return made


def _of_block(block: str, name: str, tensor: Tensor) -> dict[str, Tensor]:
    if name.startswith("attn.in_proj_"):
        kind = name.removeprefix("attn.in_proj_")
        thirds = zip(("q_proj", "k_proj", "v_proj"), tensor.chunk(3), strict=True)
        return {f"{block}.self_attn.{projection}.{kind}": part for projection, part in thirds}
    module, _, kind = name.rpartition(".")
    return {f"{block}.{_BLOCK[module]}.{kind}": tensor} if module in _BLOCK else {}
