"""The text tower reads captions as CLIP does, with a short table of tokens, and learns from pairs."""

from pathlib import Path

import torch

from engine.text.tokenizer import END, START, Tokenizer
from engine.training import text_tower
from engine.training.loop import Budget, Settings
from engine.training.text_tower import TextTower, tokens_of

CPU = torch.device("cpu")
CAPTIONS = ["an apple, 3d render", "a fox", "", "a fox on a navy background, flat vector"]


def small_tower(tokens: torch.Tensor) -> TextTower:
    torch.manual_seed(0)
    return TextTower(sorted(set(tokens.flatten().tolist())), width=32, layers=2, heads=2)


def test_captions_become_the_tokens_that_prompts_become() -> None:
    tokenizer = Tokenizer()
    tokens = tokens_of(CAPTIONS, tokenizer)
    for row, caption in zip(tokens.tolist(), CAPTIONS, strict=True):
        assert row == [token.id for token in tokenizer.chunks(caption)[0]]
    assert tokens_of(["fox " * 100], tokenizer)[0, [0, -1]].tolist() == [START, END]


def test_a_token_without_a_row_reads_the_mean_row() -> None:
    tokens = tokens_of(CAPTIONS, Tokenizer())
    tower = small_tower(tokens)
    strange = tokens[:1].long().clone()
    strange[0, 2] = 12345
    table = tower.encoder.embeddings.token_embedding.weight
    vectors = table[torch.searchsorted(tower.ids, tokens[:1].long())].clone()
    vectors[0, 2] = table.mean(dim=0)
    ends = (tokens[:1] == END).int().argmax(dim=1)
    assert torch.allclose(tower(strange)[0], tower.encoder(vectors, ends)[0], atol=1e-6)


def test_what_stands_behind_the_end_does_not_change_the_summary() -> None:
    tokens = tokens_of(CAPTIONS, Tokenizer()).long()
    tower = small_tower(tokens)
    longest = int((tokens == END).int().argmax(dim=1).max()) + 1
    assert torch.allclose(tower(tokens)[1], tower(tokens[:, :longest])[1], atol=1e-5)


def test_texts_learn_to_point_at_their_own_pictures(tmp_path: Path) -> None:
    tokens = tokens_of(CAPTIONS, Tokenizer())
    latents = torch.randn(4, 4, 8, 8, generator=torch.Generator().manual_seed(0)).half()
    phase = text_tower.phase(tmp_path, small_tower(tokens), Settings(3e-3, warmup_steps=5, bfloat16=False), CPU)
    text_tower.train(latents, torch.arange(4), tokens, phase, 16, Budget(steps=60), float("inf"))
    with torch.no_grad():
        texts = phase.networks["text"](tokens.long())[1]
        pictures = phase.networks["picture"](latents.float())
    likeness = torch.nn.functional.normalize(texts, dim=1) @ torch.nn.functional.normalize(pictures, dim=1).T
    assert likeness.argmax(dim=1).tolist() == [0, 1, 2, 3]
