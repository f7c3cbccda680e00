"""T2I-Adapter's networks under ComfyUI's names: ours, answering with lists that UNets take from the end."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from compat.missing import missing
from engine import values
from engine.errors import CheckpointError
from engine.models.control import ControlResiduals
from engine.models.t2i_adapter import STAGES, XL_INPUTS, AdapterConfig, T2IAdapter

Lists = dict[str, list[Tensor | None]]


class _Adapter(T2IAdapter):
    def __init__(self, config: AdapterConfig) -> None:
        super().__init__(config)
        self.unshuffle_amount = config.fold
        self.input_channels = config.channels
        self.xl = config.is_sdxl

    def forward(self, hint: Tensor) -> Lists:  # type: ignore[override]
        """What is added in the UNet's blocks. Shapes: hint [B, C, H, W], multiples of `unshuffle_amount`."""
        return lists(self.placed(super().forward(hint)))


class Adapter(_Adapter):
    """The full adapter, from the arguments of T2I-Adapter's own code."""

    def __init__(
        self,
        channels: Sequence[int] = (320, 640, 1280, 1280),
        nums_rb: int = 3,
        cin: int = 64,
        ksize: int = 3,
        sk: bool = False,
        use_conv: bool = True,
        xl: bool = True,
    ) -> None:
        is_sdxl = xl and cin in XL_INPUTS
        fold = 16 if is_sdxl else 8
        super().__init__(
            AdapterConfig(
                channels=cin // fold**2,
                widths=tuple(channels),
                depth=nums_rb,
                kernel=ksize,
                fold=fold,
                halves=(2,) if is_sdxl else (1, 2, 3),
                learns_halving=use_conv,
                is_sdxl=is_sdxl,
            )
        )


class Adapter_light(_Adapter):
    """The light one."""

    def __init__(self, channels: Sequence[int] = (320, 640, 1280, 1280), nums_rb: int = 3, cin: int = 64) -> None:
        widths = tuple(channels)
        config = AdapterConfig(kind="light", channels=cin // 64, widths=widths, depth=nums_rb, kernel=3)
        super().__init__(config)
        assert len(widths) == STAGES


class StyleAdapter(nn.Module):
    """The one that reads a style, which is loaded as a style model."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise CheckpointError("StyleAdapter: load the file with StyleModelLoader (comfy.sd.load_style_model)")


class Lent(nn.Module):
    """One of our adapters, which comes to its device when it is asked."""

    def __init__(self, ours: values.Adapter) -> None:
        super().__init__()
        self.ours = ours
        self.unshuffle_amount = ours.part.module.config.fold
        self.input_channels = ours.hint_channels

    def forward(self, hint: Tensor) -> Lists:
        """As Adapter's."""
        with torch.no_grad():
            return lists(self.ours(hint, hint))


def lists(placed: ControlResiduals) -> Lists:
    """What an adapter adds, the last block's first."""
    middle = [] if placed.middle is None else [placed.middle]
    return {"input": [*reversed(placed.encoder)], "middle": [*middle]}


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
