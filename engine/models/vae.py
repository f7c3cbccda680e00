"""The autoencoder between pixels and latents: `first_stage_model.` of Stable Diffusion checkpoints."""

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import pad, silu

from engine.devices.attention import attention
from engine.errors import CheckpointError
from engine.models.layers import Upsample, conv3x3, group_norm
from engine.models.shapes import Shapes, numbered

EPS = 1e-6  # Every norm of the published autoencoders.


@dataclass(frozen=True)
class VAEConfig:
    """The shape of an autoencoder; the defaults are Stable Diffusion's.

    `res_blocks` is the number per level of the encoder; the decoder has one more. `embed_channels` is the width between
    quant_conv and post_quant_conv; None means that the file has neither (SD3, Flux).
    """

    channels: int = 128
    multipliers: tuple[int, ...] = (1, 2, 4, 4)
    res_blocks: int = 2
    latent_channels: int = 4
    image_channels: int = 3
    embed_channels: int | None = 4

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> "VAEConfig":
        """Read the configuration off the tensors of a file, its prefix removed.

        Raises: CheckpointError when there is no autoencoder among them.
        """
        if "encoder.conv_in.weight" not in shapes or "decoder.conv_in.weight" not in shapes:
            raise CheckpointError(
                "no autoencoder inside: expected encoder.conv_in.weight and decoder.conv_in.weight; "
                "load another VAE file"
            )
        channels, image_channels = shapes["encoder.conv_in.weight"][:2]
        levels = numbered(shapes, "encoder.down.{}.block.0.conv1.weight")
        widths = [shapes[f"encoder.down.{i}.block.0.conv1.weight"][0] for i in range(levels)]
        return cls(
            channels=channels,
            multipliers=tuple(width // channels for width in widths),
            res_blocks=numbered(shapes, "encoder.down.0.block.{}.conv1.weight"),
            latent_channels=shapes["decoder.conv_in.weight"][1],
            image_channels=image_channels,
            embed_channels=shapes["post_quant_conv.weight"][1] if "post_quant_conv.weight" in shapes else None,
        )


class AutoencoderKL(nn.Module):
    """Pictures to latents eight times smaller, and back.

    Source: Rombach et al. 2022, arXiv 2112.10752, appendix G.
    """

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        if config.embed_channels is not None:
            self.quant_conv = nn.Conv2d(2 * config.latent_channels, 2 * config.embed_channels, 1)
            self.post_quant_conv = nn.Conv2d(config.embed_channels, config.latent_channels, 1)

    @property
    def downscale(self) -> int:
        """How many pixels one latent cell is wide."""
        return 2 ** (len(self.config.multipliers) - 1)

    def encode(self, pixels: Tensor) -> Tensor:
        """The latent of a picture: the mean of the posterior, not a draw from it, so that it can be repeated.

        Shapes: pixels [B, 3, H, W] with H and W multiples of `downscale`.
        Units: pixels -1 … 1; latents as the file has them, before the family's scale.
        Returns: [B, C, H / downscale, W / downscale].
        """
        return self.moments(pixels)[0]

    def moments(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of the posterior, for training.

        Shapes: pixels [B, 3, H, W]; both results [B, C, H / downscale, W / downscale].
        """
        h = self.encoder(pixels)
        if self.config.embed_channels is not None:
            h = self.quant_conv(h)
        mean, logvar = h.chunk(2, dim=1)
        return mean, logvar.clamp(-30.0, 20.0)

    def decode(self, latent: Tensor) -> Tensor:
        """The picture of a latent.

        Shapes: latent [B, C, h, w].
        Returns: [B, 3, h · downscale, w · downscale], about -1 … 1, not clamped.
        """
        if self.config.embed_channels is not None:
            latent = self.post_quant_conv(latent)
        return self.decoder(latent)

    def forward(self, pixels: Tensor) -> Tensor:
        """There and back: the picture as the autoencoder can draw it."""
        return self.decode(self.encode(pixels))


class Encoder(nn.Module):
    """Pixels to mean and log variance."""

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        widths = [config.channels * m for m in config.multipliers]
        self.conv_in = conv3x3(config.image_channels, config.channels)
        self.down = nn.ModuleList()
        for i, (before, width) in enumerate(pairwise([config.channels, *widths])):
            resize = Shrink(width) if i < len(widths) - 1 else None
            self.down.append(Level(before, width, config.res_blocks, downsample=resize))
        self.mid = Middle(widths[-1])
        self.norm_out = group_norm(widths[-1], EPS)
        self.conv_out = conv3x3(widths[-1], 2 * config.latent_channels)

    def forward(self, pixels: Tensor) -> Tensor:
        h = self.conv_in(pixels)  # [B, C, H, W]
        for level in self.down:
            h = level(h)  # [B, C·m, H / 2^i, W / 2^i]
        h = self.mid(h)  # [B, C·m, h, w]
        return self.conv_out(silu(self.norm_out(h)))  # [B, 2·latent, h, w]


class Decoder(nn.Module):
    """Latents to pixels."""

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        widths = [config.channels * m for m in config.multipliers]
        self.conv_in = conv3x3(config.latent_channels, widths[-1])
        self.mid = Middle(widths[-1])
        # Checkpoints number the levels from the finest, which is the last to run.
        self.up = nn.ModuleList()
        for i, (width, before) in enumerate(pairwise([*widths, widths[-1]])):
            resize = Upsample(width) if i > 0 else None
            self.up.append(Level(before, width, config.res_blocks + 1, upsample=resize))
        self.norm_out = group_norm(widths[0], EPS)
        self.conv_out = conv3x3(widths[0], config.image_channels)

    def forward(self, latent: Tensor) -> Tensor:
        h = self.conv_in(latent)  # [B, C·m, h, w]
        h = self.mid(h)  # [B, C·m, h, w]
        for level in reversed(self.up):
            h = level(h)  # [B, C·m, H / 2^i, W / 2^i]
        return self.conv_out(silu(self.norm_out(h)))  # [B, 3, H, W]


class Level(nn.Module):
    """Residual blocks at one resolution, then a step to the next."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        blocks: int,
        downsample: nn.Module | None = None,
        upsample: nn.Module | None = None,
    ) -> None:
        super().__init__()
        widths = [in_channels, *[out_channels] * blocks]
        self.block = nn.ModuleList(PlainResBlock(a, b) for a, b in pairwise(widths))
        self.downsample = downsample
        self.upsample = upsample

    def forward(self, x: Tensor) -> Tensor:
        for block in self.block:
            x = block(x)
        resize = self.downsample or self.upsample
        return resize(x) if resize is not None else x


class Middle(nn.Module):
    """Residual block, attention over the whole picture, residual block."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block_1 = PlainResBlock(channels, channels)
        self.attn_1 = PixelAttention(channels)
        self.block_2 = PlainResBlock(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.block_2(self.attn_1(self.block_1(x)))


class PlainResBlock(nn.Module):
    """Two convolutions added to the input, without a time embedding."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm1 = group_norm(in_channels, EPS)
        self.conv1 = conv3x3(in_channels, out_channels)
        self.norm2 = group_norm(out_channels, EPS)
        self.conv2 = conv3x3(out_channels, out_channels)
        self.nin_shortcut = nn.Conv2d(in_channels, out_channels, 1) if in_channels != out_channels else None

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(silu(self.norm1(x)))
        h = self.conv2(silu(self.norm2(h)))
        return h + (x if self.nin_shortcut is None else self.nin_shortcut(x))


class PixelAttention(nn.Module):
    """One head of attention in which every cell of the picture is a token."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = group_norm(channels, EPS)
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(x)
        q, k, v = (layer(h).flatten(2).transpose(1, 2).contiguous() for layer in (self.q, self.k, self.v))
        mixed = attention(q, k, v, heads=1)
        return x + self.proj_out(mixed.transpose(1, 2).reshape(x.shape))


class Shrink(nn.Module):
    """Half the size; padded only right and below, as the published weights were trained."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(pad(x, (0, 1, 0, 1)))
