"""ComfyUI's families, in the order they are asked whether a file is theirs.

Source of the conditions: node_behaviour.md A.4. Families whose networks this program cannot run are here so that
plugins can ask whether a model is one of them; their `get_model` says so.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

import comfy.supported_models_base as supported_models_base
from comfy import latent_formats, model_base
from comfy.model_base import ModelType
from compat.missing import missing

BASE = supported_models_base.BASE


class SD15(BASE):
    """Stable Diffusion 1."""

    unet_config: dict[str, Any] = {
        "context_dim": 768,
        "model_channels": 320,
        "use_linear_in_transformer": False,
        "adm_in_channels": None,
        "use_temporal_attention": False,
    }
    unet_extra_config = {"num_heads": 8, "num_head_channels": -1}
    latent_format: Any = latent_formats.SD15
    memory_usage_factor = 1.0

    def process_clip_state_dict(self, state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
        """Old files lack `text_model.`, and have positions as numbers with a point."""
        found: dict[str, Tensor] = {}
        start = "cond_stage_model.transformer."
        for name, tensor in state_dict.items():
            if not name.startswith("cond_stage_model."):
                continue
            if name.startswith(start) and not name.startswith(start + "text_model."):
                name = start + "text_model." + name[len(start) :]
            if name.endswith("position_ids") and tensor.dtype == torch.float32:
                tensor = tensor.round()
            found[name.replace("cond_stage_model.", "clip_l.", 1)] = tensor
        return found

    def process_clip_state_dict_for_saving(self, state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
        left_out = ("clip_l.transformer.text_projection.weight", "clip_l.logit_scale")
        return {
            name.replace("clip_l.", "cond_stage_model.", 1): tensor
            for name, tensor in state_dict.items()
            if name not in left_out
        }

    def clip_target(self, state_dict: Mapping[str, Tensor] | None = None) -> Any:
        from comfy import sd1_clip

        return supported_models_base.ClipTarget(sd1_clip.SD1Tokenizer, sd1_clip.SD1ClipModel)


class SD15_instructpix2pix(SD15):
    """Stable Diffusion 1 taught to edit."""

    unet_config = {**SD15.unet_config, "in_channels": 8}

    def _class(self) -> type[model_base.BaseModel]:
        return model_base.SD15_instructpix2pix

    def inpaint_model(self) -> bool:
        return False


class SD20(BASE):
    """Stable Diffusion 2."""

    unet_config: dict[str, Any] = {
        "context_dim": 1024,
        "model_channels": 320,
        "use_linear_in_transformer": True,
        "adm_in_channels": None,
        "use_temporal_attention": False,
    }
    unet_extra_config = {"num_heads": -1, "num_head_channels": 64, "attn_precision": torch.float32}
    latent_format: Any = latent_formats.SD15
    memory_usage_factor = 1.0

    def model_type(self, state_dict: Mapping[str, Any], prefix: str = "") -> ModelType:
        if self.unet_config["in_channels"] == 4:
            bias = state_dict.get(f"{prefix}output_blocks.11.1.transformer_blocks.0.norm1.bias")
            if bias is not None and float(torch.std(bias.float(), unbiased=False)) > 0.09:
                return ModelType.V_PREDICTION
        return ModelType.EPS


class SD21UnclipL(SD20):
    """Stable Diffusion 2.1 guided by a picture (CLIP-L)."""

    unet_config = {**SD20.unet_config, "adm_in_channels": 1536}

    def _class(self) -> type[model_base.BaseModel]:
        return model_base.SD21UNCLIP


class SD21UnclipH(SD20):
    """Stable Diffusion 2.1 guided by a picture (CLIP-H)."""

    unet_config = {**SD20.unet_config, "adm_in_channels": 2048}

    def _class(self) -> type[model_base.BaseModel]:
        return model_base.SD21UNCLIP


class LotusD(SD20):
    """Lotus, which draws how far away everything is."""

    unet_config = {**SD20.unet_config, "adm_in_channels": 4}

    def _class(self) -> type[model_base.BaseModel]:
        return model_base.Lotus

    def model_type(self, state_dict: Mapping[str, Any], prefix: str = "") -> ModelType:
        return ModelType.IMG_TO_IMG


class SDXLRefiner(BASE):
    """SDXL's refiner."""

    unet_config: dict[str, Any] = {
        "model_channels": 384,
        "use_linear_in_transformer": True,
        "context_dim": 1280,
        "adm_in_channels": 2560,
        "transformer_depth": [0, 0, 4, 4, 4, 4, 0, 0],
        "use_temporal_attention": False,
    }
    latent_format: Any = latent_formats.SDXL
    memory_usage_factor = 1.0

    def _class(self) -> type[model_base.BaseModel]:
        return model_base.SDXLRefiner


