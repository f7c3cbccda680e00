"""Prompts to numbers for CLIP: byte-pair tokens in chunks of 77, each with its weight.

Source: Radford et al. 2021, arXiv 2103.00020 (the vocabulary); design/numerics.md "Text (CLIP)" (the chunks).
"""

import gzip
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from typing import TYPE_CHECKING

from torch import Tensor

from engine.text.emphasis import spans

if TYPE_CHECKING:
    from engine.text.clip import CLIPTokenizer

START = 49406
END = 49407
CHUNK = 77
"""Positions the text encoder has, the start and the end token included."""

SPLITTABLE = 8
"""A piece of at least this many tokens is cut at the end of a chunk; a shorter one moves to the next as a whole."""

_MERGES = 49152 - 256 - 2  # CLIP's vocabulary uses the first of the file's merges, after its title line.
_EMBEDDING = re.compile(r"(?:(?<=[ \n])|^)embedding:([^ \n]+)")

Find = Callable[[str], Tensor | None]
"""A learned embedding by name: its vectors [n, D], or None when there is no such file."""


@dataclass(frozen=True)
class Token:
    """One position of a chunk: a word of the vocabulary, or a learned vector [D] in its place.

    `piece` tells which piece of the prompt it belongs to, counted from 1; 0 is start, end and padding.
    """

    id: int
    weight: float = 1.0
    vector: Tensor | None = None
    piece: int = field(default=0, compare=False)


Chunk = tuple[Token, ...]


class Tokenizer:
    """CLIP's vocabulary, and the rules by which a prompt fills chunks.

    `padding` is what stands after the end token: the end token again for CLIP-L, 0 for OpenCLIP's models.
    """

    def __init__(self, padding: int = END) -> None:
        self.padding = padding
        self.vocabulary = _read_vocabulary()

    def words(self, text: str) -> list[int]:
        """The tokens of plain text, without start and end."""
        return list(self.vocabulary(text, add_special_tokens=False, verbose=False)["input_ids"])

    def chunks(self, prompt: str, find: Find = lambda name: None) -> list[Chunk]:
        """The prompt as chunks of 77 tokens; at least one, even for an empty prompt.

        Raises: TextError, for a weight that is not a usable number.
        """
        filled: list[list[Token]] = [[]]
        pieces = (piece for piece in self._pieces(prompt, find) if piece)
        for number, piece in enumerate(pieces, 1):
            _place([replace(token, piece=number) for token in piece], filled)
        return [self._framed(tokens) for tokens in filled]

    def empty(self) -> Chunk:
        """The chunk of an empty prompt."""
        return self._framed([])

    def _framed(self, tokens: Sequence[Token]) -> Chunk:
        padding = [Token(self.padding)] * (CHUNK - 2 - len(tokens))
        return (Token(START), *tokens, Token(END), *padding)

    def _pieces(self, prompt: str, find: Find) -> Iterator[list[Token]]:
        """What may not be split while short: each weighted span, each span between embeddings, each embedding."""
        for span in spans(prompt):
            for text, vectors in _with_embeddings(span.text, find):
                if vectors is not None:
                    yield [Token(0, span.weight, vector) for vector in vectors]
                else:
                    yield [Token(id, span.weight) for id in self.words(text)]


def _with_embeddings(text: str, find: Find) -> Iterator[tuple[str, Tensor | None]]:
    """Text and embeddings in turn. A name nobody knows is dropped; commas behind a name stay text."""
    rest = ""
    position = 0
    for match in _EMBEDDING.finditer(text):
        yield rest + text[position : match.start()], None
        name = match.group(1)
        vectors = find(name)
        bare = name.rstrip(",")
        rest = ""
        if vectors is None and bare != name:
            vectors = find(bare)
            rest = name[len(bare) :]
        if vectors is not None:
            yield "", vectors
        position = match.end()
    yield rest + text[position:], None


def _place(piece: list[Token], filled: list[list[Token]]) -> None:
    room = CHUNK - 2 - len(filled[-1])
    if len(piece) > room and len(piece) < SPLITTABLE:
        filled.append([])
        room = CHUNK - 2
    while piece:
        if room == 0:
            filled.append([])
            room = CHUNK - 2
        filled[-1].extend(piece[:room])
        piece = piece[room:]
        room = CHUNK - 2 - len(filled[-1])


def _read_vocabulary() -> "CLIPTokenizer":
    """The tokenizer of the original CLIP, made from its list of merges, without asking a hub."""
    from engine.text.clip import CLIPTokenizer  # slow: it imports transformers

    packed = files("engine.text").joinpath("bpe_simple_vocab_16e6.txt.gz").read_bytes()
    lines = gzip.decompress(packed).decode("utf-8").split("\n")[1 : _MERGES + 1]
    merges = [(first, second) for first, second in (line.split() for line in lines)]
    letters = list(_byte_letters().values())
    words = letters + [letter + "</w>" for letter in letters]
    words += ["".join(merge) for merge in merges]
    words += ["<|startoftext|>", "<|endoftext|>"]
    # transformers' annotation knows merges as one text only, but takes pairs as well.
    return CLIPTokenizer(vocab={word: id for id, word in enumerate(words)}, merges=merges)  # type: ignore[arg-type]


def _byte_letters() -> dict[int, str]:
    """A visible letter for every byte, so that merges can be written as text.

    Source: the byte-level BPE of GPT-2; printable bytes stand for themselves, the others follow from U+0100 on.
    """
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}
