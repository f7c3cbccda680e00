"""How far away everything in a picture is, as Depth Anything 3 sees it: pictures made ready, answers at their size.

Source: Lin et al. 2025, "Depth Anything 3", arXiv 2511.10647; how pictures are made ready, after its reference code's
InputProcessor (ByteDance, Apache-2.0). What goes over the wire is described in the public documentation of
ComfyUI's node DA3Inference.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from engine.devices import finite, memory
from engine.devices.residency import Keeper, Part
from engine.errors import CheckpointError, OutOfMemory, SamplingError
from engine.images import need_room
from engine.models.depth_anything.camera import Cameras, from_rays
from engine.models.depth_anything.config import DepthAnythingConfig
from engine.models.depth_anything.heads import Answers, Maps
from engine.models.depth_anything.trunk import DinoV2, Seen
from engine.models.depth_anything.views import Strategy
from engine.values import NOBODY, Watch

log = logging.getLogger(__name__)

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
"""ImageNet's colours. Source: the reference's IMAGENET_MEAN and IMAGENET_STD."""

Method = Literal["upper_bound_resize", "lower_bound_resize"]
Pose = Literal["cam_dec", "ray_pose"]

Answer = TypeVar("Answer")

Size = tuple[int, int]
"""Height and width in pixels."""

Geometry = dict[str, Any]
"""What is known of some pictures' depth, all float32 on the CPU and at the pictures' own size.

`depth` [B, H, W], larger is farther; `image` [B, H, W, 3]; `mode` "mono" or "multiview"; where the model has an answer,
`confidence` and `sky` [B, H, W]; of views of one scene, `extrinsics` [B, 3, 4] and `intrinsics` [B, 3, 3].
"""


@dataclass(frozen=True, eq=False)
class DepthModel:
    """A Depth Anything 3: the vision transformer, in the format asked for, and what reads it, in float32."""

    name: str
    trunk: Part[DinoV2]
    answers: Part[Answers]
    keeper: Keeper

    @property
    def config(self) -> DepthAnythingConfig:
        """What kind it is."""
        return self.trunk.module.config

    def check_pose(self, pose: Pose) -> None:
        """Whether it can tell where cameras were. Raises: CheckpointError."""
        if self.config.views_from is None:
            raise CheckpointError(
                f"{self.name}: {self.config.kind}, which sees every picture by itself; mode multiview needs a model "
                "whose views look at each other: Small or Base, or set mode to mono"
            )
        if pose == "cam_dec" and not self.config.has_camera:
            raise CheckpointError(
                f"{self.name}: it has no camera decoder (cam_dec.fc_t.weight); set pose_method to ray_pose"
            )


@dataclass(frozen=True)
class Together:
    """Pictures taken as views of one scene: which one leads, and how their cameras are found."""

    strategy: Strategy = "saddle_balanced"
    pose: Pose = "cam_dec"


def estimate(
    model: DepthModel,
    image: Tensor,
    resolution: int,
    method: Method,
    together: Together | None = None,
    watch: Watch = NOBODY,
) -> Geometry:
    """The depth of pictures, each by itself or as views of one scene.

    `resolution` is what the longer side becomes (with lower_bound_resize the shorter) for the model to look at.
    Shapes: image [B, H, W, 3] of 0 … 1.
    Raises: CheckpointError, for a model that cannot; OutOfMemory; SamplingError, when it answers no numbers.
    """
    if together is not None:
        model.check_pose(together.pose)
        if len(image) == 1:
            log.warning("image: one picture has no other view to agree with; mode multiview sees no more than mono")
    groups = image.split(1) if together is None else (image,)
    size = working_size((image.shape[1], image.shape[2]), resolution, method, model.config.patch)
    need_room((len(groups[0]), 3, *size))
    found: list[Maps] = []
    cameras: Cameras | None = None
    with _using(model, len(groups[0]), size, watch) as (trunk, answers):
        for group in groups:
            seen = _looked_at(model, trunk, ready(group, resolution, method, model.config.patch), together)
            for view in range(len(group)):
                with_rays = together is not None and together.pose == "ray_pose"
                maps = _fitting(model, lambda: answers.maps(seen, view, *size, with_rays=with_rays))  # noqa: B023
                found.append(_on_cpu(maps))
                watch.tell(len(found), len(image))
            if together is not None:
                cameras = _cameras(answers, seen, found, together, size)
    return _checked(model, _geometry(found, cameras, image, size))


# ------------------------------------------------------------------------------------------------- pictures made ready


def working_size(size: Size, resolution: int, method: Method, patch: int) -> Size:
    """The size at which the model looks at pictures: sides in about their proportion, multiples of its cells."""
    height, width = _bounded(size, resolution, method)
    return _whole(height, patch), _whole(width, patch)


def ready(image: Tensor, resolution: int, method: Method, patch: int) -> Tensor:
    """Pictures as the model looks at them. Shapes: image [B, H, W, 3] of 0 … 1. Returns: [B, 3, h, w]."""
    x, size = image.movedim(-1, 1).float(), (image.shape[1], image.shape[2])
    x = _resized(x, *_bounded(size, resolution, method))
    x = _resized(x, *working_size(size, resolution, method, patch))
    mean, deviation = (torch.tensor(each).view(3, 1, 1) for each in (MEAN, DEVIATION))
    return (x.clamp(0, 1) - mean) / deviation


def _bounded(size: Size, resolution: int, method: Method) -> Size:
    bound = max(size) if method == "upper_bound_resize" else min(size)
    height, width = (max(1, round(side * resolution / bound)) for side in size)
    return height, width


def _whole(side: int, patch: int) -> int:
    """The nearest multiple, the larger of two that are as near."""
    return max(1, (side + patch // 2) // patch) * patch


def _resized(x: Tensor, height: int, width: int) -> Tensor:
    """Bicubic where a side grows, else the mean of what each pixel covers."""
    if (height, width) == tuple(x.shape[-2:]):
        return x
    if height > x.shape[-2] or width > x.shape[-1]:
        return interpolate(x, size=(height, width), mode="bicubic")
    return covering(x.shape[-2], height).to(x) @ x @ covering(x.shape[-1], width).to(x).T


def covering(count: int, fewer: int) -> Tensor:
    """How much of each of so many pixels lies in each of fewer, larger ones. Returns: [fewer, count], rows add to 1."""
    edges = torch.arange(fewer + 1, dtype=torch.float64) * count / fewer
    start, end = edges[:-1, None], edges[1:, None]
    pixel = torch.arange(count, dtype=torch.float64)
    return ((torch.minimum(end, pixel + 1) - torch.maximum(start, pixel)).clamp(min=0) * fewer / count).float()


# ------------------------------------------------------------------------------------------------------ the model asked


@contextmanager
def _using(model: DepthModel, views: int, size: Size, watch: Watch) -> Iterator[tuple[DinoV2, Answers]]:
    """Both networks on their device. Raises: OutOfMemory, also for work in the block that has no room."""
    place, check = model.trunk.place, watch.check or _go_on
    working = 0 if place.device.type == "cpu" else _bytes(model.config, views, size, place.dtype.itemsize)
    try:
        with (
            model.keeper.using(model.trunk, working=working, check=check) as trunk,
            model.keeper.using(model.answers, working=working, check=check) as answers,
            torch.no_grad(),
        ):
            yield trunk, answers
    except (RuntimeError, MemoryError) as error:
        if not memory.is_out_of_memory(error):
            raise
        raise OutOfMemory(
            f"{place.device} has no room for {views} picture{'s' if views > 1 else ''} of {size[1]}×{size[0]} pixels "
            f"at once in {model.name}; give a lower resolution, or set mode to mono"
        ) from error


def _bytes(config: DepthAnythingConfig, views: int, size: Size, itemsize: int) -> int:
    """About what the work takes: a block's widest tensors for all views, the finest maps of one."""
    cells = views * size[0] * size[1] // config.patch**2
    return cells * (8 * config.width + 2 * config.mlp_width) * itemsize + size[0] * size[1] * config.features * 12


