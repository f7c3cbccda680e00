"""Text encoders in files of their own: which one it is, and both layouts of its weights."""

import math

import pytest
import torch
from torch import Tensor

from engine.checkpoints.load import Loader
from engine.checkpoints.tensors import in_memory
from engine.checkpoints.texts import tower
from engine.errors import CheckpointError
from engine.text.clip import TextConfig, TextEncoder


def weights(layers: int) -> dict[str, Tensor]:
    """A tower under transformers' names, 16 wide."""
    generator = torch.Generator().manual_seed(0)
    network = TextEncoder(TextConfig(width=16, layers=layers, heads=1, mlp_width=32))
    return {
        name: torch.randn(each.shape, generator=generator) / math.sqrt(each.shape[-1])
        for name, each in network.named_parameters()
    }


def as_open_clip(tensors: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """The same tower under OpenCLIP's names."""
    made = {
        "positional_embedding": tensors["embeddings.position_embedding.weight"],
        "token_embedding.weight": tensors["embeddings.token_embedding.weight"],
        "ln_final.weight": tensors["final_layer_norm.weight"],
        "ln_final.bias": tensors["final_layer_norm.bias"],
        "text_projection": torch.arange(16 * 8.0).reshape(16, 8),
        "logit_scale": torch.tensor(1.0),
    }
    names = {
        "ln_1": "layer_norm1",
        "ln_2": "layer_norm2",
        "mlp.c_fc": "mlp.fc1",
        "mlp.c_proj": "mlp.fc2",
        "attn.out_proj": "self_attn.out_proj",
    }
    for i in range(layers):
        theirs, ours = f"transformer.resblocks.{i}", f"encoder.layers.{i}"
        for kind in ("weight", "bias"):
            parts = [tensors[f"{ours}.self_attn.{each}_proj.{kind}"] for each in "qkv"]
            made[f"{theirs}.attn.in_proj_{kind}"] = torch.cat(parts)
            made.update({f"{theirs}.{a}.{kind}": tensors[f"{ours}.{b}.{kind}"] for a, b in names.items()})
    return made


@pytest.mark.parametrize(("layers", "id", "padding"), [(2, "clip_l", 49407), (23, "clip_h", 0), (31, "clip_g", 0)])
def test_the_number_of_layers_tells_which_one_it_is(layers, id, padding):
    found = tower(in_memory("a", {f"text_model.{name}": each for name, each in weights(layers).items()}))
    assert (found.spec.id, found.spec.padding) == (id, padding)


@pytest.mark.parametrize("prefix", ["", "text_model.", "text_encoders.clip_l.transformer.text_model."])
def test_weights_are_found_below_any_known_prefix(prefix):
    clip = Loader().text_encoder(in_memory("a", {prefix + name: each for name, each in weights(2).items()}))
    plain = Loader().text_encoder(in_memory("a", weights(2)))
    assert torch.equal(clip.encode("a cat")[0], plain.encode("a cat")[0])


def test_both_layouts_are_the_same_tower():
    theirs = as_open_clip(weights(23), 23)
    one, other = (Loader().text_encoder(in_memory("a", each)) for each in (weights(23), theirs))
    assert torch.equal(one.encode("a (red:1.2) cat")[0], other.encode("a (red:1.2) cat")[0])
    projection = tower(in_memory("a", theirs)).projection
    assert projection is not None
    assert torch.equal(projection, theirs["text_projection"].T)


def test_chunks_that_somebody_else_chose_are_encoded_as_they_are():
    clip = Loader().text_encoder(in_memory("a", weights(2)))
    chunks = clip.tokenize("a (red:1.3) cat")["clip_l"]
    assert [token.piece for token in chunks[0][:6]] == [0, 1, 2, 3, 0, 0]
    assert torch.equal(clip.encode_chunks({"clip_l": chunks})[0], clip.encode("a (red:1.3) cat")[0])
    short = [chunks[0][:5]]
    assert clip.encode_chunks({"clip_l": short})[0].shape == (1, 5, 16)
    whole = clip.encode_chunks({"clip_l": chunks})[0]
    torch.testing.assert_close(clip.encode_chunks({"clip_l": short})[0], whole[:, :5])
    without_end = [chunks[0][:4]]
    assert clip.encode_chunks({"clip_l": without_end})[1].shape == (1, 16)


def test_other_text_encoders_are_refused_by_name():
    for mark, kind in (
        ("encoder.block.0.layer.0.SelfAttention.k.weight", "a T5 text encoder"),
        ("model.layers.0.self_attn.q_proj.weight", "a language model"),
        ("something", "no text encoder inside"),
    ):
        with pytest.raises(CheckpointError, match=f"file: {kind}"):
            Loader().text_encoder(in_memory("file", {mark: torch.zeros(2, 2)}))
