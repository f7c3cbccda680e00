"""The CLIP object: the numbers of our own encoder, whatever plugins do with tokens, weights and patches."""

import pytest
import torch

from compat.crossing import enter, leave
from compat.crossings.clip import AuthorsClip

PROMPT = "a (red:1.3) cat, (((very))) small \\(really\\)"


@pytest.fixture
def clip(loaded):
    return enter(loaded.clip)


def test_tokens_and_vectors_are_those_of_our_own_encoder(loaded, clip):
    tokens = clip.tokenize(PROMPT)
    assert list(tokens) == ["l"]
    assert [len(chunk) for chunk in tokens["l"]] == [77]
    cond, pooled = clip.encode_from_tokens(tokens, return_pooled=True)
    expected, expected_pooled = loaded.clip.encode(PROMPT)
    assert torch.equal(cond, expected)
    assert torch.equal(pooled, expected_pooled)
    assert torch.equal(clip.encode(PROMPT), expected)


def test_weights_that_a_plugin_rewrote_count_as_if_they_had_been_written(loaded, clip):
    tokens = clip.tokenize("a red cat")
    red = clip.tokenizer.clip_l.tokenizer("red", add_special_tokens=False)["input_ids"][0]
    changed = {"l": [[(token, 1.4 if token == red else weight) for token, weight in chunk] for chunk in tokens["l"]]}
    assert torch.equal(clip.encode_from_tokens(changed), loaded.clip.encode("a (red:1.4) cat")[0])


def test_word_ids_count_the_pieces_of_a_prompt(clip):
    (chunk,) = clip.tokenize("a (red:1.3) cat", return_word_ids=True)["l"]
    assert [entry[2] for entry in chunk[:6]] == [0, 1, 2, 3, 0, 0]


def test_a_long_prompt_is_encoded_chunk_by_chunk(loaded, clip):
    tokens = clip.tokenize("word " * 100)
    assert len(tokens["l"]) == 2
    assert torch.equal(clip.encode_from_tokens(tokens), loaded.clip.encode("word " * 100)[0])


def test_a_vector_in_the_place_of_a_token_is_taken_as_it_is(loaded, clip):
    table = loaded.clip.encoders[0].part.weights["embeddings.token_embedding.weight"]
    tokens = clip.tokenize("a red cat")
    vectors = {
        "l": [[(table[token].float() if 0 < i < 4 else token, w) for i, (token, w) in enumerate(tokens["l"][0])]]
    }
    torch.testing.assert_close(clip.encode_from_tokens(vectors), clip.encode("a red cat"))


def test_scheduled_encoding_gives_a_conditioning_with_what_is_added(clip):
    tokens = clip.tokenize("a cat")
    ((cond, options),) = clip.encode_from_tokens_scheduled(tokens, add_dict={"width": 512})
    found = clip.encode_from_tokens(tokens, return_dict=True)
    assert torch.equal(cond, found["cond"])
    assert torch.equal(options["pooled_output"], found["pooled_output"])
    assert options["width"] == 512


def test_a_clone_has_its_own_layer_and_options(loaded, clip):
    other = clip.clone()
    other.clip_layer(-2)
    other.set_tokenizer_option("disable_weights", True)
    assert clip.layer_idx is None
    assert torch.equal(other.encode("a cat"), loaded.clip.with_last_layer(-2).encode("a cat")[0])
    assert torch.equal(clip.encode("a cat"), loaded.clip.encode("a cat")[0])
    assert other.tokenize("(cat)") == clip.tokenize("\\(cat\\)")
    assert other.tokenize("(cat)") != clip.tokenize("(cat)")


def test_patches_change_the_encoder_of_their_clone_alone(loaded, clip):
    key = "clip_l.transformer.text_model.encoder.layers.0.mlp.fc1.weight"
    change = torch.randn(64, 64, generator=torch.Generator().manual_seed(1))
    other = clip.clone()
    assert other.add_patches({key: (change,), "no.such.weight": (change,)}, 0.5) == [key]
    before, plain = clip.encode("a cat"), loaded.clip.encode("a cat")[0]
    assert not torch.allclose(other.encode("a cat"), before)
    assert torch.equal(clip.encode("a cat"), plain)
    found = other.get_sd()[key].float()
    expected = loaded.clip.encoders[0].part.weights["encoder.layers.0.mlp.fc1.weight"].float() + 0.5 * change
    torch.testing.assert_close(found, expected, rtol=2e-3, atol=2e-3)
    assert len(other.get_key_patches()[key]) == 2


