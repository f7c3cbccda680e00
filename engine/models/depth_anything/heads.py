"""What turns a vision transformer's tokens into maps: depth with confidence and rays, or depth with the sky.

Attributes have the published files' names. Source: Ranftl et al. 2021, "Vision Transformers for Dense Prediction",
arXiv 2103.13413; the second set of blocks for rays: Lin et al. 2025, "Depth Anything 3", arXiv 2511.10647, sec. 3, and
its reference code (ByteDance, Apache-2.0).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, layer_norm, relu

from engine.models.depth_anything.camera import CameraDecoder
from engine.models.depth_anything.config import DepthAnythingConfig
from engine.models.depth_anything.trunk import Seen

LAST_WIDTH = 32  # before the last convolution of every map. Source: the reference's head_features_2
PLACE_SHARE = 0.1  # how strongly places are added to features. Source: the reference's ratio
PLACE_BASE = 100.0  # wavelength of the slowest place feature. Source: the reference's omega_0


@dataclass(frozen=True)
class Maps:
    """What the head says of one view; None where the network has no such answer.

    Shapes: depth, confidence and sky [H, W]; rays [h, w, 6] (direction, then origin) and ray_confidence [h, w], with h
    and w about 8/14 of the picture's.
    Units: depth without a scale, of Metric-Large meters · 300 / focal length in pixels; confidence from 1 up; sky from
    0, 1 is certain.
    """

    depth: Tensor
    confidence: Tensor | None = None
    sky: Tensor | None = None
    rays: Tensor | None = None
    ray_confidence: Tensor | None = None


class ConvUnit(nn.Module):
    """Two convolutions beside a straight way."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(relu(self.conv1(relu(x))))


class Fusion(nn.Module):
    """A coarse level, with a finer one added where there is one, made larger."""

    def __init__(self, features: int, *, has_finer: bool = True) -> None:
        super().__init__()
        if has_finer:
            self.resConfUnit1 = ConvUnit(features)
        self.resConfUnit2 = ConvUnit(features)
        self.out_conv = nn.Conv2d(features, features, 1)

    def forward(self, x: Tensor, finer: Tensor | None, size: tuple[int, int]) -> Tensor:
        if finer is not None:
            x = x + self.resConfUnit1(finer)
        return self.out_conv(_resized(self.resConfUnit2(x), size))


