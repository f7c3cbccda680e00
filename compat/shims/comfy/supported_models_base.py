"""What ComfyUI knows about a family: how to tell its files, and how to build its model."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

import comfy.latent_formats
import comfy.model_base
from compat.missing import missing


class ClipTarget:
    """Which tokenizer and text encoder go with a family."""

    def __init__(self, tokenizer: Any, clip: Any) -> None:
        self.clip = clip
        self.tokenizer = tokenizer
        self.params: dict[str, Any] = {}


class BASE:
    """A family. Subclasses say by class attributes what is special about them.

    `unet_config` has what a file's network must have to be of the family, and after construction all of it.
    """

    unet_config: dict[str, Any] = {}
    unet_extra_config: dict[str, Any] = {"num_heads": -1, "num_head_channels": 64}
    required_keys: Mapping[str, Any] = {}
    clip_prefix: list[str] = []
    clip_vision_prefix: str | None = None
    noise_aug_config: Any = None
    sampling_settings: dict[str, Any] = {}
    latent_format: Any = comfy.latent_formats.LatentFormat
    vae_key_prefix: list[str] = ["first_stage_model."]
    text_encoder_key_prefix: list[str] = ["cond_stage_model."]
    supported_inference_dtypes: list[torch.dtype] = [torch.float16, torch.bfloat16, torch.float32]
    memory_usage_factor: float = 2.0
    manual_cast_dtype: torch.dtype | None = None
    custom_operations: Any = None
    scaled_fp8: Any = None
    optimizations: dict[str, Any] = {"fp8": False}

    @classmethod
    def matches(cls, unet_config: Mapping[str, Any], state_dict: Mapping[str, Any] | None = None) -> bool:
        """Whether a network of this configuration, in a file with these tensors, is of the family."""
        if any(name not in unet_config or wanted != unet_config[name] for name, wanted in cls.unet_config.items()):
            return False
        return state_dict is None or all(name in state_dict for name in cls.required_keys)

    def __init__(self, unet_config: Mapping[str, Any]) -> None:
        self.unet_config = dict(unet_config)
        self.sampling_settings = dict(self.sampling_settings)
        self.latent_format = self.latent_format()
        self.optimizations = dict(self.optimizations)
        for name, value in self.unet_extra_config.items():
            self.unet_config.setdefault(name, value)

    def model_type(self, state_dict: Mapping[str, Any], prefix: str = "") -> "comfy.model_base.ModelType":
        """What the network tells, read off its file."""
        return comfy.model_base.ModelType.EPS

    def inpaint_model(self) -> bool:
        """Whether the network has more input channels than a latent."""
        return bool(self.unet_config["in_channels"] > 4)

    def get_model(
        self, state_dict: Mapping[str, Tensor], prefix: str = "", device: Any = None, unet_model: Any = None
    ) -> "comfy.model_base.BaseModel":
        """The family's model, its weights not yet read. `unet_model` makes the network, where it is not the usual."""
        given = {} if unet_model is None else {"unet_model": unet_model}
        out = self._class()(self, model_type=self.model_type(state_dict, prefix), device=device, **given)
        if self.inpaint_model():
            out.set_inpaint()
        return out

    def _class(self) -> "type[comfy.model_base.BaseModel]":
        return comfy.model_base.BaseModel

    def process_clip_state_dict(self, state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
        """The text encoder's tensors of a file, under the names the encoder has."""
        return _with_prefixes(state_dict, dict.fromkeys(self.text_encoder_key_prefix, ""), only=True)

    def process_unet_state_dict(self, state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
        """The network's tensors of a file, under the names the network has."""
        return state_dict

    def process_vae_state_dict(self, state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
        """The autoencoder's tensors of a file, under the names the autoencoder has."""
        return state_dict

    def process_clip_state_dict_for_saving(self, state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
        """The text encoder's tensors as files have them."""
        return {self.text_encoder_key_prefix[0] + name: tensor for name, tensor in state_dict.items()}

    def process_clip_vision_state_dict_for_saving(self, state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
        """The picture encoder's tensors as files have them."""
        return {(self.clip_vision_prefix or "") + name: tensor for name, tensor in state_dict.items()}

    def process_unet_state_dict_for_saving(self, state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
        """The network's tensors as files have them."""
        return {"model.diffusion_model." + name: tensor for name, tensor in state_dict.items()}

    def process_vae_state_dict_for_saving(self, state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
        """The autoencoder's tensors as files have them."""
        return {self.vae_key_prefix[0] + name: tensor for name, tensor in state_dict.items()}

    def clip_target(self, state_dict: Mapping[str, Tensor] | None = None) -> Any:
        """The tokenizer and text encoder of the family, or None where a file has none."""
        return None

    def set_inference_dtype(self, dtype: torch.dtype | None, manual_cast_dtype: torch.dtype | None) -> None:
        """In which format weights are kept, and in which computed where that is another."""
        self.unet_config["dtype"] = dtype
        self.manual_cast_dtype = manual_cast_dtype


def _with_prefixes(state_dict: Mapping[str, Tensor], renamed: Mapping[str, str], only: bool) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {} if only else dict(state_dict)
    for name, tensor in state_dict.items():
        for old, new in renamed.items():
            if name.startswith(old):
                found.pop(name, None)
                found[new + name[len(old) :]] = tensor
                break
    return found


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