class SDXL(BASE):
    """SDXL."""

    unet_config: dict[str, Any] = {
        "model_channels": 320,
        "use_linear_in_transformer": True,
        "transformer_depth": [0, 0, 2, 2, 10, 10],
        "context_dim": 2048,
        "adm_in_channels": 2816,
        "use_temporal_attention": False,
    }
    latent_format: Any = latent_formats.SDXL
    memory_usage_factor = 0.8

    def _class(self) -> type[model_base.BaseModel]:
        return model_base.SDXL

    def model_type(self, state_dict: Mapping[str, Any], prefix: str = "") -> ModelType:
        if "edm_mean" in state_dict and "edm_std" in state_dict:
            self.latent_format = latent_formats.SDXL_Playground_2_5()
            self.sampling_settings |= {"sigma_data": 0.5, "sigma_max": 80.0, "sigma_min": 0.002}
            return ModelType.EDM
        if "edm_vpred.sigma_max" in state_dict:
            self.sampling_settings["sigma_max"] = float(state_dict["edm_vpred.sigma_max"].item())
            if "edm_vpred.sigma_min" in state_dict:
                self.sampling_settings["sigma_min"] = float(state_dict["edm_vpred.sigma_min"].item())
            return ModelType.V_PREDICTION_EDM
        if "v_pred" in state_dict:
            if "ztsnr" in state_dict:
                self.sampling_settings["zsnr"] = True
            return ModelType.V_PREDICTION
        return ModelType.EPS


class SSD1B(SDXL):
    """SDXL, distilled by Segmind."""

    unet_config = {**SDXL.unet_config, "transformer_depth": [0, 0, 2, 2, 4, 4]}


class Segmind_Vega(SDXL):
    """SDXL, distilled further."""

    unet_config = {**SDXL.unet_config, "transformer_depth": [0, 0, 1, 1, 2, 2]}


class KOALA_700M(SDXL):
    """SDXL, distilled by KOALA."""

    unet_config = {**SDXL.unet_config, "transformer_depth": [0, 2, 5]}


class KOALA_1B(SDXL):
    """SDXL, distilled by KOALA, the larger one."""

    unet_config = {**SDXL.unet_config, "transformer_depth": [0, 2, 6]}


class SDXL_instructpix2pix(SDXL):
    """SDXL taught to edit."""

    unet_config = {**SDXL.unet_config, "in_channels": 8}

    def _class(self) -> type[model_base.BaseModel]:
        return model_base.SDXL_instructpix2pix

    def inpaint_model(self) -> bool:
        return False


class _Flow(BASE):
    """A family of flows, none of which this program has the network of."""

    latent_format: Any = latent_formats.Flux

    def model_type(self, state_dict: Mapping[str, Any], prefix: str = "") -> ModelType:
        return ModelType.FLOW

    def inpaint_model(self) -> bool:
        return False


class SD3(_Flow):
    """Stable Diffusion 3."""

    unet_config = {"in_channels": 16, "pos_embed_scaling_factor": None}
    sampling_settings = {"shift": 3.0}
    latent_format: Any = latent_formats.SD3
    memory_usage_factor = 1.2

    def _class(self) -> type[model_base.BaseModel]:
        return model_base.SD3


class Flux(_Flow):
    """Flux, guided."""

    unet_config = {"image_model": "flux", "guidance_embed": True}
    memory_usage_factor = 2.8

    def _class(self) -> type[model_base.BaseModel]:
        return model_base.Flux

    def model_type(self, state_dict: Mapping[str, Any], prefix: str = "") -> ModelType:
        return ModelType.FLUX


class FluxInpaint(Flux):
    """Flux for filling in."""

    unet_config = {"image_model": "flux", "guidance_embed": True, "in_channels": 96}


class FluxSchnell(Flux):
    """Flux, distilled to few steps."""

    unet_config = {"image_model": "flux", "guidance_embed": False}
    sampling_settings = {"multiplier": 1.0, "shift": 1.0}

    def model_type(self, state_dict: Mapping[str, Any], prefix: str = "") -> ModelType:
        return ModelType.FLOW


class LTXV(_Flow):
    """LTX Video."""

    unet_config = {"image_model": "ltxv"}
    sampling_settings = {"shift": 2.37}
    latent_format: Any = latent_formats.LTXV

    def _class(self) -> type[model_base.BaseModel]:
        return model_base.LTXV


class HunyuanVideo(_Flow):
    """Hunyuan Video."""

    unet_config = {"image_model": "hunyuan_video"}
    sampling_settings = {"shift": 7.0}
    latent_format: Any = latent_formats.HunyuanVideo

    def _class(self) -> type[model_base.BaseModel]:
        return model_base.HunyuanVideo


class WAN21_T2V(_Flow):
    """Wan 2.1."""

    unet_config = {"image_model": "wan2.1", "model_type": "t2v"}
    sampling_settings = {"shift": 8.0}
    latent_format: Any = latent_formats.Wan21

    def _class(self) -> type[model_base.BaseModel]:
        return model_base.WAN21


class QwenImage(_Flow):
    """Qwen-Image."""

    unet_config = {"image_model": "qwen_image"}
    sampling_settings = {"multiplier": 1.0, "shift": 1.15}
    latent_format: Any = latent_formats.Wan21

    def _class(self) -> type[model_base.BaseModel]:
        return model_base.QwenImage

    def model_type(self, state_dict: Mapping[str, Any], prefix: str = "") -> ModelType:
        return ModelType.FLUX


models: list[type[BASE]] = [
    LotusD,
    SD15_instructpix2pix,
    SD15,
    SD20,
    SD21UnclipL,
    SD21UnclipH,
    SDXL_instructpix2pix,
    SDXLRefiner,
    SDXL,
    SSD1B,
    KOALA_700M,
    KOALA_1B,
    Segmind_Vega,
    SD3,
    FluxInpaint,
    Flux,
    FluxSchnell,
    LTXV,
    HunyuanVideo,
    WAN21_T2V,
    QwenImage,
]
"""Asked in this order; plugins may put their own among them."""


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
