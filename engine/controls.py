"""What flows on CONTROL_NET wires: networks that make a denoiser follow a picture of edges, depth, a pose …

All are asked the same way (engine/sampling/controls.py), and `begun` when a run begins, with the denoiser of the run.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from engine.devices.residency import Keeper, Part
from engine.errors import SamplingError
from engine.models.control import ControlResiduals
from engine.models.controlnet import ControlNet as Network
from engine.models.t2i_adapter import T2IAdapter
from engine.shapes import CELL

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ControlNet:
    """A network that reads a hint picture, the noisy latent and the text.

    `is_pooled`: its answers are averaged over the picture (shuffle nets). `kinds` are what hints are, for a net that
    knows several kinds (union); none leaves it to the net.
    """

    part: Part[Network]
    keeper: Keeper
    is_pooled: bool = False
    kinds: tuple[int, ...] = ()

    @property
    def hint_channels(self) -> int:
        """How many channels hints have."""
        return self.part.module.config.hint_channels

    @property
    def text_width(self) -> int | None:
        """How many features the texts have that it reads; None when it reads none."""
        unet = self.part.module.config.unet
        return unet.context_width if unet.reads_text else None

    def of_kind(self, *kinds: int) -> "ControlNet":
        """The same net, told what its hints are; a net for a single kind stays as it is, with a warning."""
        if self.part.module.config.kinds is None:
            _ignore(self.part.name, kinds)
            return self
        return replace(self, kinds=kinds)

    def begun(self, network: object) -> "ControlNet":
        """What is asked in a run of this denoiser. Raises: SamplingError, when it is of another family."""
        wanted = self.part.module.config.unet.skip_widths
        have = getattr(getattr(network, "config", None), "skip_widths", wanted)
        if have != wanted:
            _refuse(self.part.name, wanted, have)
        return self

    def __call__(
        self, x: Tensor, hint: Tensor, timesteps: Tensor, context: Tensor, y: Tensor | None = None
    ) -> ControlResiduals:
        """What the hint asks of the denoiser, in the device and format of x.

        Shapes: x [B, C, h, w]; hint [B, 3, 8·h, 8·w]; timesteps [B]; context [B, T, D]; y [B, V] where the net has it.
        Raises: SamplingError, for a kind of hint or a vector that the net does not know.
        """
        place = self.part.place
        with self.keeper.using(self.part) as net, torch.no_grad():
            given = [each.to(place.device, place.dtype) for each in (x, hint)]
            text = context.to(place.device, place.dtype)
            vector = None if y is None else y.to(place.device, place.dtype)
            residuals: ControlResiduals = net(*given, timesteps.to(place.device), text, vector, self.kinds)
        return residuals.mapped(lambda residual: self._handed_over(residual, x))

    def _handed_over(self, residual: Tensor, like: Tensor) -> Tensor:
        if self.is_pooled:
            residual = residual.mean(dim=(2, 3), keepdim=True).expand_as(residual)
        return residual.to(like.device, like.dtype)


@dataclass(frozen=True, eq=False)
class ControlLora:
    """A ControlNet told by its difference to the denoiser that it draws with; it is grown when a run begins."""

    name: str
    grow: Callable[[Any], ControlNet]
    hint_channels: int = 3
    is_pooled: bool = False
    text_width: ClassVar[None] = None

    def begun(self, network: object) -> ControlNet:
        """The ControlNet for this denoiser. Raises: CheckpointError, when it was made for another family."""
        return self.grow(network)

    def of_kind(self, *kinds: int) -> "ControlLora":
        """As ControlNet's: it knows only one."""
        _ignore(self.name, kinds)
        return self

    def __call__(self, *given: Any) -> ControlResiduals:
        """Raises: SamplingError; it must begin first."""
        raise SamplingError(f"{self.name}: a control-LoRA can only draw with the denoiser of a run")


@dataclass(frozen=True, eq=False)
class Adapter:
    """A T2I-Adapter: it reads a hint alone, so it is asked once for a run."""

    part: Part[T2IAdapter]
    keeper: Keeper
    reads_hint_alone: ClassVar[bool] = True
    text_width: ClassVar[None] = None

    @property
    def hint_channels(self) -> int:
        """How many channels hints have; a coloured hint is averaged for a grey one."""
        return self.part.module.config.channels

    def of_kind(self, *kinds: int) -> "Adapter":
        """As ControlNet's: it knows only one."""
        _ignore(self.part.name, kinds)
        return self

    def hint_size(self, height: int, width: int) -> tuple[int, int]:
        """The size of a hint for a latent of this size: whole cells of the adapter. Units: latent cells to pixels."""
        fold = self.part.module.config.fold
        rows, columns = (-(-side * CELL // fold) * fold for side in (height, width))
        return rows, columns

    def begun(self, network: object) -> "Adapter":
        """What is asked in a run of this denoiser. Raises: SamplingError, when it is of another family."""
        have = getattr(getattr(network, "config", None), "skip_widths", None)
        if have is None:
            return self
        # The widths that it adds to, block by block; its last feature is for the last of them, or what follows.
        features = [torch.empty(width, device="meta") for width in self.part.module.config.widths]
        wanted = [None if each is None else len(each) for each in self.part.module.placed(features).encoder]
        if len(wanted) != len(have) or any(a not in (None, b) for a, b in zip(wanted, have, strict=False)):
            _refuse(self.part.name, wanted, have)
        return self

    def __call__(
        self, x: Tensor, hint: Tensor, timesteps: Tensor | None = None, context: Any = None, y: Any = None
    ) -> ControlResiduals:
        """What the hint asks of the denoiser, in the device and format of x.

        Shapes: x [B, C, h, w]; hint [B, 3, 8·h, 8·w], rounded up to `hint_size`.
        """
        place = self.part.place
        if self.hint_channels == 1 and hint.shape[1] > 1:
            hint = hint.mean(dim=1, keepdim=True)
        with self.keeper.using(self.part) as net, torch.no_grad():
            features = net(hint.to(place.device, place.dtype))
            return net.placed(features).mapped(lambda feature: feature.to(x.device, x.dtype))


Control = ControlNet | ControlLora | Adapter


def _ignore(name: str, kinds: tuple[int, ...]) -> None:
    if kinds:
        log.warning("%s knows only one kind of hint, so the type that was set is ignored", name)


def _refuse(name: str, wanted: Sequence[int | None], have: Sequence[int]) -> None:
    told = ", ".join("…" if width is None else str(width) for width in wanted)
    raise SamplingError(
        f"{name} adds to blocks of {told} channels, this denoiser has {', '.join(map(str, have))}; it was made for "
        "another model family"
    )
