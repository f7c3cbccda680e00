"""Many questions to a network as few: rows of equal shape together, as many as memory holds."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.devices import memory
from engine.errors import OutOfMemory

# A text repeated is the same text to attention, but beyond this it costs more than a batch of its own (ComfyUI).
LONGEST_REPEAT = 4


@dataclass
class Chunks:
    """Runs rows through a function, `limit` at a time; less and less when memory runs out.

    `lighten` is asked when a single row does not fit: whether there is more room now.
    """

    limit: int
    lighten: Callable[[], bool] = lambda: False

    def run(self, ask: Callable[[slice], Tensor], rows: int, device: torch.device) -> Tensor:
        """The answers for all rows, in their order.

        What draws from torch's own generator (token merging, tiles of chance) draws the same for every part, tried
        again or not, so that a batch in parts is the batch as a whole.

        Raises: OutOfMemory, when not even a single row fits.
        """
        answers: list[Tensor] = []
        done = 0
        luck = torch.get_rng_state()
        while done < rows:
            torch.set_rng_state(luck)
            part, failure = slice(done, min(done + self.limit, rows)), None
            try:
                answers.append(ask(part))
                done = part.stop
                continue
            except Exception as error:
                # Anything else is the network's own error, and not for us to answer.
                if not memory.is_out_of_memory(error):
                    raise
                failure = error.with_traceback(None)  # which holds the tensors that did not fit
            memory.release_unused(device)
            self._shrink(part.stop - part.start, failure)
        return answers[0] if len(answers) == 1 else torch.cat(answers)

    def _shrink(self, tried: int, error: Exception) -> None:
        if tried > 1:
            self.limit = tried // 2
        elif not self.lighten():
            raise OutOfMemory(
                "there is not enough memory to denoise even one latent at a time; "
                "make the picture smaller, close other programs, or use --cpu"
            ) from error


def row_limit(bytes_per_row: int, device: torch.device) -> int:
    """How many rows to work on at once, at least one."""
    return max(1, memory.room_for_work(device, 0.8) // max(bytes_per_row, 1))


def can_repeat(lengths: Iterable[int]) -> bool:
    """Whether texts of these many tokens may be repeated to a common length."""
    known = list(lengths)
    return math.lcm(*known) // min(known) <= LONGEST_REPEAT


def stacked_tokens(tokens: Sequence[Tensor]) -> Tensor:
    """Texts one below the other, the shorter ones repeated: attention weighs a text twice told like one told once.

    Shapes: tokens [B, T, D] each, T differing. Returns: [sum of B, lcm of T, D].
    """
    length = math.lcm(*(each.shape[1] for each in tokens))
    return torch.cat([each.repeat(1, length // each.shape[1], 1) for each in tokens])
