"""Nodes that change finished pictures: blending, softening, edges."""

from typing import Annotated, NamedTuple

from engine.errors import ImageError
from engine.graph.define import Choices, Widget, node
from engine.graph.run import Run
from engine.images import need_room
from engine.pictures import edges, filters
from engine.pictures.compositing import BLEND_MODES, blended
from nodes.convert import naming, need_colours, need_image
from nodes.types import Image, Seed

Share = Annotated[float, Widget(min=0.0, max=1.0, step=0.01)]
BlendMode = Annotated[str, Choices(BLEND_MODES)]
Radius = Annotated[int, Widget(min=1, max=31, step=1, tooltip="In pixels.")]
BlurSigma = Annotated[float, Widget(min=0.1, max=10.0, step=0.1, tooltip="In radii.")]
SharpenSigma = Annotated[float, Widget(min=0.1, max=10.0, step=0.01, tooltip="In radii.")]
Sharpness = Annotated[float, Widget(min=0.0, max=5.0, step=0.01)]
Colours = Annotated[int, Widget(min=1, max=256, step=1)]
Dither = Annotated[str, Choices(filters.DITHERS)]
Threshold = Annotated[float, Widget(min=0.01, max=0.99, step=0.01)]
Operation = Annotated[str, Choices(filters.MORPHOLOGIES)]
KernelSide = Annotated[int, Widget(min=3, max=999, step=1, tooltip="In pixels.")]


class Parts(NamedTuple):
    """A picture's brightness and colours as grey pictures."""

    Y: Image
    U: Image
    V: Image


@node("ImageBlend", category="image/postprocessing", display_name="Image Blend")
def image_blend(*, image1: Image, image2: Image, blend_factor: Share = 0.5, blend_mode: BlendMode) -> Image:
    """Mix two pictures; the second one is cut and stretched to the size of the first."""
    given, other = need_image(image1, "image1"), need_image(image2, "image2")
    with naming("image2"):
        return blended(given, other, blend_factor, blend_mode)


@node("ImageBlur", category="image/postprocessing", display_name="Image Blur")
def image_blur(*, image: Image, blur_radius: Radius = 1, sigma: BlurSigma = 1.0) -> Image:
    """Make pictures soft."""
    with naming("blur_radius"):
        return filters.blurred(need_image(image, "image"), blur_radius, sigma)


@node("ImageSharpen", category="image/postprocessing", display_name="Image Sharpen")
def image_sharpen(
    *, image: Image, sharpen_radius: Radius = 1, sigma: SharpenSigma = 1.0, alpha: Sharpness = 1.0
) -> Image:
    """Make pictures crisp.

    alpha: how much; 0 changes nothing.
    """
    with naming("sharpen_radius"):
        return filters.sharpened(need_image(image, "image"), sharpen_radius, sigma, alpha)


@node("ImageQuantize", category="image/postprocessing", display_name="Image Quantize")
def image_quantize(*, image: Image, colors: Colours = 256, dither: Dither, run: Run) -> Image:
    """Draw pictures with only so many colours.

    dither: a pattern of dots where a colour lies between two.
    """
    return filters.quantized(need_colours(image, "image"), colors, dither, run.stop_if_cancelled)


@node("Canny", category="image/preprocessors")
def canny(*, image: Image, low_threshold: Threshold = 0.4, high_threshold: Threshold = 0.8) -> Image:
    """Find the edges of a picture, white on black, for a ControlNet of edges.

    low_threshold: how faint an edge may become on its way.
    high_threshold: how strong an edge is somewhere.
    """
    found = edges.canny(need_colours(image, "image"), low_threshold, high_threshold)
    return found[..., None].repeat(1, 1, 1, 3)


@node("Morphology", category="image/postprocessing", display_name="ImageMorphology")
def morphology(*, image: Image, operation: Operation, kernel_size: KernelSide = 3) -> Image:
    """Make what is light larger or smaller, or show what that changes."""
    return filters.morphed(need_image(image, "image"), operation, kernel_size)


@node("ImageAddNoise", category="image")
def image_add_noise(*, image: Image, seed: Seed = 0, strength: Share = 0.5) -> Image:
    """Put grain on pictures."""
    need_room(need_image(image, "image").shape)
    return filters.noisy(image, seed, strength)


@node("ImageRGBToYUV", category="image/batch")
def image_rgb_to_yuv(*, image: Image) -> Parts:
    """Take pictures apart into brightness and colour.

    U: how blue, V: how red; a half is neither.
    """
    parts = filters.to_yuv(need_colours(image, "image"))
    return Parts(*(each[..., None].repeat(1, 1, 1, 3) for each in parts))


@node("ImageYUVToRGB", category="image/batch")
def image_yuv_to_rgb(*, Y: Image, U: Image, V: Image) -> Image:
    """Put pictures together from brightness and colour."""
    parts = [need_colours(each, name)[..., 0] for name, each in (("Y", Y), ("U", U), ("V", V))]
    if len({part.shape for part in parts}) > 1:
        shapes = ", ".join(str(list(part.shape)) for part in parts)
        raise ImageError(f"Y, U, V: expected pictures of one size, got {shapes} (batch, height, width).")
    return filters.from_yuv(*parts)
