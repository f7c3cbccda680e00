"""comfy.sd1_clip, comfy.sdxl_clip and the names of text encoders: what plugins call, and what they ask isinstance."""

import math

import pytest
import torch
from torch import Tensor

from compat.host import Host
from engine.errors import CheckpointError
from engine.text.clip import TextConfig, TextEncoder


@pytest.fixture
def sd1_clip(host: Host):
    import comfy.sd1_clip

    return comfy.sd1_clip


@pytest.fixture
def clip(host: Host):
    import comfy.sd

    return comfy.sd.load_checkpoint_guess_config(str(host.folders.path("checkpoints", "tiny.safetensors")))[1]


def test_weights_are_read_off_an_escaped_prompt(sd1_clip):
    escaped = sd1_clip.escape_important("a (b:1.5) \\(c\\) ((d))")
    pieces = [(sd1_clip.unescape_important(text), weight) for text, weight in sd1_clip.token_weights(escaped, 1.0)]
    assert [(text, round(weight, 4)) for text, weight in pieces] == [("a ", 1), ("b", 1.5), (" (c) ", 1), ("d", 1.21)]
    assert sd1_clip.token_weights("x (y)", 2.0) == [("x ", 2.0), ("y", 2.2)]


def test_folders_are_listed_with_those_below(sd1_clip, tmp_path):
    top = tmp_path / "words"
    (top / "a" / "b").mkdir(parents=True)
    expected = [str(top), str(top / "a"), str(top / "a" / "b")]
    assert sorted(sd1_clip.expand_directory_list([str(top)])) == expected


def test_empty_tokens_are_start_end_and_padding(sd1_clip):
    assert sd1_clip.gen_empty_tokens({"start": 1, "end": 2, "pad": 3}, 5) == [1, 2, 3, 3, 3]
    assert sd1_clip.gen_empty_tokens({"end": 2}, 3) == [2, 0, 0]


def test_the_members_of_tokenizers(sd1_clip, clip):
    import comfy.sdxl_clip

    part = clip.tokenizer.clip_l
    assert isinstance(clip.tokenizer, sd1_clip.SD1Tokenizer)
    assert isinstance(part, sd1_clip.SDTokenizer)
    assert (part.max_length, part.embedding_identifier, part.pad_with_end) == (77, "embedding:", True)
    (number,) = part.tokenizer("cat", add_special_tokens=False)["input_ids"]
    assert part.inv_vocab[number] == "cat</w>"
    assert part.tokenizer.get_vocab()["cat</w>"] == number
    (chunk,) = clip.tokenize("cat")["l"]
    assert clip.tokenizer.untokenize(chunk)[1] == ((number, 1.0), "cat</w>")
    both = comfy.sdxl_clip.SDXLTokenizer().tokenize_with_weights("cat")
    assert list(both) == ["g", "l"]
    assert both["g"][0][:3] == both["l"][0][:3]
    assert (both["g"][0][-1], both["l"][0][-1]) == ((0, 1.0), (49407, 1.0))


def test_the_classes_tell_families_apart(sd1_clip, clip):
    import comfy.sdxl_clip

    stage = clip.cond_stage_model
    assert isinstance(stage, sd1_clip.SD1ClipModel)
    assert not isinstance(stage, comfy.sdxl_clip.SDXLClipModel | comfy.sdxl_clip.SDXLRefinerClipModel)
    assert isinstance(stage.clip_l, sd1_clip.SDClipModel)
    assert not isinstance(stage.clip_l, comfy.sdxl_clip.SDXLClipG)
    assert "clip_l.transformer.text_model.encoder.layers.0.mlp.fc1.weight" in stage.state_dict()


def test_the_options_of_an_encoder_hold_until_they_are_reset(clip):
    tokens = clip.tokenize("a cat")
    stage = clip.cond_stage_model
    clip.load_model()
    usual, pooled = stage.encode_token_weights(tokens)
    stage.set_clip_options({"layer": -2, "projected_pooled": False})
    other, same = stage.clip_l.encode_token_weights(tokens["l"])
    assert not torch.allclose(other, usual)
    assert torch.equal(same, pooled)
    stage.reset_clip_options()
    assert torch.equal(stage.encode_token_weights(tokens)[0], usual)
    other = clip.clone()
    other.clip_layer(-2)
    torch.testing.assert_close(stage.clip_l(_bare(tokens["l"]))[0].reshape(usual.shape), usual)


