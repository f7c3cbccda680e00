"""OpenCLIP's names for the towers of CLIP, which transformers' networks have other names for.

Source: node_behaviour.md A.5 and A.8; github.com/mlfoundations/open_clip (transformer.py) for the names themselves.
"""

from collections.abc import Iterable, Iterator, Mapping

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


def originals(names: Iterable[str]) -> Iterator[tuple[str, tuple[str, ...], bool]]:
    """OpenCLIP's names for the weights of a text tower: each with the weights it is made of, joined one below the
    other, and whether it is stored the other way round.
    """
    whole = {ours: theirs for theirs, ours in _TEXT.items()}
    modules = {ours: theirs for theirs, ours in _BLOCK.items()}
    for name in names:
        if name in whole:
            yield whole[name], (name,), False
        elif name == "text_projection.weight":
            yield "text_projection", (name,), True
        elif name.startswith("encoder.layers."):
            number, _, rest = name.removeprefix("encoder.layers.").partition(".")
            module, _, kind = rest.rpartition(".")
            block = f"{_BLOCKS}{number}"
            if module in modules:
                yield f"{block}.{modules[module]}.{kind}", (name,), False
            elif module == "self_attn.q_proj":
                parts = tuple(f"encoder.layers.{number}.self_attn.{each}_proj.{kind}" for each in "qkv")
                yield f"{block}.attn.in_proj_{kind}", parts, False
