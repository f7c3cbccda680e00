"""The second phase: a text encoder learns which words belong to which picture (contrastive, two towers)."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from engine.text.clip import TextConfig, TextEncoder
from engine.text.tokenizer import CHUNK, END, START, Tokenizer
from engine.training.loop import Budget, Losses, Phase, Settings
from engine.training.objective import contrast

WIDTH = 192
HEADS = 4
LAYERS = 4


class TextTower(nn.Module):
    """A CLIP text encoder that has only the rows of the token table that are in use.

    `ids` [N] are the tokens of those rows, rising; any other token reads the mean row, as it will in the finished file.
    """

    ids: Tensor

    def __init__(self, ids: Sequence[int], width: int = WIDTH, layers: int = LAYERS, heads: int = HEADS) -> None:
        super().__init__()
        self.register_buffer("ids", torch.tensor(sorted(ids)))
        self.encoder = TextEncoder(TextConfig(width, layers, heads, 4 * width, activation="quick_gelu"))
        self.encoder.embeddings.token_embedding = nn.Embedding(len(ids), width)
        nn.init.normal_(self.encoder.embeddings.token_embedding.weight, std=0.02)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """What the text says at each position, and its summary at the end token.

        Shapes: tokens [B, 77]; returns [B, 77, D] and [B, D].
        """
        table = self.encoder.embeddings.token_embedding.weight
        rows = torch.searchsorted(self.ids, tokens.contiguous()).clamp(max=len(self.ids) - 1)
        known = self.ids[rows] == tokens
        vectors = table[rows]
        if not bool(known.all()):
            vectors = torch.where(known[..., None], vectors, table.mean(dim=0))
        ends = (tokens == END).int().argmax(dim=1)
        return self.encoder(vectors, ends)


class PictureTower(nn.Module):
    """The other tower: latents to one vector. It is used only here and never shipped."""

    def __init__(self, channels: int = 4, width: int = 64, out_width: int = WIDTH) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(2 * width, 2 * width, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Linear(2 * width * 16, out_width),
        )

    def forward(self, latents: Tensor) -> Tensor:
        """Shapes: latents [B, C, h, w]; returns [B, out_width]."""
        return self.layers(latents)


def tokens_of(captions: Sequence[str], tokenizer: Tokenizer) -> Tensor:
    """The captions as CLIP reads them: start, words, end, padded with the end token; what does not fit is cut.

    Returns: [len(captions), 77] in int32.
    """
    tokens = torch.full((len(captions), CHUNK), tokenizer.padding, dtype=torch.int32)
    tokens[:, 0] = START
    for row, caption in enumerate(captions):
        words = tokenizer.words(caption)[: CHUNK - 2]
        tokens[row, 1 : 1 + len(words)] = torch.tensor(words, dtype=torch.int32)
        tokens[row, 1 + len(words)] = END
    return tokens


def phase(folder: Path, tower: TextTower, settings: Settings, device: torch.device) -> Phase:
    """A fresh phase that trains a text tower beside a picture tower."""
    torch.manual_seed(settings.seed)
    width = tower.encoder.text_config.width
    networks = nn.ModuleDict({"text": tower, "picture": PictureTower(out_width=width), "scale": _Scale()})
    return Phase("text_tower", folder, networks, settings, device)


def train(
    latents: Tensor, rows: Tensor, tokens: Tensor, phase: Phase, batch: int, budget: Budget, deadline: float
) -> None:
    """Teach the text tower of `phase` which caption belongs to which latent.

    Shapes: latents [P, 4, h, w]; rows [S], each scene's latent; tokens [S, 77].
    """
    networks = phase.networks
    # Attention looks back only, so what stands behind the longest caption's end cannot change any summary.
    tokens = tokens[:, : int((tokens == END).int().argmax(dim=1).max()) + 1]

    def draw(generator: torch.Generator) -> Losses:
        pick = torch.randint(len(rows), (batch,), generator=generator)
        seen = rows[pick].to(phase.device)
        pictures = networks["picture"](latents[rows[pick]].float().to(phase.device))
        _, texts = networks["text"](tokens[pick].long().to(phase.device))
        same = seen[:, None] == seen[None, :]
        scale = networks["scale"]()
        return {"loss": contrast(normalize(texts.float()), normalize(pictures.float()), scale, same)}

    phase.run(draw, budget, deadline)


class _Scale(nn.Module):
    """How sharply likeness counts, learned as its logarithm (Radford et al. 2021, section 2.5)."""

    def __init__(self) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.tensor(2.6593))  # log(1 / 0.07)

    def forward(self) -> Tensor:
        return self.log.clamp(max=4.6052).exp()
