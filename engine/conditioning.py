"""What guides a picture: text as vectors, where on the picture it holds, when, and how strongly.

Plain data. Nodes make it, engine/sampling reads it; neither tensors nor values here are ever changed.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Area:
    """A rectangle of the picture.

    Units: latent cells (8 pixels), or shares of the picture's height and width when `is_share`.
    """

    height: float
    width: float
    y: float
    x: float
    is_share: bool = False


@dataclass(frozen=True, eq=False)
class ControlHint:
    """A picture of edges, depth, a pose … and the network that makes the denoiser follow it.

    `net(x, hint, timesteps, context, y)` gives engine.models.control.ControlResiduals, in the device and dtype of x;
    what it may have besides, engine/sampling/controls.py says. Hints are compared by identity, so that conditions
    sharing one can be asked about together. `vae` encodes the picture for nets that read latents, and `mask` is what
    some of those read beside it.

    Shapes: image [B, 3, H, W], 0 … 1, of any size; mask [M, 1, H, W].
    Units: start and end are shares of the run, 0 its first step and 1 its last.
    """

    net: Callable[..., Any]
    image: Tensor
    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0
    vae: Any = None
    mask: Tensor | None = None


@dataclass(frozen=True, eq=False)
class BoxedPhrase:
    """Something that should be in a part of the picture.

    Shapes: vector [1, P], the summary of a text, not projected.
    Units: latent cells.
    """

    vector: Tensor
    height: int
    width: int
    y: int
    x: int


@dataclass(frozen=True, eq=False)
class Grounding:
    """Phrases in boxes, and the network that draws them there.

    `net.shown(phrases, (height, width))` gives a patch for the UNet's transformers (engine.models.patches,
    "middle_patch"). Compared by identity, as hints are.
    """

    net: Any
    phrases: tuple[BoxedPhrase, ...]


@dataclass(frozen=True)
class Sizes:
    """What SDXL's networks are told of the picture they draw; what is None is taken from the picture itself.

    Pictures of the training set were told the size they had before they were scaled (width, height), where they were
    cut off (crop_x from the left, crop_y from the top) and the size of the result (target). `aesthetic_score` is how
    beautiful a picture is, for the refiner.

    Units: pixels.
    """

    width: float | None = None
    height: float | None = None
    crop_x: float = 0.0
    crop_y: float = 0.0
    target_width: float | None = None
    target_height: float | None = None
    aesthetic_score: float | None = None


@dataclass(frozen=True, eq=False)
class SeenPicture:
    """What CLIP saw in pictures, for networks that draw after them (unCLIP).

    Shapes: embeddings [B, P].
    Units: noise_augmentation 0 … 1, how far the network may stray from them.
    """

    embeddings: Tensor
    strength: float = 1.0
    noise_augmentation: float = 0.0


@dataclass(frozen=True, eq=False)
class Condition:
    """One thing the picture should (or should not) show.

    With an `area` the denoiser only sees that part; a `mask` weighs its answer by place. `area_from_mask` takes the
    area from the mask's bounds. Conditions overlap: their answers are averaged by strength. `control_on_negative`
    lends the hints to the other side of the guidance. `vector` is what class-conditional networks read besides the
    text, when it is not to be made of `pooled`, `sizes` and `pictures` (several of which are noised together by
    `picture_merge`); `concat_latent` and `concat_mask` are the further channels of inpainting and editing networks.
    `control_tokens` is what the hints' networks read in the place of the text. `grounding` says what is where.
    `concat_image` is the small picture that an upscaling network makes larger, with so much noise on it
    (`image_noise`, 0 … 1). `prompt_type` is the side that networks are told it is of ("positive", "negative"); None for
    the one it is on.

    Shapes: tokens and control_tokens [1, T, D]; pooled [1, P]; vector [1, V]; mask [M, H, W] and concat_mask
    [M, H, W] of any size; concat_latent [B, C, h, w], as the autoencoder made it; concat_image [B, 3, H, W], -1 … 1.
    Units: start and end percent are shares of the run, 0 … 1. `hooks` are changes of the network that hold while it is
    asked about this; `is_default` fills the places that other conditions leave.
    """

    tokens: Tensor
    pooled: Tensor | None = None
    strength: float = 1.0
    area: Area | None = None
    mask: Tensor | None = None
    mask_strength: float = 1.0
    area_from_mask: bool = False
    start_percent: float = 0.0
    end_percent: float = 1.0
    control: tuple[ControlHint, ...] = ()
    control_on_negative: bool = False
    vector: Tensor | None = None
    concat_latent: Tensor | None = None
    concat_mask: Tensor | None = None
    hooks: Hashable | None = None
    is_default: bool = False
    sizes: Sizes = Sizes()
    pictures: tuple[SeenPicture, ...] = ()
    picture_merge: float = 0.05
    control_tokens: Tensor | None = None
    grounding: Grounding | None = None
    concat_image: Tensor | None = None
    image_noise: float = 0.0
    prompt_type: str | None = None
