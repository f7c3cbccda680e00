"""How strongly each word of a prompt counts: "(red:1.2) hat" becomes spans of text with a weight.

"(a)" counts 1.1 times as much, nested groups multiply, "(a:1.3)" counts exactly 1.3 whatever encloses it, and a
backslash makes a parenthesis literal. Square brackets mean nothing.
Source: design/numerics.md "Text (CLIP)"; tests/goldens/tokens.json.
"""

import math
import re
from bisect import bisect_left
from dataclasses import dataclass

from engine.errors import TextError

STRONGER = 1.1
"""What one pair of parentheses multiplies by."""

LARGEST_WEIGHT = 1e6
"""Far beyond any use, and far from where float32 overflows in the text encoder."""

_PARENTHESIS = re.compile(r"\\?[()]")


@dataclass(frozen=True)
class Span:
    """A piece of the prompt whose words all count the same."""

    text: str
    weight: float = 1.0


def spans(prompt: str, weight: float = 1.0) -> list[Span]:
    """The prompt cut where weights change, without the parentheses that say so. Words outside of any count `weight`.

    Not recursive, so that ten thousand parentheses are only a strange prompt.
    Raises: TextError, for a weight that is not a finite number of a sensible size.
    """
    found = _Reader(prompt, weight).read()
    return [Span(_unescaped(span.text), _checked(span)) for span in found if span.text]


class _Reader:
    """Walks the prompt; `todo` is what is left of it, as ranges with their weight, the next one last."""

    def __init__(self, prompt: str, weight: float) -> None:
        self.prompt = prompt
        self.partner = _partners(prompt)
        self.openings = sorted(self.partner)
        self.found: list[Span] = []
        self.todo = [(0, len(prompt), weight)]

    def read(self) -> list[Span]:
        while self.todo:
            start, end, weight = self.todo.pop()
            if start in self.partner and start < end:
                self._take_group(start, end, weight)
            else:
                self._take_text(start, end, weight)
        return self.found

    def _take_text(self, start: int, end: int, weight: float) -> None:
        place = bisect_left(self.openings, start)
        opening = self.openings[place] if place < len(self.openings) else end
        self.found.append(Span(self.prompt[start : min(opening, end)], weight))
        if opening < end:
            self.todo.append((opening, end, weight))

    def _take_group(self, start: int, end: int, weight: float) -> None:
        closing = self.partner[start]
        if closing >= end:
            # ComfyUI: a group never closed reaches to the end, and counts when a parenthesis happens to stand there.
            closing = end - 1
            if closing == start or self.prompt[closing] != ")" or self.prompt[closing - 1] == "\\":
                self.found.append(Span(self.prompt[start:end], weight))
                return
        self.todo.append((closing + 1, end, weight))
        self.todo.append((start + 1, *self._end_and_weight(start + 1, closing, weight)))

    def _end_and_weight(self, start: int, end: int, weight: float) -> tuple[int, float]:
        """Where the words of a group end, and how much they count."""
        colon = self.prompt.rfind(":", start, end)
        if colon > start:
            try:
                return colon, float(self.prompt[colon + 1 : end])
            except ValueError:
                pass  # a colon that belongs to the text
        return end, weight * STRONGER


def _partners(prompt: str) -> dict[int, int]:
    """Where each opening parenthesis is closed; the prompt's length for one that never is."""
    partner: dict[int, int] = {}
    open_ones: list[int] = []
    for match in _PARENTHESIS.finditer(prompt):
        if match.group() == "(":
            open_ones.append(match.start())
            partner[match.start()] = len(prompt)
        elif match.group() == ")" and open_ones:
            partner[open_ones.pop()] = match.start()
    return partner


def _unescaped(text: str) -> str:
    return text.replace("\\(", "(").replace("\\)", ")")


def _checked(span: Span) -> float:
    if math.isfinite(span.weight) and abs(span.weight) <= LARGEST_WEIGHT:
        return span.weight
    shown = span.text if len(span.text) <= 40 else span.text[:40] + "…"
    raise TextError(
        f"the weight of {shown!r} in the prompt is {span.weight}; write a number such as (word:1.2), "
        "or \\( and \\) for parentheses that are part of the text"
    )