def _looked_at(model: DepthModel, trunk: DinoV2, pixels: Tensor, together: Together | None) -> Seen:
    place = model.trunk.place
    strategy = Together.strategy if together is None else together.strategy
    return _fitting(model, lambda: trunk(pixels.to(place.device, place.dtype), strategy))


def _fitting(model: DepthModel, work: Callable[[], Answer]) -> Answer:
    """The work done; while the device runs full of it, again with fewer weights waiting there."""
    while True:
        try:
            return work()
        except (RuntimeError, MemoryError) as error:
            if not memory.is_out_of_memory(error):
                raise
            full = error.with_traceback(None)
        # Outside the handler, whose traceback would keep what the work had made.
        if not any(part.loaded > 0 and part.lighten() for part in (model.answers, model.trunk)):
            raise full


def _cameras(answers: Answers, seen: Seen, found: list[Maps], together: Together, size: Size) -> Cameras:
    if together.pose == "cam_dec":
        return answers.cam_dec(seen.camera.float(), *size)
    rays, sure = ([each.rays for each in found], [each.ray_confidence for each in found])
    return from_rays(torch.stack(rays), torch.stack(sure), *size)  # type: ignore[arg-type]


def _on_cpu(maps: Maps) -> Maps:
    others = (maps.confidence, maps.sky, maps.rays, maps.ray_confidence)
    return Maps(maps.depth.cpu(), *(None if each is None else each.cpu() for each in others))


# ------------------------------------------------------------------------------------------------ what it said, at size


def _geometry(found: list[Maps], cameras: Cameras | None, image: Tensor, size: Size) -> Geometry:
    made: Geometry = {"depth": _at_size([each.depth for each in found], image), "image": image.float().cpu()}
    made["mode"] = "mono" if cameras is None else "multiview"
    for name in ("confidence", "sky"):
        maps = [getattr(each, name) for each in found]
        if maps[0] is not None:
            made[name] = _at_size(maps, image)
    if cameras is not None:
        height, width = image.shape[1:3]
        larger = torch.tensor([width / size[1], height / size[0], 1.0])
        made["extrinsics"] = cameras.extrinsics.float().cpu()
        made["intrinsics"] = cameras.intrinsics.float().cpu() * larger.unsqueeze(-1)
    return made


def _at_size(maps: Sequence[Tensor], image: Tensor) -> Tensor:
    height, width = image.shape[1:3]
    larger = [interpolate(each[None, None], size=(height, width), mode="bilinear") for each in maps]
    return torch.cat(larger)[:, 0]


def _checked(model: DepthModel, made: Geometry) -> Geometry:
    for name, each in made.items():
        if isinstance(each, Tensor) and not finite.is_finite(each):
            raise SamplingError(
                f"{model.name}: its {name} holds {finite.NO_NUMBERS}; load it with weight_dtype fp32, or fetch the "
                "file again"
            )
    return made


def _go_on() -> None:
    """Nobody can stop this."""
