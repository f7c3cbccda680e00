"""What a ControlNet or T2I-Adapter hands to a UNet."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class ControlResiduals:
    """What a ControlNet or T2I-Adapter adds inside the UNet, one place per input block (None = nothing).

    `input` goes onto the skip connections when the decoder takes them up, so the encoder never sees it; `middle` onto
    the middle block's output; `encoder` onto the input blocks' outputs, where it also flows on (T2I-Adapters).
    """

    input: tuple[Tensor | None, ...] = ()
    middle: Tensor | None = None
    encoder: tuple[Tensor | None, ...] = ()

    def scaled(self, strength: float) -> "ControlResiduals":
        """The same control, weaker or stronger."""
        return self.mapped(lambda x: x * strength)

    def rows(self, places: Sequence[int]) -> "ControlResiduals":
        """The control for these of the batch's latents, each as often as it is named."""
        return self.mapped(lambda x: x[list(places)])

    def mapped(self, change: Callable[[Tensor], Tensor]) -> "ControlResiduals":
        """The same control with every place changed."""

        def changed(x: Tensor | None) -> Tensor | None:
            return None if x is None else change(x)

        return ControlResiduals(
            tuple(changed(x) for x in self.input), changed(self.middle), tuple(changed(x) for x in self.encoder)
        )

    def added(self, other: "ControlResiduals") -> "ControlResiduals":
        """Two controls at once, place by place."""
        return ControlResiduals(
            _added_places(self.input, other.input),
            _added(self.middle, other.middle),
            _added_places(self.encoder, other.encoder),
        )


def _added(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    if a is None or b is None:
        return b if a is None else a
    return a + b


def _added_places(a: tuple[Tensor | None, ...], b: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
    places = max(len(a), len(b))
    a, b = ((*x, *[None] * (places - len(x))) for x in (a, b))
    return tuple(_added(x, y) for x, y in zip(a, b, strict=True))
