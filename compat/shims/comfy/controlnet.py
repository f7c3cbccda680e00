"""ControlNets as plugins hold them: a network, its hint, and the one that was asked for before it.

A control object is copied for every use; `set_cond_hint` gives it its picture, `set_previous_controlnet` makes a chain.
While drawing, `pre_run` is called once and `get_control` for every evaluation of the denoiser.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

import comfy.cldm.cldm
import comfy.model_management
import comfy.model_patcher
import comfy.t2i_adapter.adapter
import comfy.utils
from compat import crossing, files
from compat.dress import dress
from compat.host import host
from compat.missing import missing
from compat.parts.control import Control, ControlBase, StrengthType, broadcast_image_to, unchanged
from compat.residence import Residence
from engine import values
from engine.checkpoints.controls import LORA
from engine.checkpoints.tensors import TensorFile, in_memory


class ControlNet(ControlBase):
    """A ControlNet: a network that is asked with the noisy latent, the time, the text and the hint.

    `control_model` may be any module that answers (x, hint, timesteps, context, …) with such a dict of lists.
    """

    def __init__(
        self,
        control_model: Any = None,
        global_average_pooling: bool = False,
        compression_ratio: int = 8,
        latent_format: Any = None,
        load_device: Any = None,
        manual_cast_dtype: torch.dtype | None = None,
        extra_conds: Sequence[str] = ("y",),
        strength_type: StrengthType = StrengthType.CONSTANT,
        concat_mask: bool = False,
        preprocess_image: Callable[[Tensor], Tensor] | None = None,
        ckpt_name: str | None = None,
    ) -> None:
        super().__init__()
        self.control_model: Any = control_model
        self.ours: values.ControlNet | None = None
        self.load_device = load_device
        self.control_model_wrapped: Any = None
        if control_model is not None:
            self.control_model_wrapped = comfy.model_patcher.ModelPatcher(
                control_model, load_device=load_device, offload_device=comfy.model_management.unet_offload_device()
            )
        self.compression_ratio = compression_ratio
        self.global_average_pooling = global_average_pooling
        self.model_sampling_current: Any = None
        self.manual_cast_dtype = manual_cast_dtype
        self.latent_format = latent_format
        self.extra_conds = [*extra_conds]
        self.strength_type = strength_type
        self.concat_mask = concat_mask
        self.preprocess_image = preprocess_image or unchanged
        self.ckpt_name = ckpt_name

    @classmethod
    def around(cls, ours: values.ControlNet) -> "ControlNet":
        """A control object over one of our ControlNets."""
        place = ours.part.place
        dress(ours.part.module)
        network: Any = comfy.cldm.cldm.ControlNet.around(ours.part.module, place.dtype)
        network.residence = Residence(ours.part, ours.keeper, "")
        made = cls(network, ours.is_pooled, load_device=place.device)
        made.ours = ours
        if ours.kinds:
            made.set_extra_arg("control_type", list(ours.kinds))
        return made

    def get_control(
        self, x_noisy: Tensor, t: Tensor, cond: Any, batched_number: int, transformer_options: Any = None
    ) -> Any:
        """What it and the ones before it ask for; None for nothing.

        Shapes: x_noisy [B, C, h, w], of `batched_number` questions one below the other; t [B], the noise level.
        """
        before = self.previous_control(x_noisy, t, cond, batched_number, transformer_options)
        if not self.is_active(t):
            return before
        dtype = self.manual_cast_dtype or self.control_model.dtype
        context = cond.get("crossattn_controlnet", cond["c_crossattn"])
        extra: dict[str, Any] = {}
        for name in self.extra_conds:
            value = cond.get(name)
            if value is not None:
                extra[name] = value.to(x_noisy.device, dtype) if isinstance(value, Tensor) else value
        extra.update(self.extra_args)
        sampling = self.model_sampling_current
        hint = self.fitted_hint(x_noisy, dtype, batched_number)
        with self.ready() as network:
            control = network(
                x=sampling.calculate_input(t, x_noisy).to(dtype),
                hint=hint,
                timesteps=sampling.timestep(t).float(),
                context=context.to(x_noisy.device, dtype),
                **extra,
            )
        return self.control_merge(control, before, output_dtype=x_noisy.dtype)

    @contextmanager
    def ready(self) -> Iterator[Any]:
        """The network on its device, for as long as the block lasts."""
        if self.ours is None or not self.is_ours():
            yield self.control_model
        else:
            with self.control_model.residence.using(), torch.no_grad():
                yield self.control_model

    def is_ours(self) -> bool:
        """Whether the network is still the one that our loader made."""
        return self.ours is not None and getattr(self.control_model, "_modules", None) is self.ours.part.module._modules

    def pre_run(self, model: Any, percent_to_timestep_function: Callable[[float], float]) -> None:
        """A run begins; the model's noise levels are the ones that count."""
        super().pre_run(model, percent_to_timestep_function)
        self.model_sampling_current = model.model_sampling

    def copy(self) -> "ControlNet":
        """Another one with the same network and state."""
        made = type(self)(
            None,
            global_average_pooling=self.global_average_pooling,
            load_device=self.load_device,
            manual_cast_dtype=self.manual_cast_dtype,
        )
        self.copy_to(made)
        made.control_model = self.control_model
        made.control_model_wrapped = self.control_model_wrapped
        made.ours = self.ours
        return made

    def get_models(self) -> list[Any]:
        """The patchers it needs on the device, the chain's included."""
        own = [] if self.control_model_wrapped is None else [self.control_model_wrapped]
        return super().get_models() + own

    def cleanup(self) -> None:
        """A run is over."""
        self.model_sampling_current = None
        super().cleanup()