class Scratch(nn.Module):
    """Everything behind the four levels, under the one name that the published files have for it."""

    def __init__(self, config: DepthAnythingConfig) -> None:
        super().__init__()
        wide = config.features
        for level, width in enumerate(config.stages, 1):
            self.add_module(f"layer{level}_rn", nn.Conv2d(width, wide, 3, padding=1, bias=False))
            self.add_module(f"refinenet{level}", Fusion(wide, has_finer=level < 4))
        self.output_conv1 = nn.Conv2d(wide, wide // 2, 3, padding=1)
        self.output_conv2 = _last(wide // 2, 2 if config.has_rays else 1)
        if config.has_sky:
            self.sky_output_conv2 = _last(wide // 2, 1)
        if config.has_rays:
            for level in range(1, 5):
                self.add_module(f"refinenet{level}_aux", Fusion(wide, has_finer=level < 4))
            # Of the four levels' own ends in the files only the finest is ever asked.
            self.output_conv1_aux = nn.ModuleDict({"3": _there_and_back(wide, config.aux_depth)})
            self.output_conv2_aux = nn.ModuleDict({"3": _last(wide // 2, 7, is_normed=True)})

    def fused(self, levels: list[Tensor], end: str = "") -> Tensor:
        """Four levels as one, at twice the finest one's size; `end` "_aux" is the way to the rays."""
        one, two, three, four = (
            self.get_submodule(f"layer{number}_rn")(level) for number, level in enumerate(levels, 1)
        )
        x = self.get_submodule(f"refinenet4{end}")(four, None, three.shape[-2:])
        x = self.get_submodule(f"refinenet3{end}")(x, three, two.shape[-2:])
        x = self.get_submodule(f"refinenet2{end}")(x, two, one.shape[-2:])
        height, width = one.shape[-2:]
        return self.get_submodule(f"refinenet1{end}")(x, one, (2 * height, 2 * width))


class Head(nn.Module):
    """The maps of a view from what the vision transformer saw in it."""

    def __init__(self, config: DepthAnythingConfig) -> None:
        super().__init__()
        self.config = config
        if config.has_rays:
            self.norm = nn.LayerNorm(config.read_width)
        self.projects = nn.ModuleList(nn.Conv2d(config.read_width, width, 1) for width in config.stages)
        first, second, _, fourth = config.stages
        self.resize_layers = nn.ModuleList(
            [
                nn.ConvTranspose2d(first, first, 4, stride=4),
                nn.ConvTranspose2d(second, second, 2, stride=2),
                nn.Identity(),
                nn.Conv2d(fourth, fourth, 3, stride=2, padding=1),
            ]
        )
        self.scratch = Scratch(config)

    def forward(self, cells: tuple[Tensor, ...], height: int, width: int, *, with_rays: bool = False) -> Maps:
        """Shapes: cells four times [T, D'], of one view of height · width pixels."""
        levels = [self._level(number, each, height, width) for number, each in enumerate(cells)]  # [1, C, h, w]
        fine = _resized(self.scratch.output_conv1(self.scratch.fused(levels)), (height, width))  # [1, C, H, W]
        fine = self._placed(fine, height, width)  # [1, C, H, W]
        answer = self.scratch.output_conv2(fine)[0]  # [1 or 2, H, W]
        sky = relu(self.scratch.sky_output_conv2(fine))[0, 0] if self.config.has_sky else None  # [H, W]
        if not self.config.has_rays:
            return Maps(answer[0].exp(), sky=sky)
        rays = self._rays(levels, height, width) if with_rays else (None, None)
        return Maps(answer[0].exp(), answer[1].exp() + 1, sky, *rays)

    def _level(self, number: int, cells: Tensor, height: int, width: int) -> Tensor:
        if self.config.has_rays:
            cells = self.norm(cells)
        rows, columns = height // self.config.patch, width // self.config.patch
        level = self.projects[number](cells.T.unflatten(1, (rows, columns)).unsqueeze(0))
        return self.resize_layers[number](self._placed(level, height, width))

    def _rays(self, levels: list[Tensor], height: int, width: int) -> tuple[Tensor, Tensor]:
        fine = self.scratch.output_conv1_aux["3"](self.scratch.fused(levels, "_aux"))
        answer = self.scratch.output_conv2_aux["3"](self._placed(fine, height, width))[0].movedim(0, -1)
        return answer[..., :6], answer[..., 6].exp() + 1

    def _placed(self, x: Tensor, height: int, width: int) -> Tensor:
        """Features that know where in the picture they are; mono models do without."""
        if not self.config.has_rays:
            return x
        return x + PLACE_SHARE * places(x.shape[1], x.shape[2], x.shape[3], width / height).to(x)


class Answers(nn.Module):
    """The head, and beside it the camera's decoder where there is one: all that reads the vision transformer."""

    def __init__(self, config: DepthAnythingConfig) -> None:
        super().__init__()
        self.head = Head(config)
        if config.has_camera:
            self.cam_dec = CameraDecoder(config.read_width)

    def maps(self, seen: Seen, view: int, height: int, width: int, *, with_rays: bool = False) -> Maps:
        """The maps of one of the views."""
        return self.head(tuple(each[view].float() for each in seen.cells), height, width, with_rays=with_rays)


class ChannelNorm(nn.LayerNorm):
    """A LayerNorm over the channels of [B, C, H, W]."""

    def forward(self, x: Tensor) -> Tensor:
        normed = layer_norm(x.movedim(1, -1), self.normalized_shape, self.weight, self.bias, self.eps)
        return normed.movedim(-1, 1)


def places(channels: int, rows: int, columns: int, aspect: float) -> Tensor:
    """Where each cell is, as waves: the picture's diagonal is 2 long and its middle 0.

    Shapes: aspect is the picture's width by its height. Returns: [channels, rows, columns]: across, then down.
    """
    diagonal = (aspect**2 + 1) ** 0.5
    waves = []
    for count, side in ((columns, aspect / diagonal), (rows, 1 / diagonal)):
        end = side * (count - 1) / count
        speeds = PLACE_BASE ** (-torch.arange(channels // 4, dtype=torch.float32) / (channels / 4))
        angles = torch.outer(speeds, torch.linspace(-end, end, count))
        waves.append(torch.cat([angles.sin(), angles.cos()]))
    across, down = waves
    return torch.cat(
        [across.unsqueeze(1).expand(-1, rows, -1), down.unsqueeze(2).expand(-1, -1, columns)],
    )


def _last(width: int, channels: int, *, is_normed: bool = False) -> nn.Sequential:
    """The end of a map. The files count what rearranges axes around the norm as layers of their own."""
    norm = [nn.Identity(), ChannelNorm(LAST_WIDTH), nn.Identity()] if is_normed else []
    return nn.Sequential(
        nn.Conv2d(width, LAST_WIDTH, 3, padding=1), *norm, nn.ReLU(), nn.Conv2d(LAST_WIDTH, channels, 1)
    )


def _there_and_back(wide: int, depth: int) -> nn.Sequential:
    """Convolutions that halve the width and double it again, ending halved."""
    half = wide // 2
    widths = [(wide, half) if number % 2 == 0 else (half, wide) for number in range(depth)]
    return nn.Sequential(*(nn.Conv2d(first, second, 3, padding=1) for first, second in widths))


def _resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    return interpolate(x, size=size, mode="bilinear", align_corners=True)