def test_a_patched_clip_goes_over_our_wires_and_comes_back(clip):
    key = "clip_l.transformer.text_model.encoder.layers.0.mlp.fc1.weight"
    other = clip.clone()
    other.add_patches({key: (torch.ones(64, 64),)}, 0.1)
    other.clip_layer(-2)
    wired = leave(other)
    assert torch.equal(wired.encode("a cat")[0], other.encode("a cat"))
    assert enter(wired) is other
    assert leave(other) is wired


def test_what_our_nodes_add_to_a_plugins_clip_comes_back_with_it(clip):
    other = clip.clone()
    other.mark = 1
    wired = leave(other).with_last_layer(-2)
    back = enter(wired)
    assert back.layer_idx == -2
    assert torch.equal(back.encode("a cat"), wired.encode("a cat")[0])
    assert enter(wired) is back


def test_the_same_clip_enters_as_the_same_object(loaded, clip):
    assert enter(loaded.clip) is clip


def test_a_clip_that_was_taken_apart_still_encodes_for_our_nodes(loaded, clip):
    other = clip.clone()
    encode = other.encode_from_tokens
    other.encode_from_tokens = lambda *args, **kwargs: _doubled(encode(*args, **kwargs))
    wired = leave(other)
    assert isinstance(wired, AuthorsClip)
    ((cond, _),) = wired.conditioning("a cat")
    assert torch.equal(cond, 2 * loaded.clip.encode("a cat")[0])
    assert enter(wired) is other


def _doubled(found):
    return {**found, "cond": 2 * found["cond"]}


def test_weights_are_replaced_by_load_sd(loaded, clip, host):
    import comfy.sd

    wide = {f"text_model.{k}": v * 1.5 for k, v in loaded.clip.encoders[0].part.weights.items()}
    other = comfy.sd.load_text_encoder_state_dicts([wide])
    fresh = other.clone()
    missing, unknown = fresh.load_sd({f"text_model.{k}": v for k, v in loaded.clip.encoders[0].part.weights.items()})
    assert (missing, unknown) == ([], [])
    tokens = clip.tokenize("a cat")
    assert torch.equal(fresh.encode_from_tokens(tokens), clip.encode_from_tokens(tokens))


def test_hooks_that_change_over_time_encode_a_text_once_for_each_range(loaded, clip, host):
    import comfy.hooks
    import comfy.sd
    from safetensors.torch import load_file

    lora = load_file(host.folders.path("loras", "tiny.safetensors"))
    hooks = comfy.hooks.create_hook_lora(lora, 1.0, 0.8)
    frames = comfy.hooks.HookKeyframeGroup()
    frames.add(comfy.hooks.HookKeyframe(0.0, 0.0))
    frames.add(comfy.hooks.HookKeyframe(0.5, 0.4))
    hooks.set_keyframes_on_hooks(frames)
    other = clip.clone()
    other.apply_hooks_to_conds = hooks
    other.patcher.forced_hooks = hooks.clone()
    other.use_clip_schedule = True
    other.patcher.register_all_hook_patches(hooks, comfy.hooks.create_target_dict(comfy.hooks.EnumWeightTarget.Clip))
    first, second = other.encode_from_tokens_scheduled(other.tokenize("a cat"), add_dict={"mark": 1})
    assert [first[1][f"clip_{end}_percent"] for end in ("start", "end")] == [0.0, 0.4]
    assert [second[1][f"clip_{end}_percent"] for end in ("start", "end")] == [0.4, 1.0]
    assert first[1]["hooks"] is hooks
    assert second[1]["mark"] == 1
    assert torch.equal(first[0], loaded.clip.encode("a cat")[0])
    expected = comfy.sd.load_lora_for_models(None, clip, lora, 0.0, 0.4)[1].encode("a cat")
    torch.testing.assert_close(second[0], expected)
    wired = leave(other)
    assert isinstance(wired, AuthorsClip)
    assert len(wired.conditioning("a cat")) == 2
    assert torch.equal(clip.encode("a cat"), loaded.clip.encode("a cat")[0])


def test_our_lora_node_changes_a_text_encoder_that_a_plugin_took_apart(loaded, host):
    from engine.adapters import lora

    clip = enter(loaded.clip).clone()
    clip.set_tokenizer_option("mark", True)
    file = host.loader.lora(host.folders.path("loras", "tiny.safetensors"))
    _, changed = lora.apply(loaded.model, leave(clip), file, 1.0, 0.7)
    _, expected = lora.apply(loaded.model, loaded.clip, file, 1.0, 0.7)
    torch.testing.assert_close(changed.conditioning("a cat")[0][0], expected.encode("a cat")[0])
    assert torch.equal(clip.encode("a cat"), loaded.clip.encode("a cat")[0])
