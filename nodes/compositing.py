"""Nodes that lay pictures over each other."""

from typing import Annotated, NamedTuple

from engine.graph.define import Choices, Widget, node
from engine.pictures import compositing
from nodes.convert import naming, need_colours, need_image, need_mask
from nodes.types import MAX_SIDE, Image, Mask

Place = Annotated[int, Widget(min=0, max=MAX_SIDE, step=1, tooltip="In pixels.")]
PorterDuffMode = Annotated[str, Choices(compositing.PORTER_DUFF_MODES, default="DST")]


class Layer(NamedTuple):
    """A picture and what is transparent in it."""

    IMAGE: Image
    MASK: Mask


@node("ImageCompositeMasked", category="image")
def image_composite_masked(
    *,
    destination: Image,
    source: Image,
    x: Place = 0,
    y: Place = 0,
    resize_source: bool = False,
    mask: Mask | None = None,
) -> Image:
    """Paste a picture into another one, as far as a mask says.

    mask: 1 where the source is seen; stretched to its size.
    """
    below = need_image(destination, "destination")
    above = compositing.with_channels_of(need_image(source, "source"), below)
    weight = None if mask is None else need_mask(mask, "mask")
    made = compositing.paste_(
        below.clone().movedim(-1, 1), above.movedim(-1, 1), x, y, weight, resize_source=resize_source
    )
    return made.movedim(1, -1)


@node("JoinImageWithAlpha", category="mask/compositing", display_name="Join Image with Alpha")
def join_image_with_alpha(*, image: Image, alpha: Mask) -> Image:
    """Make a picture transparent where a mask says."""
    return compositing.with_alpha(need_colours(image, "image"), need_mask(alpha, "alpha")[:, 0])


@node("SplitImageWithAlpha", category="mask/compositing", display_name="Split Image with Alpha")
def split_image_with_alpha(*, image: Image) -> Layer:
    """Take a picture's transparency off, as a mask that is 1 where it was transparent."""
    return Layer(*compositing.without_alpha(need_image(image, "image")))


@node("PorterDuffImageComposite", category="mask/compositing", display_name="Porter-Duff Image Composite")
def porter_duff_image_composite(
    *, source: Image, source_alpha: Mask, destination: Image, destination_alpha: Mask, mode: PorterDuffMode
) -> Layer:
    """Put two pictures with transparent parts together, by one of the rules that drawing programs know.

    source_alpha: 1 where the picture is transparent.
    mode: SRC_OVER lays the source over the destination.
    """
    above = need_colours(source, "source"), need_mask(source_alpha, "source_alpha")[:, 0]
    below = need_colours(destination, "destination"), need_mask(destination_alpha, "destination_alpha")[:, 0]
    with naming("source"):
        return Layer(*compositing.porter_duff(above, below, mode))
