"""What all control objects share: `comfy.controlnet.ControlBase`, and how answers are weighed and added up."""

import logging
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any

import comfy.utils
import torch
from torch import Tensor

from engine.errors import SamplingError

log = logging.getLogger(__name__)

Control = dict[str, list[Tensor | None]]
"""`input`, `middle`, `output`: what is added in a UNet's blocks, popped from the end; None adds nothing."""


class StrengthType(Enum):
    """Whether every place counts alike, or the later ones more."""

    CONSTANT = 1
    LINEAR_UP = 2


def broadcast_image_to(tensor: Tensor, target_batch_size: int, batched_number: int) -> Tensor:
    """Hints for every row of a batch of `batched_number` questions: cut or repeated for one of them, then for all."""
    if tensor.shape[0] == 1:
        return tensor
    rows = max(1, target_batch_size // batched_number)
    fitted = comfy.utils.repeat_to_batch_size(tensor, rows)
    return fitted if rows == target_batch_size else torch.cat([fitted] * batched_number)


class ControlBase:
    """What all kinds share. Plugins subclass it, read its state and write it."""

    def __init__(self) -> None:
        self.cond_hint_original: Any = None
        self.cond_hint: Any = None
        self.strength = 1.0
        self.timestep_percent_range = (0.0, 1.0)
        self.latent_format: Any = None
        self.vae: Any = None
        self.global_average_pooling = False
        self.timestep_range: tuple[float, float] | None = None
        self.compression_ratio = 8
        self.upscale_algorithm = "nearest-exact"
        self.extra_args: dict[str, Any] = {}
        self.previous_controlnet: Any = None
        self.extra_conds: list[str] = []
        self.strength_type = StrengthType.CONSTANT
        self.concat_mask = False
        self.extra_concat_orig: list[Any] = []
        self.extra_concat: Any = None
        self.extra_hooks: Any = None
        self.preprocess_image: Callable[[Tensor], Tensor] = unchanged

    def set_cond_hint(
        self,
        cond_hint: Any,
        strength: float = 1.0,
        timestep_percent_range: tuple[float, float] = (0.0, 1.0),
        vae: Any = None,
        extra_concat: Sequence[Any] = (),
    ) -> "ControlBase":
        """Gives it its picture [B, C, H, W] of 0 … 1, how strongly and in which share of the run it counts."""
        self.cond_hint_original = cond_hint
        self.strength = strength
        self.timestep_percent_range = timestep_percent_range
        if self.latent_format is not None:
            if vae is None:
                log.warning("a ControlNet that reads latents got no VAE; connect one to the node that applies it")
            self.vae = vae
        self.extra_concat_orig = list(extra_concat)
        if self.concat_mask and not self.extra_concat_orig:
            self.extra_concat_orig.append(torch.tensor([[[[1.0]]]]))
        return self

    def set_previous_controlnet(self, controlnet: Any) -> "ControlBase":
        """The one whose answers its own are added to."""
        self.previous_controlnet = controlnet
        return self

    def set_extra_arg(self, argument: str, value: Any = None) -> None:
        """Handed to the network with every question."""
        self.extra_args[argument] = value

    def pre_run(self, model: Any, percent_to_timestep_function: Callable[[float], float]) -> None:
        """A run begins: shares of it become noise levels."""
        start, end = self.timestep_percent_range
        self.timestep_range = (percent_to_timestep_function(start), percent_to_timestep_function(end))
        if self.previous_controlnet is not None:
            self.previous_controlnet.pre_run(model, percent_to_timestep_function)

    def cleanup(self) -> None:
        """A run is over."""
        if self.previous_controlnet is not None:
            self.previous_controlnet.cleanup()
        self.cond_hint = None
        self.extra_concat = None
        self.timestep_range = None

    def get_models(self) -> list[Any]:
        """The patchers it needs on the device, the chain's included."""
        return [] if self.previous_controlnet is None else list(self.previous_controlnet.get_models())

    def get_extra_hooks(self) -> list[Any]:
        """The hooks of the chain."""
        own = [] if self.extra_hooks is None else [self.extra_hooks]
        return own + ([] if self.previous_controlnet is None else self.previous_controlnet.get_extra_hooks())

    def copy_to(self, c: Any) -> None:
        """Gives another one everything but the chain and the network."""
        for name in _COPIED:
            setattr(c, name, getattr(self, name))
        c.extra_args = self.extra_args.copy()
        c.extra_conds = [*self.extra_conds]
        c.extra_concat_orig = [*self.extra_concat_orig]
        c.extra_hooks = None if self.extra_hooks is None else self.extra_hooks.clone()

    def inference_memory_requirements(self, dtype: torch.dtype) -> int:
        """Bytes that the chain takes at work beside its weights."""
        chain = self.previous_controlnet
        return 0 if chain is None else chain.inference_memory_requirements(dtype)

    def is_active(self, t: Tensor) -> bool:
        """Whether it counts at a noise level."""
        if self.timestep_range is None:
            return True
        level = float(t.flatten()[0])
        return self.timestep_range[0] >= level >= self.timestep_range[1]

    def previous_control(
        self, x_noisy: Tensor, t: Tensor, cond: Any, batched_number: int, transformer_options: Any
    ) -> Any:
        """What the ones before it in the chain ask for."""
        if self.previous_controlnet is None:
            return None
        return self.previous_controlnet.get_control(x_noisy, t, cond, batched_number, transformer_options)

    def control_merge(
        self, control: Mapping[str, Sequence[Tensor | None]], control_prev: Any, output_dtype: torch.dtype | None
    ) -> Control:
        """Its answers with its strength, those of the ones before it added place by place."""
        merged: Control = {"input": [], "middle": [], "output": []}
        for place, answers in control.items():
            weighed: dict[int, Tensor | None] = {}
            for index, answer in enumerate(answers):
                # One tensor may stand in several places; it is weighed once.
                if id(answer) not in weighed:
                    weighed[id(answer)] = self._weighed(answer, len(answers) - index, output_dtype)
                merged[place].append(weighed[id(answer)])
        for place, answers in (control_prev or {}).items():
            merged[place] = _added(answers, merged[place])
        return merged

    def _weighed(self, answer: Tensor | None, from_end: int, output_dtype: torch.dtype | None) -> Tensor | None:
        if answer is None:
            return None
        if self.global_average_pooling:
            answer = answer.mean(dim=(2, 3), keepdim=True).expand_as(answer)
        strength = self.strength if self.strength_type == StrengthType.CONSTANT else self.strength**from_end
        return (answer * strength).to(output_dtype or answer.dtype)

    def fitted_hint(self, x_noisy: Tensor, dtype: torch.dtype, batched_number: int) -> Tensor:
        """The hint for these latents, row by row; made anew when their size changed."""
        ratio = self.compression_ratio * (1 if self.vae is None else self.vae.spacial_compression_encode())
        height, width = (side * ratio for side in x_noisy.shape[-2:])
        is_fitting = (
            self._fitted_for == (height, width)
            if self.vae is not None or self.cond_hint is None
            else self.cond_hint.shape[-2:] == (height, width)
        )
        if self.cond_hint is None or not is_fitting:
            self.cond_hint = self._fitted(width, height).to(x_noisy.device, dtype)
            self._fitted_for = height, width
        if self.cond_hint.shape[0] == x_noisy.shape[0]:
            return self.cond_hint
        return broadcast_image_to(self.cond_hint, x_noisy.shape[0], batched_number)

    _fitted_for: tuple[int, int] | None = None

    def _fitted(self, width: int, height: int) -> Tensor:
        if self.latent_format is not None and self.vae is None:
            raise SamplingError("this ControlNet reads latents; connect a VAE to the node that applies it")
        hint = comfy.utils.common_upscale(self.cond_hint_original, width, height, self.upscale_algorithm, "center")
        hint = self.preprocess_image(hint)
        return hint if self.vae is None else self._encoded(hint)

    def _encoded(self, hint: Tensor) -> Tensor:
        """The hint's latents as the network reads them, with the masks that some kinds have beside them."""
        latent = self.vae.encode(hint.movedim(1, -1))
        if self.latent_format is not None:
            latent = self.latent_format.process_in(latent)
        size = latent.shape[-1], latent.shape[-2]
        masks = [
            comfy.utils.common_upscale(mask.to(latent), *size, self.upscale_algorithm, "center")
            for mask in self.extra_concat_orig
        ]
        fitted = [comfy.utils.repeat_to_batch_size(mask, latent.shape[0]) for mask in masks]
        return torch.cat([latent, *fitted], dim=1)


_COPIED = (
    "cond_hint_original",
    "strength",
    "timestep_percent_range",
    "global_average_pooling",
    "compression_ratio",
    "upscale_algorithm",
    "latent_format",
    "vae",
    "strength_type",
    "concat_mask",
    "preprocess_image",
)


def _added(before: Sequence[Tensor | None], mine: Sequence[Tensor | None]) -> list[Tensor | None]:
    places = max(len(before), len(mine))
    pairs = zip(*([*side, *[None] * (places - len(side))] for side in (mine, before)), strict=True)
    return [(a if b is None else b) if a is None or b is None else a + b for a, b in pairs]


def unchanged(image: Tensor) -> Tensor:
    return image
