"""ComfyUI's models: a network with what surrounds it, from a noisy latent to a clean one."""

import logging
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

import comfy.conds
import comfy.ops
from comfy import patcher_extension
from comfy.ldm.modules.diffusionmodules.openaimodel import Timestep, UNetModel
from compat import channels
from compat.missing import missing
from compat.sampling import told
from compat.sampling.model_types import ModelType as ModelType
from compat.sampling.model_types import model_sampling as model_sampling
from engine.errors import LatentwireError
from engine.sampling.inpainting import GREY
from engine.sampling.sample import ACTIVATIONS, USUAL_WIDTH

log = logging.getLogger(__name__)


class BaseModel(nn.Module):
    """A network with its latent format, its sampling object and what else a condition of its needs.

    `residence` is where the network's weights live, for models of the engine's (compat/residence.py).
    """

    residence: Any = None

    def __init__(
        self,
        model_config: Any,
        model_type: ModelType = ModelType.EPS,
        device: Any = None,
        unet_model: Any = UNetModel,
    ) -> None:
        super().__init__()
        unet_config = model_config.unet_config
        self.latent_format = model_config.latent_format
        self.model_config = model_config
        self.manual_cast_dtype = model_config.manual_cast_dtype
        self.device = torch.device(device) if device is not None else torch.device("cpu")
        self.current_patcher: Any = None
        if not unet_config.get("disable_unet_model_creation", False):
            _refuse_unknown(type(model_config).__name__, unet_config, unet_model)
            operations = model_config.custom_operations
            if operations is None:
                operations = comfy.ops.pick_operations(
                    unet_config.get("dtype"), self.manual_cast_dtype, scaled_fp8=model_config.scaled_fp8
                )
            self.diffusion_model = unet_model(**unet_config, device=device, operations=operations).eval()
        self.model_type = model_type
        self.model_sampling = model_sampling(model_config, model_type)
        self.adm_channels: int = unet_config.get("adm_in_channels") or 0
        self.concat_keys: tuple[str, ...] = ()
        self.memory_usage_factor: float = model_config.memory_usage_factor
        self.memory_usage_factor_conds: tuple[str, ...] = ()
        self.lowvram_patch_counter = 0
        self.model_lowvram = False
        self.model_loaded_weight_memory = 0
        self.current_weight_patches_uuid: Any = None

    def apply_model(
        self,
        x: Tensor,
        t: Tensor,
        c_concat: Tensor | None = None,
        c_crossattn: Tensor | None = None,
        control: Any = None,
        transformer_options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Tensor:
        """The clean latent behind a noisy one, as the network sees it, without guidance.

        Shapes: x [B, C, h, w]; t [B], noise levels; c_crossattn [B, T, D]; c_concat further channels.
        """
        options = {} if transformer_options is None else transformer_options
        wrappers = patcher_extension.get_all_wrappers(patcher_extension.WrappersMP.APPLY_MODEL, options)
        executor = patcher_extension.WrapperExecutor.new_class_executor(self._apply_model, self, wrappers)
        done: Tensor = executor.execute(x, t, c_concat, c_crossattn, control, options, **kwargs)
        return done

    def _apply_model(
        self,
        x: Tensor,
        t: Tensor,
        c_concat: Tensor | None = None,
        c_crossattn: Tensor | None = None,
        control: Any = None,
        transformer_options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Tensor:
        sampling, dtype = self.model_sampling, self.manual_cast_dtype or self.get_dtype()
        shown = sampling.calculate_input(t, x)
        if c_concat is not None:
            shown = torch.cat([shown, c_concat.to(shown)], dim=1)
        times = sampling.timestep(t).float()
        further = {name: _cast(value, dtype) for name, value in kwargs.items()}
        # A copy for each call: networks note in it where they are.
        options = dict(transformer_options or {})
        with nullcontext() if self.residence is None else self.residence.using():
            answer = self.diffusion_model(
                shown.to(dtype),
                times,
                context=_cast(c_crossattn, dtype),
                control=control,
                transformer_options=options,
                **further,
            )
        denoised: Tensor = sampling.calculate_denoised(t, answer.float(), x)
        return denoised

    def get_dtype(self) -> torch.dtype:
        """The number format the network computes in."""
        if self.residence is not None:
            settled: torch.dtype = self.residence.dtype
            return settled
        found: torch.dtype = self.diffusion_model.dtype
        return found

    def encode_adm(self, **kwargs: Any) -> Tensor | None:
        """The vector y that class-conditional networks read besides the text; None for others."""
        config = getattr(getattr(self, "diffusion_model", None), "config", None)
        if getattr(config, "vector", None) == "noise_level":
            return told.vector("noise_level", self.adm_channels, kwargs)
        return None

    def concat_cond(self, **kwargs: Any) -> Tensor | None:
        """The further channels of networks for inpainting, of the latent's size; None for others.

        `concat_mask` or else `denoise_mask` says where to draw, `concat_latent_image` or else `latent_image` what is
        around it. Source: node_behaviour.md A.5.
        """
        if not self.concat_keys:
            return None
        shown = channels.of_engine(self, kwargs)
        return channels.inpainting(self, kwargs) if shown is None else shown

    def blank_inpaint_image_like(self, latent_image: Tensor) -> Tensor:
        """The scaled latent of a grey picture, which inpainting networks take as "nothing given"."""
        return latent_image.new_tensor(GREY).view(1, -1, 1, 1).expand_as(latent_image[:, :4]).clone()

    def extra_conds(self, **kwargs: Any) -> dict[str, Any]:
        """What of a condition goes to the network, by the names `apply_model` takes."""
        out: dict[str, Any] = {}
        concat = self.concat_cond(**kwargs)
        if concat is not None:
            out["c_concat"] = comfy.conds.CONDNoiseShape(concat)
        adm = self.encode_adm(**kwargs)
        if adm is not None:
            out["y"] = comfy.conds.CONDRegular(adm)
        cross_attn = kwargs.get("cross_attn")
        if cross_attn is not None:
            out["c_crossattn"] = comfy.conds.CONDCrossAttn(cross_attn)
        cross_attn_controlnet = kwargs.get("cross_attn_controlnet")
        if cross_attn_controlnet is not None:
            out["crossattn_controlnet"] = comfy.conds.CONDCrossAttn(cross_attn_controlnet)
        return out

    def extra_conds_shapes(self, **kwargs: Any) -> dict[str, Any]:
        """The sizes of what `extra_conds` would give beyond the usual, for estimates of memory."""
        return {}

    def is_adm(self) -> bool:
        """Whether the network reads a vector besides the text."""
        return self.adm_channels > 0

    def load_model_weights(self, sd: dict[str, Tensor], unet_prefix: str = "") -> "BaseModel":
        """Takes the network's weights out of a file's tensors."""
        ours = {name: sd.pop(name) for name in list(sd) if name.startswith(unet_prefix)}
        weights = self.model_config.process_unet_state_dict(
            {name[len(unet_prefix) :]: tensor for name, tensor in ours.items()}
        )
        missing, unexpected = self.diffusion_model.load_state_dict(weights, strict=False)
        for what, names in (("missing", missing), ("unexpected", unexpected)):
            if names:
                log.warning("%d %s tensors of the network: %s …", len(names), what, ", ".join(names[:3]))
        return self

    def process_latent_in(self, latent: Tensor) -> Tensor:
        """The latent as the network wants it."""
        scaled: Tensor = self.latent_format.process_in(latent)
        return scaled

    def process_latent_out(self, latent: Tensor) -> Tensor:
        """The latent as the autoencoder wants it."""
        scaled: Tensor = self.latent_format.process_out(latent)
        return scaled

    def state_dict_for_saving(
        self,
        clip_state_dict: dict[str, Tensor] | None = None,
        vae_state_dict: dict[str, Tensor] | None = None,
        clip_vision_state_dict: dict[str, Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """The tensors of a checkpoint in the family's layout."""
        config = self.model_config
        out = config.process_unet_state_dict_for_saving(self.diffusion_model.state_dict())
        if self.model_type == ModelType.V_PREDICTION:
            out["v_pred"] = torch.tensor([])
            if getattr(self.model_sampling, "zsnr", False):
                out["ztsnr"] = torch.tensor([])
        for tensors, process in (
            (clip_state_dict, config.process_clip_state_dict_for_saving),
            (vae_state_dict, config.process_vae_state_dict_for_saving),
            (clip_vision_state_dict, config.process_clip_vision_state_dict_for_saving),
        ):
            if tensors is not None:
                out = {**process(tensors), **out}
        return dict(out)

    def set_inpaint(self) -> None:
        """From now on the network is shown a mask and the picture around it."""
        self.concat_keys = ("mask", "masked_image")

    def scale_latent_inpaint(self, sigma: Tensor, noise: Tensor, latent_image: Tensor, **kwargs: Any) -> Tensor:
        """The picture that is kept, noised to a level."""
        shaped = sigma.reshape([sigma.shape[0]] + [1] * (noise.ndim - 1))
        scaled: Tensor = self.model_sampling.noise_scaling(shaped, noise, latent_image)
        return scaled

    def memory_required(self, input_shape: Any, cond_shapes: Mapping[str, Any] | None = None) -> float:
        """About how many bytes the network needs at work on a batch of this shape.

        What the engine measured for a UNet (engine/sampling/sample.py), grown by `memory_usage_factor` against the
        family's usual.
        """
        shapes = [list(input_shape)]
        for name in self.memory_usage_factor_conds:
            shapes += [list(each) for each in (cond_shapes or {}).get(name, ())]
        cells = sum(shape[0] * _product(shape[2:]) for shape in shapes)
        width = getattr(self.diffusion_model, "model_channels", USUAL_WIDTH)
        dtype = self.manual_cast_dtype or self.get_dtype()
        usual = type(self.model_config).memory_usage_factor or 1.0
        return float(cells * width * ACTIVATIONS * dtype.itemsize) * (self.memory_usage_factor / usual)


def _refuse_unknown(family: str, unet_config: Mapping[str, Any], unet_model: Any) -> None:
    """Raises LatentwireError for a family whose network nobody here can build."""
    if unet_model is UNetModel and ("model_channels" not in unet_config or unet_config.get("use_temporal_attention")):
        raise LatentwireError(
            f"{family}: this program has no network of that family; it runs UNets of Stable Diffusion 1, 2 and XL, or "
            "a plugin's own network handed over as unet_model"
        )


def _cast(value: Any, dtype: torch.dtype) -> Any:
    if isinstance(value, Tensor) and value.is_floating_point():
        return value.to(dtype)
    if isinstance(value, list) and value and all(isinstance(each, Tensor) for each in value):
        return [_cast(each, dtype) for each in value]
    return value


def _product(sizes: Any) -> int:
    result = 1
    for size in sizes:
        result *= int(size)
    return result


class IP2P:
    """A network shown the picture to edit."""

    process_ip2p_image_in: Any = staticmethod(lambda image: image)

    def concat_cond(self, **kwargs: Any) -> Tensor:
        """The picture's latent, or nothing (zeros) without one."""
        noise: Tensor = kwargs["noise"]
        image = kwargs.get("concat_latent_image")
        if image is None:
            return torch.zeros_like(noise)
        scaled: Tensor = self.process_ip2p_image_in(channels.fitted(image, noise))
        return scaled


class SD15_instructpix2pix(IP2P, BaseModel):
    """Stable Diffusion 1 taught to edit."""


class SD21UNCLIP(BaseModel):
    """Stable Diffusion 2.1 guided by a picture."""

    def encode_adm(self, **kwargs: Any) -> Tensor | None:
        return told.vector("unclip", self.adm_channels, kwargs)


class Lotus(BaseModel):
    """Stable Diffusion 2 taught to see depth or normals."""

    def encode_adm(self, **kwargs: Any) -> Tensor | None:
        return told.vector("lotus", 4, kwargs)


def sdxl_pooled(args: Mapping[str, Any], noise_augmentor: Any) -> Tensor:
    """The summary of a text that SDXL reads, or of the pictures in its place."""
    if args.get("unclip_conditioning"):
        return told.vector("unclip", 2 * 1280, args)[:, :1280]
    pooled: Tensor = args["pooled_output"]
    return pooled


class _Sized(BaseModel):
    """SDXL's way to tell a network sizes: each number as waves, after the text's summary."""

    def __init__(self, model_config: Any, model_type: ModelType = ModelType.EPS, **more: Any) -> None:
        super().__init__(model_config, model_type, **more)
        self.embedder = Timestep(256)
        self.noise_augmentor = None

    def _vector(self, numbers: list[float], kwargs: Mapping[str, Any]) -> Tensor:
        pooled = sdxl_pooled(kwargs, self.noise_augmentor)
        waves = torch.cat([self.embedder(torch.tensor([float(number)])) for number in numbers])
        flat = waves.flatten().unsqueeze(0).to(pooled.device)
        return torch.cat([pooled, flat.repeat(pooled.shape[0], 1)], dim=1)


class SDXLRefiner(_Sized):
    """SDXL's refiner."""

    def encode_adm(self, **kwargs: Any) -> Tensor | None:
        bad = kwargs.get("prompt_type") == "negative"
        return self._vector(
            [
                kwargs.get("height", 768),
                kwargs.get("width", 768),
                kwargs.get("crop_h", 0),
                kwargs.get("crop_w", 0),
                kwargs.get("aesthetic_score", 2.5 if bad else 6),
            ],
            kwargs,
        )


class SDXL(_Sized):
    """SDXL."""

    def encode_adm(self, **kwargs: Any) -> Tensor | None:
        height, width = kwargs.get("height", 768), kwargs.get("width", 768)
        return self._vector(
            [
                height,
                width,
                kwargs.get("crop_h", 0),
                kwargs.get("crop_w", 0),
                kwargs.get("target_height", height),
                kwargs.get("target_width", width),
            ],
            kwargs,
        )


class SDXL_instructpix2pix(IP2P, SDXL):
    """SDXL taught to edit; CosXL's edit model scales the picture's latent."""

    def __init__(self, model_config: Any, model_type: ModelType = ModelType.EPS, **more: Any) -> None:
        super().__init__(model_config, model_type, **more)
        if model_type == ModelType.V_PREDICTION_EDM:
            self.process_ip2p_image_in = lambda image: image * 0.13025


class SVD_img2vid(BaseModel):
    """Stable Video Diffusion."""


class SV3D_u(SVD_img2vid):
    """Stable Video 3D."""


class SV3D_p(SVD_img2vid):
    """Stable Video 3D along a path."""


class Stable_Zero123(BaseModel):
    """Stable Zero123."""


class SD_X4Upscaler(BaseModel):
    """Stable Diffusion's upscaler."""


class StableCascade_C(BaseModel):
    """Stable Cascade, stage C."""


class StableCascade_B(BaseModel):
    """Stable Cascade, stage B."""


class SD3(BaseModel):
    """Stable Diffusion 3."""

    def encode_adm(self, **kwargs: Any) -> Tensor | None:
        pooled: Tensor = kwargs["pooled_output"]
        return pooled


class AuraFlow(BaseModel):
    """AuraFlow."""


class StableAudio1(BaseModel):
    """Stable Audio."""


class HunyuanDiT(BaseModel):
    """Hunyuan DiT."""


class PixArt(BaseModel):
    """PixArt."""


class Flux(BaseModel):
    """Flux."""

    def encode_adm(self, **kwargs: Any) -> Tensor | None:
        pooled: Tensor | None = kwargs.get("pooled_output")
        return pooled

    def extra_conds(self, **kwargs: Any) -> dict[str, Any]:
        out = super().extra_conds(**kwargs)
        guidance = kwargs.get("guidance", 3.5)
        if guidance is not None:
            out["guidance"] = comfy.conds.CONDRegular(torch.FloatTensor([guidance]))
        return out


class GenmoMochi(BaseModel):
    """Mochi."""


class LTXV(BaseModel):
    """LTX Video."""


class HunyuanVideo(BaseModel):
    """Hunyuan Video."""


class CosmosVideo(BaseModel):
    """Cosmos."""


class CosmosPredict2(BaseModel):
    """Cosmos Predict 2."""


class Lumina2(BaseModel):
    """Lumina 2."""


class WAN21(BaseModel):
    """Wan 2.1."""


class HiDream(BaseModel):
    """HiDream."""


class Chroma(Flux):
    """Chroma."""


class QwenImage(BaseModel):
    """Qwen-Image."""


class HunyuanImage21(BaseModel):
    """Hunyuan Image 2.1."""


class Omnigen2(BaseModel):
    """OmniGen 2."""


class ACEStep(BaseModel):
    """ACE-Step."""


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
