import json
from pathlib import Path

import pytest
import torch

from engine.text.tokenizer import CHUNK, END, START, Tokenizer

GOLDENS = Path(__file__).parents[2] / "goldens" / "tokens.json"


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer()


def middle(chunk):
    return [token for token in chunk[1:] if token.id != END or token.vector is not None]


@pytest.mark.parametrize("case", json.loads(GOLDENS.read_text()), ids=lambda case: case["text"][:24])
def test_a_prompt_becomes_the_tokens_and_weights_that_comfyui_makes_of_it(tokenizer, case):
    chunks = tokenizer.chunks(case["text"])
    assert [[[token.id, token.weight] for token in chunk] for chunk in chunks] == case["chunks"]


def test_openclip_is_padded_with_zeros_behind_the_end_token():
    ids = [token.id for token in Tokenizer(padding=0).empty()]
    assert ids == [START, END] + [0] * (CHUNK - 2)


def test_a_learned_embedding_takes_as_many_places_as_it_has_vectors(tokenizer):
    vectors = torch.arange(6.0).reshape(3, 2)
    chunk = tokenizer.chunks("a (embedding:style:1.2) cat", {"style": vectors}.get)[0]
    tokens = middle(chunk)
    assert [token.weight for token in tokens] == [1.0, 1.2, 1.2, 1.2, 1.0]
    assert torch.equal(torch.stack([token.vector for token in tokens[1:4]]), vectors)


def test_a_comma_behind_an_embedding_stays_text(tokenizer):
    vectors = torch.ones(1, 2)
    tokens = middle(tokenizer.chunks("embedding:style, cat", {"style": vectors}.get)[0])
    assert [token.vector is not None for token in tokens] == [True, False, False]
    assert [token.id for token in tokens[1:]] == tokenizer.words(", cat")


def test_an_embedding_that_is_not_there_is_left_out(tokenizer):
    assert tokenizer.chunks("a embedding:nothing cat") == tokenizer.chunks("a  cat")


def test_embedding_inside_a_word_is_text(tokenizer):
    assert len(middle(tokenizer.chunks("myembedding:style", lambda name: torch.ones(1, 2))[0])) > 1


def test_a_short_piece_is_not_cut_at_the_end_of_a_chunk(tokenizer):
    chunks = tokenizer.chunks("a " * 73 + "(one two three:1.2)")
    assert len(middle(chunks[0])) == 73
    assert [token.weight for token in middle(chunks[1])] == [1.2, 1.2, 1.2]


def test_a_long_piece_is_cut_at_the_end_of_a_chunk(tokenizer):
    chunks = tokenizer.chunks("a " * 73 + "(one two three four five six seven eight:1.2)")
    assert [len(middle(chunk)) for chunk in chunks] == [75, 6]


def test_ten_thousand_parentheses_are_read_without_recursion(tokenizer):
    chunks = tokenizer.chunks("(" * 10_000 + "cat:1.2" + ")" * 10_000)
    assert [token.weight for token in middle(chunks[0])] == [1.2]
