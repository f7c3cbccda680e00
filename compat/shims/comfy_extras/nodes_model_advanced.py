"""ComfyUI's nodes that understand a model's answers in another way. Source: node_behaviour.md 7.2 and 8."""

from collections.abc import Callable
from typing import Any

import comfy
from comfy.model_sampling import rescale_zero_terminal_snr_sigmas as rescale_zero_terminal_snr_sigmas
from torch import Tensor

from compat.core_nodes.output import Output
from compat.core_nodes.widgets import number, whole, wires
from compat.foreign import prediction_of, sampling_object
from compat.sampling.engine_hooks import wear
from engine.sampling import readings
from engine.sampling.continuous import DISTILLED_LEVELS, DistilledTable
from engine.sampling.prediction import Prediction, consistency
from engine.sampling.table import SigmaTable
from engine.steering import formulas


class LCM(comfy.model_sampling.EPS):
    """The answers of a latent consistency model. Source: Luo et al. 2023, arXiv 2310.04378, section 4."""

    def calculate_denoised(self, sigma: Tensor, model_output: Tensor, model_input: Tensor) -> Tensor:
        """The clean latent: a mixture of the noise's removal and the latent itself, by the training step."""
        timestep: Any = self.timestep(sigma)  # type: ignore[attr-defined] # of the schedule it is mixed with
        dims = (-1, *[1] * (model_output.ndim - 1))
        kept, removed = consistency(timestep.view(dims))
        denoised: Tensor = removed * super().calculate_denoised(sigma, model_output, model_input) + kept * model_input
        return denoised


class ModelSamplingDiscreteDistilled(comfy.model_sampling.ModelSamplingDiscrete):
    """The noise levels of a distilled model, which knows only some of the training steps."""

    original_timesteps = DISTILLED_LEVELS

    def __init__(self, model_config: Any = None, zsnr: bool | None = None) -> None:
        super().__init__(model_config, zsnr=zsnr)
        known = DistilledTable.of(SigmaTable.from_sigmas(self.sigmas))
        self.skip_steps = known.stride
        self.set_sigmas(known.sigmas)

    def timestep(self, sigma: Tensor) -> Tensor:
        """The training step of the nearest level it knows."""
        return super().timestep(sigma) * self.skip_steps + (self.skip_steps - 1)

    def sigma(self, timestep: Tensor) -> Tensor:
        """The level of a training step, between those it knows in proportion of their logarithms."""
        return super().sigma((timestep.float() - (self.skip_steps - 1)) / self.skip_steps)


def _read(model: Any, reading: Callable[[Prediction], Prediction]) -> Output:
    """A clone whose answers are read in another way."""
    before = prediction_of(model.get_model_object("model_sampling"), None)
    changed = model.clone()
    changed.add_object_patch("model_sampling", sampling_object(reading(before), model.model.model_config))
    return Output(changed)


def _with_sampling(model: Any, *kinds: type, **parameters: Any) -> Output:
    """A clone whose noise levels and answers are of these kinds."""
    made: Any = type("ModelSamplingAdvanced", kinds, {})(model.model.model_config)
    made.set_parameters(**parameters)
    changed = model.clone()
    changed.add_object_patch("model_sampling", made)
    return Output(changed)


class ModelSamplingDiscrete:
    """Says what a model's answers mean."""

    RETURN_TYPES = ("MODEL",)
    FUNCTION = "patch"
    CATEGORY = "advanced/model"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        kinds = (list(readings.DISCRETE),)
        return {"required": {**wires(model="MODEL"), "sampling": kinds, "zsnr": ("BOOLEAN", {"default": False})}}

    def patch(self, model: Any, sampling: str, zsnr: bool) -> Output:
        """The model with its answers understood so; zsnr lets the highest level be noise alone."""
        return _read(model, lambda before: readings.discrete(before, sampling, zsnr))


