"""Text encoders of families that the engine cannot run yet: their names are there to be asked for by isinstance.

Making one fails with a sentence that says so.
"""

from typing import Any

from torch import nn

from engine.errors import CheckpointError


class Unsupported(nn.Module):
    """A text encoder that cannot be made yet."""

    family = "this family"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise CheckpointError(
            f"{type(self).__name__}: text encoders of {self.family} are not supported yet; "
            "supported are CLIP-L, CLIP-H, and CLIP-G"
        )


class UnsupportedTokenizer:
    """The tokenizer of one."""

    family = "this family"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise CheckpointError(f"{type(self).__name__}: tokens for {self.family} are not supported yet")
