"""The shape of a UNet, and how to read it off the tensors of a file."""

from dataclasses import dataclass

from engine.errors import CheckpointError
from engine.models.shapes import Shapes, numbered

TABLE = "label_emb.weight"
"""A row for each class, where there is no network that lifts a vector."""


@dataclass(frozen=True)
class UNetConfig:
    """How wide, how deep and where text comes in; the defaults are Stable Diffusion 1's.

    `res_blocks` are the encoder's per level; the decoder has one more on each. Depths count transformer blocks, one
    entry per residual block in the order they run (0 = no transformer there). A `middle_depth` of 0 leaves a lone
    residual block in the middle, None nothing at all (distilled SDXL). Heads are either a number or a width.
    `class_width` is the width of the vector y, and `vector` what it is made of ("sdxl": the pooled text and sizes; see
    engine/sampling/vectors.py), which shapes do not tell. `has_class_table`: y picks a row of a table and is not lifted
    by layers. `reads_only_text` says for each level whether all its attention is to the text (the x4 upscaler's, where
    cells are too many to look at each other). `float32_attention`: half precision overflows in attention.
    `scaled_picture`: a network that edits pictures is shown them as it draws, not as the autoencoder made them.
    """

    in_channels: int = 4
    out_channels: int = 4
    model_channels: int = 320
    channel_multipliers: tuple[int, ...] = (1, 2, 4, 4)
    res_blocks: tuple[int, ...] = (2, 2, 2, 2)
    input_depths: tuple[int, ...] = (1, 1, 1, 1, 1, 1, 0, 0)
    middle_depth: int | None = 1
    output_depths: tuple[int, ...] = (0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1)
    context_width: int = 768
    heads: int = 8
    head_width: int | None = None
    linear_projections: bool = False
    class_width: int | None = None
    vector: str | None = None
    float32_attention: bool = False
    has_class_table: bool = False
    reads_only_text: tuple[bool, ...] = ()
    scaled_picture: bool = False

    @property
    def embedding_width(self) -> int:
        """The width of the time embedding."""
        return 4 * self.model_channels

    @property
    def skip_widths(self) -> tuple[int, ...]:
        """How many channels each input block leaves on its skip connection."""
        widths = [self.model_channels]
        for level, count in enumerate(self.res_blocks):
            downsampling = 1 if level < len(self.res_blocks) - 1 else 0
            widths += [self.width(level)] * (count + downsampling)
        return tuple(widths)

    @property
    def reads_text(self) -> bool:
        """Whether there is a transformer anywhere; the smallest ControlNets have none."""
        return any((*self.input_depths, self.middle_depth, *self.output_depths))

    def width(self, level: int) -> int:
        """How many channels a level has."""
        return self.channel_multipliers[level] * self.model_channels

    def only_text_at(self, level: int) -> bool:
        """Whether a level's transformers look at the text and never at the other cells."""
        return level < len(self.reads_only_text) and self.reads_only_text[level]

    def heads_at(self, channels: int) -> int:
        """How many heads attention has among that many channels."""
        return self.heads if self.head_width is None else channels // self.head_width

    @classmethod
    def from_shapes(cls, shapes: Shapes, heads: int | None = None) -> "UNetConfig":
        """Read the configuration off the tensors of a UNet or ControlNet file, its prefix removed.

        Heads are not in the shapes: SD1 and the x4 upscaler have 8, every other family heads of width 64, unless
        `heads` says otherwise.

        Raises: CheckpointError when there is no UNet among them.
        """
        if "input_blocks.0.0.weight" not in shapes:
            raise CheckpointError("no UNet inside: expected input_blocks.0.0.weight; choose another file")
        model_channels, in_channels = shapes["input_blocks.0.0.weight"][:2]
        levels = _levels(shapes)
        inputs = [block for level in levels for block in level]
        only_text = tuple(any(_reads_only_text(shapes, f"input_blocks.{i}") for i in level) for level in levels)
        outputs = numbered(shapes, "output_blocks.{}.0.in_layers.0.weight")
        projection = next((v for k, v in shapes.items() if k.endswith("1.proj_in.weight")), ())
        linear = len(projection) == 2
        return cls(
            in_channels=in_channels,
            out_channels=shapes.get("out.2.weight", (4,))[0],
            model_channels=model_channels,
            channel_multipliers=tuple(
                shapes[f"input_blocks.{level[0]}.0.in_layers.2.weight"][0] // model_channels for level in levels
            ),
            res_blocks=tuple(len(level) for level in levels),
            input_depths=tuple(_depth(shapes, f"input_blocks.{i}") for i in inputs),
            middle_depth=_middle_depth(shapes),
            output_depths=tuple(_depth(shapes, f"output_blocks.{i}") for i in range(outputs)),
            context_width=next((v[1] for k, v in shapes.items() if k.endswith("attn2.to_k.weight")), cls.context_width),
            heads=heads or cls.heads,
            head_width=None if heads or not linear or TABLE in shapes else 64,
            linear_projections=linear,
            class_width=_class_width(shapes),
            has_class_table=TABLE in shapes,
            reads_only_text=only_text if any(only_text) else (),
        )


def _class_width(shapes: Shapes) -> int | None:
    if TABLE in shapes:
        return shapes[TABLE][0]
    return shapes["label_emb.0.0.weight"][1] if "label_emb.0.0.weight" in shapes else None


def _reads_only_text(shapes: Shapes, block: str) -> bool:
    """Whether the keys of what is usually self-attention are as wide as a text, and its queries are not.

    Where both are of one width it is taken for self-attention, as it is in the published upscaler.
    """
    q, k = (shapes.get(f"{block}.1.transformer_blocks.0.attn1.to_{each}.weight", (0, 0)) for each in ("q", "k"))
    return q[1] != k[1]


def _levels(shapes: Shapes) -> list[list[int]]:
    """The residual blocks' numbers, level by level; a downsampling block ends a level."""
    levels: list[list[int]] = [[]]
    index = 1
    while True:
        if f"input_blocks.{index}.0.op.weight" in shapes:
            levels.append([])
        elif f"input_blocks.{index}.0.in_layers.0.weight" in shapes:
            levels[-1].append(index)
        else:
            return levels
        index += 1


def _middle_depth(shapes: Shapes) -> int | None:
    if "middle_block.1.proj_in.weight" in shapes:
        return _depth(shapes, "middle_block")
    return 0 if "middle_block.0.in_layers.0.weight" in shapes else None


def _depth(shapes: Shapes, block: str) -> int:
    return numbered(shapes, f"{block}.1.transformer_blocks.{{}}.norm1.weight")
