"""DINOv2 as Depth Anything 3 has it: a vision transformer, in whose later blocks views of a scene look at each other.

Attributes have the published files' names. Source: Oquab et al. 2023, "DINOv2", arXiv 2304.07193; views and positions:
Lin et al. 2025, "Depth Anything 3", arXiv 2511.10647, sec. 3, and its reference code (ByteDance, Apache-2.0).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, interpolate, silu

from engine.devices.attention import attention
from engine.models.depth_anything.config import HEAD_WIDTH, DepthAnythingConfig
from engine.models.depth_anything.views import LEAST_VIEWS, Strategy, leading, led_by, undone

EPSILON = 1e-6  # of the blocks' norms; all other norms have PyTorch's
OFFSET = 0.1  # added to the number of cells when positions are stretched: DINOv2's way around rounding
BASE = 100.0  # wavelength of the slowest turn. Source: the reference's rope_freq


@dataclass(frozen=True)
class Seen:
    """What is read of a scene's views: of each of four blocks [S, T, D'], and the last one's camera tokens [S, D']."""

    cells: tuple[Tensor, ...]
    camera: Tensor


class PatchEmbed(nn.Module):
    """A picture cut into cells."""

    def __init__(self, config: DepthAnythingConfig) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, config.width, config.patch, stride=config.patch)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).flatten(2).transpose(1, 2)


class LayerScale(nn.Module):
    """A learned weight for each feature."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class Mlp(nn.Module):
    """Two layers with GELU between them."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(gelu(self.fc1(x)))


class GatedMlp(nn.Module):
    """SwiGLU, which the largest model has."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.w12 = nn.Linear(width, 2 * hidden)
        self.w3 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.w12(x).chunk(2, dim=-1)
        return self.w3(silu(gate) * value)


class Attention(nn.Module):
    """Attention whose queries and keys are normed, and turned by where they are, where views look at each other."""

    def __init__(self, width: int, is_normed: bool) -> None:
        super().__init__()
        self.heads = width // HEAD_WIDTH
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        if is_normed:
            self.q_norm = nn.LayerNorm(HEAD_WIDTH)
            self.k_norm = nn.LayerNorm(HEAD_WIDTH)
        self.is_normed = is_normed

    def forward(self, x: Tensor, turn: "Turn | None") -> Tensor:
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        if self.is_normed:
            q, k = self.q_norm(self._split(q)).flatten(2), self.k_norm(self._split(k)).flatten(2)
        if turn is not None:
            q, k = turn.applied(self._split(q)).flatten(2), turn.applied(self._split(k)).flatten(2)
        return self.proj(attention(q, k, v, self.heads))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, HEAD_WIDTH))


class Block(nn.Module):
    """Attention, then a small network for each token, both weighed by feature."""

    def __init__(self, config: DepthAnythingConfig, is_normed: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, eps=EPSILON)
        self.attn = Attention(config.width, is_normed)
        self.ls1 = LayerScale(config.width)
        self.norm2 = nn.LayerNorm(config.width, eps=EPSILON)
        self.mlp = (GatedMlp if config.is_gated else Mlp)(config.width, config.mlp_width)
        self.ls2 = LayerScale(config.width)

    def forward(self, x: Tensor, turn: "Turn | None" = None) -> Tensor:
        x = x + self.ls1(self.attn(self.norm1(x), turn))
        return x + self.ls2(self.mlp(self.norm2(x)))


