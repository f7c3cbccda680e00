"""What a drawing is given, looked through for values that are no numbers before a network is blamed for them."""

from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor

from engine.conditioning import Condition
from engine.devices.finite import NO_NUMBERS, is_finite
from engine.errors import SamplingError

Named = tuple[str, Tensor | None]
"""What a person calls something that was given, and its values."""


def check_numbers(given: Sequence[Named], sides: Mapping[str, Sequence[Condition]]) -> None:
    """Raises SamplingError, naming what holds values that are no numbers, and on which side."""
    for name, values in given:
        if values is not None and not is_finite(values):
            raise SamplingError(f"the {name} holds {NO_NUMBERS}; make it anew")
    known: set[int] = set()  # both sides often share hints and masks, which are large
    for side, conditions in sides.items():
        for condition in conditions:
            for name, values in _parts(condition):
                if values is None or id(values) in known:
                    continue
                known.add(id(values))
                if not is_finite(values):
                    raise SamplingError(f"{side}: the {name} holds {NO_NUMBERS}; look at what made it")


def _parts(condition: Condition) -> Iterator[Named]:
    yield "text's encoding", condition.tokens
    yield "text's summary", condition.pooled
    yield "mask of a condition", condition.mask
    yield "vector beside the text", condition.vector
    yield "picture to inpaint or edit, as a latent,", condition.concat_latent
    yield "mask to inpaint", condition.concat_mask
    yield "picture to draw larger", condition.concat_image
    yield "text's encoding for ControlNets", condition.control_tokens
    for hint in condition.control:
        yield f"hint of {_name(hint.net)}", hint.image
        yield f"mask of {_name(hint.net)}", hint.mask
    for seen in condition.pictures:
        yield "picture that CLIP vision saw", seen.embeddings
    for phrase in condition.grounding.phrases if condition.grounding is not None else ():
        yield "phrase in a box", phrase.vector


def _name(net: object) -> str:
    """What messages call a hint's network."""
    return str(getattr(getattr(net, "part", net), "name", type(net).__name__))