class ControlLora(ControlNet):
    """A ControlNet that is told by its difference to the UNet it draws with; it is built when a run begins."""

    def __init__(
        self,
        control_weights: Mapping[str, Tensor],
        global_average_pooling: bool = False,
        model_options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(None, global_average_pooling)
        self.control_weights = dict(control_weights)
        self.seed: values.ControlLora | None = None

    @classmethod
    def around(cls, ours: values.ControlLora) -> "ControlLora":  # type: ignore[override]  # it is no network yet
        """A control object over one of our control-LoRAs."""
        made = cls({}, ours.is_pooled)
        made.seed = ours
        return made

    def pre_run(self, model: Any, percent_to_timestep_function: Callable[[float], float]) -> None:
        """A run begins: the UNet's own weights with the differences on them become the ControlNet."""
        super().pre_run(model, percent_to_timestep_function)
        seed = self.seed or _seed(self.control_weights)
        ours = seed.begun(model.diffusion_model)
        network = ControlNet.around(ours)
        self.ours, self.control_model = ours, network.control_model
        self.control_model_wrapped, self.load_device = network.control_model_wrapped, network.load_device

    def copy(self) -> "ControlLora":
        """Another one with the same differences and state."""
        made = type(self)(self.control_weights, global_average_pooling=self.global_average_pooling)
        self.copy_to(made)
        made.seed = self.seed
        return made

    def cleanup(self) -> None:
        """A run is over; the network goes."""
        self.control_model = self.control_model_wrapped = self.ours = None
        super().cleanup()

    def get_models(self) -> list[Any]:
        """Those of the chain; its own network comes with the run."""
        return ControlBase.get_models(self)

    def inference_memory_requirements(self, dtype: torch.dtype) -> int:
        """Bytes for the network that will be built."""
        count = sum(weight.numel() for weight in self.control_weights.values())
        return count * torch.empty((), dtype=dtype).element_size() + super().inference_memory_requirements(dtype)


class T2IAdapter(ControlBase):
    """An adapter: a small network that reads the hint alone, once for a whole run."""

    def __init__(
        self,
        t2i_model: Any,
        channels_in: int,
        compression_ratio: int = 8,
        upscale_algorithm: str = "nearest-exact",
        device: Any = None,
    ) -> None:
        super().__init__()
        self.t2i_model = t2i_model
        self.channels_in = channels_in
        self.control_input: Any = None
        self.compression_ratio = compression_ratio
        self.upscale_algorithm = upscale_algorithm
        self.device = device or comfy.model_management.get_torch_device()
        self.ours: values.Adapter | None = None

    @classmethod
    def around(cls, ours: values.Adapter) -> "T2IAdapter":
        """A control object over one of our adapters."""
        made = cls(comfy.t2i_adapter.adapter.Lent(ours), ours.hint_channels, device=ours.part.place.device)
        made.ours = ours
        return made

    def is_ours(self) -> bool:
        """Whether the network is still the one that our loader made."""
        return self.ours is not None and getattr(self.t2i_model, "ours", None) is self.ours

    def scale_image_to(self, width: int, height: int) -> tuple[int, int]:
        """The hint's size for a picture's: a multiple of what the adapter works on."""
        unit = getattr(self.t2i_model, "unshuffle_amount", 1)
        return -(-width // unit) * unit, -(-height // unit) * unit

    def get_control(
        self, x_noisy: Tensor, t: Tensor, cond: Any, batched_number: int, transformer_options: Any = None
    ) -> Any:
        """What it and the ones before it ask for; None for nothing."""
        before = self.previous_control(x_noisy, t, cond, batched_number, transformer_options)
        if not self.is_active(t):
            return before
        height, width = (side * self.compression_ratio for side in x_noisy.shape[-2:])
        if self.cond_hint is None or self._fitted_for != (height, width):
            size = self.scale_image_to(width, height)
            hint = comfy.utils.common_upscale(self.cond_hint_original, *size, self.upscale_algorithm, "center")
            if self.channels_in == 1 and hint.shape[1] > 1:
                hint = hint.mean(dim=1, keepdim=True)
            self.cond_hint = self.preprocess_image(hint).float().to(self.device)
            self._fitted_for, self.control_input = (height, width), None
        if self.cond_hint.shape[0] != x_noisy.shape[0]:
            self.cond_hint = broadcast_image_to(self.cond_hint, x_noisy.shape[0], batched_number)
            self.control_input = None
        if self.control_input is None:
            self.t2i_model.to(self.device)
            with torch.no_grad():
                self.control_input = self.t2i_model(self.cond_hint.to(x_noisy.dtype))
        control: dict[str, list[Any]] = (
            self.control_input
            if isinstance(self.control_input, dict)
            else {"input": [None if each is None else each.clone() for each in self.control_input]}
        )
        return self.control_merge(control, before, x_noisy.dtype)

    def copy(self) -> "T2IAdapter":
        """Another one with the same network and state."""
        made = type(self)(self.t2i_model, self.channels_in, self.compression_ratio, self.upscale_algorithm, self.device)
        self.copy_to(made)
        made.ours = self.ours
        return made

    def cleanup(self) -> None:
        """A run is over."""
        self.control_input = None
        super().cleanup()


class ControlNetSD35(ControlNet):
    """Stable Diffusion 3.5's; its network is not supported yet, a plugin may bring its own."""


def load_controlnet(ckpt_path: str, model: Any = None, model_options: Mapping[str, Any] | None = None) -> ControlBase:
    """A control object from a file. Raises: CheckpointError, for a file that is none or of a kind we cannot run yet."""
    return _loaded(files.read(ckpt_path), model)


def load_controlnet_state_dict(
    state_dict: Mapping[str, Tensor],
    model: Any = None,
    model_options: Mapping[str, Any] | None = None,
    ckpt_name: str | None = None,
) -> ControlBase:
    """As `load_controlnet`, from tensors that were read already."""
    return _loaded(in_memory(ckpt_name or "a state dict", state_dict), model)


def _loaded(file: TensorFile, model: Any) -> ControlBase:
    base = None if model is None else crossing.leave(model)
    return around(host().loader.controlnet(file, base))


def around(ours: values.Control) -> ControlBase:
    """A control object over one of our nets, of whatever kind."""
    if isinstance(ours, values.Adapter):
        return T2IAdapter.around(ours)
    return ControlLora.around(ours) if isinstance(ours, values.ControlLora) else ControlNet.around(ours)


def _seed(differences: Mapping[str, Tensor]) -> values.ControlLora:
    """A control-LoRA of tensors, whether or not a plugin took away the one by which files of it are known."""
    made = host().loader.controlnet(in_memory("control-LoRA", {LORA: torch.zeros(0), **differences}))
    assert isinstance(made, values.ControlLora)
    return made


__all__ = [
    "Control",
    "ControlBase",
    "ControlLora",
    "ControlNet",
    "ControlNetSD35",
    "StrengthType",
    "T2IAdapter",
    "broadcast_image_to",
    "load_controlnet",
    "load_controlnet_state_dict",
]


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