class ModelSamplingContinuousEDM:
    """Says what the answers of a model mean that was trained at any noise level of a range."""

    RETURN_TYPES = ("MODEL",)
    FUNCTION = "patch"
    CATEGORY = "advanced/model"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        levels = {"sigma_max": _level(120.0), "sigma_min": _level(0.002)}
        return {"required": {**wires(model="MODEL"), "sampling": (list(readings.CONTINUOUS),), **levels}}

    def patch(self, model: Any, sampling: str, sigma_max: float, sigma_min: float) -> Output:
        """The model with its answers understood so."""
        made = _read(model, lambda before: readings.continuous(before, sampling, sigma_max, sigma_min))
        if sampling == readings.PLAYGROUND:
            made[0].add_object_patch("latent_format", comfy.latent_formats.SDXL_Playground_2_5())
        return made


class ModelSamplingContinuousV:
    """The same for models whose time is an angle."""

    RETURN_TYPES = ("MODEL",)
    FUNCTION = "patch"
    CATEGORY = "advanced/model"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        levels = {"sigma_max": _level(500.0), "sigma_min": _level(0.03)}
        return {"required": {**wires(model="MODEL"), "sampling": (["v_prediction"],), **levels}}

    def patch(self, model: Any, sampling: str, sigma_max: float, sigma_min: float) -> Output:
        """The model with its answers understood so."""
        return _read(model, lambda before: readings.continuous_v(before, sigma_max, sigma_min))


def _level(default: float) -> tuple[str, dict[str, Any]]:
    return ("FLOAT", {"default": default, "min": 0.0, "max": 1000.0, "step": 0.001, "round": False})


class ModelSamplingStableCascade:
    """Shifts Stable Cascade's noise levels."""

    RETURN_TYPES = ("MODEL",)
    FUNCTION = "patch"
    CATEGORY = "advanced/model"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": {**wires(model="MODEL"), "shift": number(2.0, 0.0, 100.0)}}

    def patch(self, model: Any, shift: float) -> Output:
        """The model with its levels shifted."""
        theirs = comfy.model_sampling
        return _with_sampling(model, theirs.StableCascadeSampling, theirs.EPS, shift=shift)


class ModelSamplingSD3:
    """Shifts a flow model's noise levels."""

    RETURN_TYPES = ("MODEL",)
    FUNCTION = "patch"
    CATEGORY = "advanced/model"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": {**wires(model="MODEL"), "shift": number(3.0, 0.0, 100.0)}}

    def patch(self, model: Any, shift: float, multiplier: float = 1000) -> Output:
        """The model with its levels shifted."""
        return _read(model, lambda before: readings.flow(before, shift, multiplier))


class ModelSamplingAuraFlow(ModelSamplingSD3):
    """The same for models whose time is the noise level itself."""

    FUNCTION = "patch_aura"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": {**wires(model="MODEL"), "shift": number(1.73, 0.0, 100.0)}}

    def patch_aura(self, model: Any, shift: float) -> Output:
        """The model with its levels shifted."""
        return self.patch(model, shift, multiplier=1.0)


class ModelSamplingFlux:
    """Shifts Flux's noise levels by the size of the picture."""

    RETURN_TYPES = ("MODEL",)
    FUNCTION = "patch"
    CATEGORY = "advanced/model"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        shifts = {"max_shift": number(1.15, 0.0, 100.0), "base_shift": number(0.5, 0.0, 100.0)}
        sides = {name: whole(1024, 16, step=8) for name in ("width", "height")}
        return {"required": {**wires(model="MODEL"), **shifts, **sides}}

    def patch(self, model: Any, max_shift: float, base_shift: float, width: int, height: int) -> Output:
        """base_shift for pictures of 256 tokens, max_shift for 4096, and on a line through both for others."""
        shift = readings.flux_shift(max_shift, base_shift, width, height)
        theirs = comfy.model_sampling
        return _with_sampling(model, theirs.ModelSamplingFlux, theirs.CONST, shift=shift)


class RescaleCFG:
    """Keeps strong guidance from burning colours. Source: Lin et al. 2023, arXiv 2305.08891, section 3.4."""

    RETURN_TYPES = ("MODEL",)
    FUNCTION = "patch"
    CATEGORY = "advanced/model"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": {**wires(model="MODEL"), "multiplier": number(0.7)}}

    def patch(self, model: Any, multiplier: float) -> Output:
        """The model whose guidance is brought to the spread of its positive side, by this share."""
        changed = model.clone()
        wear(changed, formulas.rescaling(multiplier))
        return Output(changed)