def _bare(chunks):
    return [[pair[0] for pair in chunk] for chunk in chunks]


def _weights(width: int, layers: int, seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    network = TextEncoder(TextConfig(width=width, layers=layers, heads=1, mlp_width=32))
    names = {name: tuple(each.shape) for name, each in network.named_parameters()}
    return {
        f"text_model.{name}": torch.randn(shape, generator=generator) / math.sqrt(shape[-1])
        for name, shape in names.items()
    }


@pytest.fixture
def pair(host: Host):
    """SDXL's two in miniature: what makes bigG bigG is its 31st layer."""
    import comfy.sd

    small, large = _weights(16, 2, 0), _weights(32, 32, 1)
    large["text_projection.weight"] = torch.randn(24, 32, generator=torch.Generator().manual_seed(2))
    return comfy.sd.load_text_encoder_state_dicts([small, large]), small, large


def test_two_encoders_are_joined_by_features(pair):
    import comfy.sdxl_clip

    clip, small, large = pair
    assert isinstance(clip.cond_stage_model, comfy.sdxl_clip.SDXLClipModel)
    tokens = clip.tokenize("a cat")
    cond, pooled = clip.encode_from_tokens(tokens, return_pooled=True)
    assert cond.shape == (1, 77, 48)
    left, _ = _reference(small, TextConfig(width=16, layers=2, heads=1, mlp_width=32), tokens["l"])
    config = TextConfig(width=32, layers=32, heads=1, mlp_width=32, activation="gelu")
    right, summary = _reference(large, config, tokens["g"])
    torch.testing.assert_close(cond, torch.cat([left, right], dim=-1), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(pooled, summary @ large["text_projection.weight"].T, atol=1e-4, rtol=1e-4)
    unprojected = clip.encode_from_tokens(tokens, return_pooled="unprojected")[1]
    torch.testing.assert_close(unprojected, summary, atol=1e-4, rtol=1e-4)


def _reference(weights: dict[str, Tensor], config: TextConfig, chunks) -> tuple[Tensor, Tensor]:
    """transformers' own CLIP: the second-to-last layer without the last norm, and the normed vector at the end."""
    from transformers import CLIPTextConfig
    from transformers import CLIPTextModel as Theirs

    settings = CLIPTextConfig(
        vocab_size=49408,
        hidden_size=config.width,
        intermediate_size=32,
        num_hidden_layers=config.layers,
        num_attention_heads=1,
        hidden_act=config.activation,
        eos_token_id=49407,
    )
    network = Theirs(settings).eval()
    own = network.state_dict().keys()
    given = {name: each for name, each in weights.items() if name != "text_projection.weight"}
    if not any(name.startswith("text_model.") for name in own):
        given = {name.removeprefix("text_model."): each for name, each in given.items()}
    network.load_state_dict(given, strict=False)
    with torch.no_grad():
        found = network(torch.tensor(_bare(chunks)), output_hidden_states=True)
    return found.hidden_states[-2], found.pooler_output


def test_such_a_clip_works_in_our_nodes(pair):
    from compat.crossing import enter, leave
    from nodes.convert import text_conditioning

    clip = pair[0]
    ((cond, options),) = text_conditioning(leave(clip), "a cat", lambda: None)
    assert torch.equal(cond, clip.encode("a cat"))
    assert options["pooled_output"].shape == (1, 24)
    assert enter(leave(clip)) is clip


def test_families_that_cannot_be_loaded_say_so(host):
    import comfy.sd3_clip
    from comfy.text_encoders import flux, sd3_clip

    assert comfy.sd3_clip.T5XXLModel is sd3_clip.T5XXLModel
    for kind in (sd3_clip.T5XXLModel, sd3_clip.SD3ClipModel, flux.FluxClipModel, flux.flux_clip(), flux.FluxTokenizer):
        with pytest.raises(CheckpointError, match="not supported yet"):
            kind()
    with pytest.raises(ImportError, match=r"comfy\.text_encoders\.flux\.Nothing: this member"):
        from comfy.text_encoders.flux import Nothing  # noqa: F401
