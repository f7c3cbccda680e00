"""comfy.samplers.CFGGuider: a model under guidance, from conditions to the latent it draws.

The class that plugins subclass. The order of its methods is their contract: sample → outer_sample → inner_sample → the
sampler → the guider itself, called with a latent → predict_noise.
"""

from collections.abc import Callable
from typing import Any

import comfy
import torch
from torch import Tensor

from compat.sampling.hooking import hooked

Options = dict[str, Any]


class CFGGuider:
    """Classifier-free guidance over a ModelPatcher.

    `original_conds` are as nodes gave them, `conds` as they are while it samples; `inner_model` (the BaseModel) and
    `loaded_models` are there only then.
    """

    inner_model: Any
    loaded_models: list[Any]

    def __init__(self, model_patcher: Any) -> None:
        self.model_patcher = model_patcher
        self.model_options: Options = model_patcher.model_options
        self.original_conds: dict[str, list[dict[str, Any]]] = {}
        self.conds: dict[str, list[dict[str, Any]]] = {}
        self.cfg: float = 1.0

    def set_conds(self, positive: Any, negative: Any) -> None:
        """What the picture should show and what not."""
        self.inner_set_conds({"positive": positive, "negative": negative})

    def set_cfg(self, cfg: float) -> None:
        """How strongly that is meant."""
        self.cfg = cfg

    def inner_set_conds(self, conds: dict[str, Any]) -> None:
        """Conditionings by name; `predict_noise` finds them under it in `conds`."""
        for name, conditioning in conds.items():
            self.original_conds[name] = comfy.sampler_helpers.convert_cond(conditioning)

    def __call__(self, *args: Any, **kwargs: Any) -> Tensor:
        """One look: as predict_noise, with plugins' wrappers around it."""
        denoised: Tensor = self.outer_predict_noise(*args, **kwargs)
        return denoised

    def outer_predict_noise(
        self, x: Tensor, timestep: Tensor, model_options: Options | None = None, seed: int | None = None
    ) -> Tensor:
        """predict_noise with plugins' wrappers around it."""
        options = {} if model_options is None else model_options
        given = (x, timestep, options, seed)
        denoised: Tensor = _wrapped("PREDICT_NOISE", self.predict_noise, self, self.model_options, *given)
        return denoised

    def predict_noise(
        self, x: Tensor, timestep: Tensor, model_options: Options | None = None, seed: int | None = None
    ) -> Tensor:
        """The clean latent, as guidance has it. Shapes: x [B, C, …]; timestep [B], noise levels."""
        options = {} if model_options is None else model_options
        sides = self.conds.get("negative"), self.conds.get("positive")
        looked = comfy.samplers.sampling_function
        denoised: Tensor = looked(self.inner_model, x, timestep, *sides, self.cfg, options, seed)
        return denoised

    def sample(
        self,
        noise: Tensor,
        latent_image: Tensor,
        sampler: Any,
        sigmas: Tensor,
        denoise_mask: Tensor | None = None,
        callback: Callable[..., Any] | None = None,
        disable_pbar: bool = False,
        seed: int | None = None,
    ) -> Tensor:
        """Draws. Returns: the latent as the autoencoder wants it; `latent_image` where there are no levels."""
        if sigmas.shape[-1] == 0:
            return latent_image
        self.conds = {name: [dict(each) for each in conds] for name, conds in self.original_conds.items()}
        kept = self.model_options
        try:
            self.model_options = comfy.model_patcher.create_model_options_clone(kept)
            with hooked(self.model_patcher, self.conds, self.model_options):
                given = (noise, latent_image, sampler, sigmas, denoise_mask, callback, disable_pbar, seed)
                drawn: Tensor = _wrapped("OUTER_SAMPLE", self.outer_sample, self, self.model_options, *given)
                return drawn
        finally:
            self.model_options = kept
            self.conds = {}

    def outer_sample(
        self,
        noise: Tensor,
        latent_image: Tensor,
        sampler: Any,
        sigmas: Tensor,
        denoise_mask: Tensor | None = None,
        callback: Callable[..., Any] | None = None,
        disable_pbar: bool = False,
        seed: int | None = None,
    ) -> Tensor:
        """Draws with the model loaded, and lets go of it afterwards."""
        patcher = self.model_patcher
        helpers = comfy.sampler_helpers
        prepared = helpers.prepare_sampling(patcher, noise.shape, self.conds, self.model_options)
        self.inner_model, self.conds, self.loaded_models = prepared
        device = patcher.load_device
        if denoise_mask is not None:
            denoise_mask = helpers.prepare_mask(denoise_mask, noise.shape, device)
        noise, latent_image, sigmas = (each.to(device) for each in (noise, latent_image, sigmas))
        helpers.cast_to_load_options(self.model_options, device, patcher.model_dtype())
        walk = (sampler, sigmas, denoise_mask, callback, disable_pbar, seed)
        try:
            if hasattr(self.inner_model, "current_patcher"):
                self.inner_model.current_patcher = patcher
            patcher.pre_run()
            with torch.no_grad():
                return self.inner_sample(noise, latent_image, device, *walk)
        finally:
            patcher.cleanup()
            helpers.cleanup_models(self.conds, self.loaded_models)
            del self.inner_model, self.loaded_models

    def inner_sample(
        self,
        noise: Tensor,
        latent_image: Tensor | None,
        device: torch.device,
        sampler: Any,
        sigmas: Tensor,
        denoise_mask: Tensor | None,
        callback: Callable[..., Any] | None,
        disable_pbar: bool,
        seed: int | None,
    ) -> Tensor:
        """Draws with everything on its device."""
        # ComfyUI: an empty latent is no picture, and stays zero even where the family shifts pictures.
        if latent_image is not None and latent_image.count_nonzero() > 0:
            latent_image = self.inner_model.process_latent_in(latent_image)
        made = comfy.samplers.process_conds
        self.conds = made(self.inner_model, noise, self.conds, device, latent_image, denoise_mask, seed)
        options = comfy.model_patcher.create_model_options_clone(self.model_options)
        options.setdefault("transformer_options", {})["sample_sigmas"] = sigmas
        extra_args = {"model_options": options, "seed": seed}
        given = (self, sigmas, extra_args, callback, noise, latent_image, denoise_mask, disable_pbar)
        drawn = _wrapped("SAMPLER_SAMPLE", sampler.sample, sampler, options, *given)
        result: Tensor = self.inner_model.process_latent_out(drawn.to(torch.float32))
        return result


def _wrapped(kind: str, function: Callable[..., Any], owner: object, model_options: Options, *args: Any) -> Any:
    """Calls a method with plugins' wrappers of that kind around it."""
    extension = comfy.patcher_extension
    name = getattr(extension.WrappersMP, kind)
    wrappers = extension.get_all_wrappers(name, model_options, is_model_options=True)
    return extension.WrapperExecutor.new_class_executor(function, owner, wrappers).execute(*args)