@dataclass(frozen=True)
class Turn:
    """How far each feature of a query or key is turned: rows in the first half, columns in the second.

    Shapes: cosines and sines [T, 1, HEAD_WIDTH].
    Source: Su et al. 2021, arXiv 2104.09864, in two dimensions: Heo et al. 2024, arXiv 2403.13298.
    """

    cosines: Tensor
    sines: Tensor

    @classmethod
    def of(cls, places: Tensor, like: Tensor) -> "Turn":
        """The turn at these places, in the number format of a tensor. Shapes: places [T, 2]: row, column."""
        half = HEAD_WIDTH // 2
        speeds = BASE ** (-torch.arange(0, half, 2, device=like.device).float() / half)
        angles = places.to(like.device).float().unsqueeze(-1) * speeds  # [T, 2, half/2]
        angles = torch.cat([angles, angles], dim=-1).flatten(1).unsqueeze(1)
        return cls(angles.cos().to(like.dtype), angles.sin().to(like.dtype))

    def repeated(self, times: int) -> "Turn":
        """The same for so many views one after the other."""
        return Turn(self.cosines.repeat(times, 1, 1), self.sines.repeat(times, 1, 1))

    def applied(self, x: Tensor) -> Tensor:
        """Shapes: x [B, T, heads, HEAD_WIDTH]."""
        first, second = x.unflatten(-1, (2, 2, HEAD_WIDTH // 4)).unbind(-2)
        crossed = torch.stack([-second, first], dim=-2).flatten(-3)
        return x * self.cosines + crossed * self.sines


class DinoV2(nn.Module):
    """The views of a scene as tokens, a class or camera token before those of the cells."""

    def __init__(self, config: DepthAnythingConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        start = config.blocks if config.views_from is None else config.views_from
        self.patch_embed = PatchEmbed(config)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, config.cells**2 + 1, width))
        if config.views_from is not None:
            self.camera_token = nn.Parameter(torch.zeros(1, 2, width))
        self.blocks = nn.ModuleList(Block(config, number >= start) for number in range(config.blocks))
        self.norm = nn.LayerNorm(width)

    def forward(self, pixels: Tensor, strategy: Strategy = "saddle_balanced") -> Seen:
        """Shapes: pixels [S, 3, H, W], normalised, sides multiples of the patch: views of one scene."""
        rows, columns = (side // self.config.patch for side in pixels.shape[-2:])
        x = self._tokens(pixels, rows, columns)  # [S, 1 + T, D]
        order = list(range(len(x)))
        turns = self._turns(rows, columns, x)
        alone, taken = x, []
        for number, block in enumerate(self.blocks):
            if number + 1 == self.config.views_from and len(x) >= LEAST_VIEWS:
                order = led_by(len(x), leading(x[:, 0].float(), strategy))
                x, alone = x[order], alone[order]  # [S, 1 + T, D]
            if number == self.config.views_from:
                x = torch.cat([self._cameras(len(x)), x[:, 1:]], dim=1)  # [S, 1 + T, D]
            is_shared = turns is not None and number >= (self.config.views_from or 0) and number % 2 == 1
            turn = None if turns is None or number < (self.config.views_from or 0) else turns[is_shared]
            if is_shared and turn is not None:
                x = block(x.flatten(0, 1).unsqueeze(0), turn.repeated(len(x))).view_as(x)  # [S, 1 + T, D]
            else:
                x = alone = block(x, turn)  # [S, 1 + T, D]
            if number in self.config.taken_from:
                taken.append((alone, x))
        return self._seen(taken, undone(order))

    def _tokens(self, pixels: Tensor, rows: int, columns: int) -> Tensor:
        cells = self.patch_embed(pixels)
        tokens = torch.cat([self.cls_token.expand(len(cells), -1, -1), cells], dim=1)
        return tokens + stretched(self.pos_embed, rows, columns).to(tokens.dtype)

    def _turns(self, rows: int, columns: int, like: Tensor) -> tuple[Turn, Turn] | None:
        """Positions within a view, and those when all are looked at: there all cells are in one place."""
        if self.config.views_from is None:
            return None
        row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        places = torch.stack([row.flatten(), column.flatten()], dim=-1) + 1
        first = torch.zeros(1, 2, dtype=places.dtype)
        return (
            Turn.of(torch.cat([first, places]), like),
            Turn.of(torch.cat([first, torch.ones_like(places)]), like),
        )

    def _cameras(self, count: int) -> Tensor:
        """One token for the leading view, another for all that follow it."""
        leader, follower = self.camera_token.unbind(1)
        return torch.cat([leader, follower.expand(count - 1, -1)]).unsqueeze(1)

    def _seen(self, taken: list[tuple[Tensor, Tensor]], order: list[int]) -> Seen:
        """What the head reads: the shared block's answer normed, behind that of the last block of each view alone."""
        if self.config.views_from is None:
            return Seen(tuple(self.norm(x)[:, 1:] for _, x in taken), taken[-1][1][:, 0])
        cells = tuple(torch.cat([alone, self.norm(x)], dim=-1)[order, 1:] for alone, x in taken)
        alone, last = taken[-1]
        return Seen(cells, torch.cat([alone[:, 0], last[:, 0]], dim=-1)[order])


def stretched(positions: Tensor, rows: int, columns: int) -> Tensor:
    """Learned positions for a picture of so many cells.

    Shapes: positions [1, 1 + n², D], the class token's first. Returns: [1, 1 + rows·columns, D], float32 if stretched.
    """
    side = round((positions.shape[1] - 1) ** 0.5)
    if rows == columns == side:
        return positions
    grid = positions[:, 1:].float().unflatten(1, (side, side)).movedim(-1, 1)
    scale = ((rows + OFFSET) / side, (columns + OFFSET) / side)
    grid = interpolate(grid, scale_factor=scale, mode="bicubic", recompute_scale_factor=False)
    return torch.cat([positions[:, :1].float(), grid.flatten(2).transpose(1, 2)], dim=1)
