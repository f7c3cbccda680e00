"""What tells one Depth Anything 3 from another, read off the shapes of its weights."""

from collections.abc import Mapping
from dataclasses import dataclass

from engine.errors import CheckpointError

Shapes = Mapping[str, tuple[int, ...]]

TRUNK = "backbone.pretrained."
"""What the names of the vision transformer's weights begin with."""

HEAD_WIDTH = 64
"""Of every head of every DINOv2. Source: Oquab et al. 2023, arXiv 2304.07193, table 17."""

TAKEN_FROM: Mapping[tuple[int, bool], tuple[int, int, int, int]] = {
    (12, True): (5, 7, 9, 11),
    (24, True): (11, 15, 19, 23),
    (40, True): (19, 27, 33, 39),
    (24, False): (4, 11, 17, 23),
}
"""Blocks whose answers the head reads, by the number of blocks and whether views look at each other.

Source: the configurations of DA3-Small and -Base, -Large, -Giant; DA3Mono-Large and DA3Metric-Large.
"""


@dataclass(frozen=True)
class DepthAnythingConfig:
    """The shape of a network.

    `width` features, `blocks` blocks, `cells` cells of `patch` pixels along the side of the learned positions; from
    block `views_from` on every second block looks at all views at once (None: every view by itself), with positions
    that turn queries and keys. `is_gated`: SwiGLU instead of GELU. `features` and `stages` are the head's widths;
    `aux_depth` how many convolutions lead to the rays. What else it answers: `has_rays` and confidence, `has_sky`,
    `has_camera`.
    """

    width: int = 384
    blocks: int = 12
    patch: int = 14
    cells: int = 37
    mlp_width: int = 1536
    views_from: int | None = 4
    is_gated: bool = False
    features: int = 64
    stages: tuple[int, int, int, int] = (48, 96, 192, 384)
    aux_depth: int = 5
    has_rays: bool = True
    has_sky: bool = False
    has_camera: bool = True

    @property
    def heads(self) -> int:
        """How many ways attention looks at once."""
        return self.width // HEAD_WIDTH

    @property
    def taken_from(self) -> tuple[int, ...]:
        """The blocks whose answers the head reads; of unpublished depths those that divide it as the published do."""
        known = TAKEN_FROM.get((self.blocks, self.has_rays))
        if known is not None:
            return known
        if self.has_rays:
            return tuple(self.blocks - 1 - k * max(1, self.blocks // 6) for k in (3, 2, 1, 0))
        return tuple(self.blocks * k // 4 - 1 for k in (1, 2, 3, 4))

    @property
    def read_width(self) -> int:
        """How many features the head reads of each cell: of two blocks, where views look at each other."""
        return self.width * (2 if self.has_rays else 1)

    @property
    def kind(self) -> str:
        """What people call it."""
        if not self.has_rays:
            return "Mono-Large or Metric-Large" if self.width == 1024 else "a mono model"
        return {384: "Small", 768: "Base", 1024: "Large", 1536: "Giant"}.get(self.width, "a multi-view model")

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> "DepthAnythingConfig":
        """Read the configuration off the tensors of a file, named as the published ones are.

        Raises: CheckpointError, KeyError naming a tensor that is missing.
        """
        width, _, patch, _ = shapes[f"{TRUNK}patch_embed.proj.weight"]
        blocks = _count(shapes, f"{TRUNK}blocks.{{}}.norm1.weight")
        has_rays = "head.scratch.refinenet1_aux.out_conv.weight" in shapes
        is_gated = f"{TRUNK}blocks.0.mlp.w12.weight" in shapes
        hidden = shapes[f"{TRUNK}blocks.0.mlp.{'w3' if is_gated else 'fc2'}.weight"][1]
        made = cls(
            width=width,
            blocks=blocks,
            patch=patch,
            cells=round((shapes[f"{TRUNK}pos_embed"][1] - 1) ** 0.5),
            mlp_width=hidden,
            views_from=_views_from(shapes, blocks),
            is_gated=is_gated,
            features=shapes["head.scratch.layer1_rn.weight"][0],
            stages=tuple(shapes[f"head.projects.{n}.weight"][0] for n in range(4)),  # type: ignore[arg-type]
            aux_depth=_count(shapes, "head.scratch.output_conv1_aux.3.{}.weight"),
            has_rays=has_rays,
            has_sky="head.scratch.sky_output_conv2.0.weight" in shapes,
            has_camera="cam_dec.fc_t.weight" in shapes,
        )
        made.check()
        return made

    def check(self) -> None:
        """Refuses what no Depth Anything 3 is like. Raises: CheckpointError."""
        if self.blocks < 4 or self.width % HEAD_WIDTH:
            raise CheckpointError(
                f"a vision transformer of {self.blocks} blocks of {self.width} features; expected at least 4 blocks of "
                f"a multiple of {HEAD_WIDTH}"
            )
        if self.has_rays != (self.views_from is not None):
            has, lacks = ("rays", "camera token") if self.has_rays else ("a camera token", "head for rays")
            raise CheckpointError(
                f"it has {has} but no {lacks}: neither a multi-view model (Small, Base, Large, Giant) nor a mono one "
                "(Mono-Large, Metric-Large); fetch the file again"
            )
        if self.views_from is not None and not 0 < self.views_from <= self.taken_from[0]:
            raise CheckpointError(
                f"its views look at each other from block {self.views_from} on; expected a block from 1 to "
                f"{self.taken_from[0]}, the first that its head reads"
            )


def _views_from(shapes: Shapes, blocks: int) -> int | None:
    """The first block that normalises its queries: from there on, views look at each other. None: there is none."""
    if f"{TRUNK}camera_token" not in shapes:
        return None
    normed = (n for n in range(blocks) if f"{TRUNK}blocks.{n}.attn.q_norm.weight" in shapes)
    first = next(normed, None)
    if first is None:
        raise CheckpointError("it has a camera token, but no block normalises its queries (attn.q_norm.weight)")
    return first


def _count(shapes: Shapes, pattern: str) -> int:
    count = 0
    while pattern.format(count) in shapes:
        count += 1
    return count
