import pytest
import torch
from transformers import CLIPTextConfig, CLIPTextModel

from engine.text.clip import TextConfig, TextEncoder
from engine.text.encoder import encode
from engine.text.tokenizer import CHUNK, END, START, Token, Tokenizer

CONFIG = TextConfig(width=32, layers=3, heads=4, mlp_width=64)


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer()


@pytest.fixture(scope="module")
def reference():
    torch.manual_seed(0)
    config = CLIPTextConfig(
        vocab_size=49408,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        eos_token_id=END,
        attn_implementation="eager",
    )
    return CLIPTextModel(config).eval()


@pytest.fixture(scope="module")
def encoder(reference):
    ours = TextEncoder(CONFIG).eval()
    ours.load_state_dict(reference.state_dict())
    return ours


def ids(chunk):
    return torch.tensor([[token.id for token in chunk]])


def test_an_unweighted_prompt_agrees_with_transformers(encoder, reference, tokenizer):
    chunk = tokenizer.chunks("a red apple on a table")[0]
    tokens, pooled = encode(encoder, [chunk], tokenizer.empty())
    with torch.no_grad():
        expected = reference(ids(chunk))
    torch.testing.assert_close(tokens, expected.last_hidden_state, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(pooled, expected.pooler_output, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("last_layer", "index"), [(-1, 3), (-2, 2), (-3, 1), (-9, 3)])
def test_clip_skip_takes_an_earlier_layer_and_still_normalises_it(encoder, reference, tokenizer, last_layer, index):
    chunk = tokenizer.chunks("a red apple")[0]
    tokens, pooled = encode(encoder, [chunk], tokenizer.empty(), last_layer)
    raw, _ = encode(encoder, [chunk], tokenizer.empty(), last_layer, final_norm=False)
    with torch.no_grad():
        hidden = reference(ids(chunk), output_hidden_states=True)
        state = hidden.hidden_states[index]
        expected = reference.final_layer_norm(state)
    torch.testing.assert_close(tokens, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(pooled, hidden.pooler_output, rtol=1e-4, atol=1e-5)
    if last_layer != -1:
        torch.testing.assert_close(raw, state, rtol=1e-4, atol=1e-5)


def test_weights_pull_each_vector_away_from_the_empty_prompts(encoder, reference, tokenizer):
    chunks = tokenizer.chunks("a (red:1.4) (apple:-0.5)")
    tokens, pooled = encode(encoder, chunks, tokenizer.empty())
    with torch.no_grad():
        z = reference(ids(chunks[0])).last_hidden_state
        z0 = reference(ids(tokenizer.empty())).last_hidden_state
        plain_pooled = reference(ids(chunks[0])).pooler_output
    w = torch.tensor([token.weight for token in chunks[0]])[None, :, None]
    torch.testing.assert_close(tokens, z0 + w * (z - z0), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(pooled, plain_pooled, rtol=1e-4, atol=1e-5)


def test_chunks_are_encoded_alone_and_joined(encoder, tokenizer):
    chunks = tokenizer.chunks("a " * 80)
    joined, pooled = encode(encoder, chunks, tokenizer.empty())
    first, first_pooled = encode(encoder, chunks[:1], tokenizer.empty())
    second, _ = encode(encoder, chunks[1:], tokenizer.empty())
    assert joined.shape == (1, 2 * CHUNK, 32)
    torch.testing.assert_close(joined, torch.cat([first, second], dim=1))
    torch.testing.assert_close(pooled, first_pooled)


def test_a_learned_vector_equal_to_a_words_means_that_word(encoder, tokenizer):
    word = tokenizer.words("apple")
    vector = encoder.embeddings.token_embedding.weight[word].detach()
    with_vector = tokenizer.chunks("a red embedding:x", lambda name: vector)
    tokens, pooled = encode(encoder, with_vector, tokenizer.empty())
    expected, expected_pooled = encode(encoder, tokenizer.chunks("a red apple"), tokenizer.empty())
    torch.testing.assert_close(tokens, expected)
    torch.testing.assert_close(pooled, expected_pooled)


def test_a_learned_vector_of_another_width_is_left_out_with_a_warning(encoder, tokenizer, caplog):
    chunks = tokenizer.chunks("a embedding:x cat", lambda name: torch.ones(2, 99))
    tokens, _ = encode(encoder, chunks, tokenizer.empty())
    expected, _ = encode(encoder, tokenizer.chunks("a cat"), tokenizer.empty())
    torch.testing.assert_close(tokens, expected)
    assert "another width" in caplog.text


def test_the_summary_is_taken_at_the_first_end_token(encoder):
    chunk = (Token(START), Token(320), Token(END), *[Token(0)] * (CHUNK - 3))
    _, pooled = encode(encoder, [chunk], chunk)
    other = (*chunk[:5], *[Token(320)] * (CHUNK - 5))
    torch.testing.assert_close(pooled, encode(encoder, [other], chunk)[1])


def test_shapes_decide_the_configuration(encoder):
    shapes = {name: tuple(tensor.shape) for name, tensor in encoder.state_dict().items()}
    assert TextConfig.from_shapes(shapes, heads=4) == CONFIG
    assert TextConfig.from_shapes({**shapes, "embeddings.token_embedding.weight": (49408, 768)}).heads == 12
