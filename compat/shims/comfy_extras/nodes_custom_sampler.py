"""ComfyUI's nodes that take sampling apart: noise, guider, sampler, levels. Source: node_behaviour.md 7.4 and 7.5."""

from typing import Any

import comfy
import latent_preview
import node_helpers
import torch
from torch import Tensor

from compat.core_nodes import built_in
from compat.core_nodes.output import Output
from compat.core_nodes.widgets import SEED, number, whole, wires
from compat.host import host
from compat.missing import missing
from compat.sampling.ruled import RuledGuider
from engine.sampling import levels
from engine.sampling.guiders import DualCfg

Latent = dict[str, Any]

_CFG = ("FLOAT", {"default": 8.0, "min": 0.0, "max": 100.0, "step": 0.1, "round": 0.01})


# fmt: off
OTHERS = frozenset({
    "AddNoise", "BetaSamplingScheduler", "DualCFGGuider", "ExponentialScheduler", "ExtendIntermediateSigmas",
    "KarrasScheduler", "LaplaceScheduler", "ManualSigmas", "PolyexponentialScheduler", "SDTurboScheduler",
    "SamplerDPMAdaptative", "SamplerDPMPP_2M_SDE", "SamplerDPMPP_2S_Ancestral", "SamplerDPMPP_3M_SDE",
    "SamplerDPMPP_SDE", "SamplerER_SDE", "SamplerEulerAncestral", "SamplerEulerAncestralCFGPP", "SamplerLMS",
    "SamplerSASolver", "SamplingPercentToSigma", "SetFirstSigma", "SplitSigmasDenoise", "VPScheduler",
})
# fmt: on
"""Nodes of this module that are our own ones, in ComfyUI's form."""


def __getattr__(name: str) -> Any:
    if name in OTHERS:
        return built_in.class_of(host().registry[name])
    raise missing(__name__, name)


class Noise_EmptyNoise:
    """No noise at all."""

    def __init__(self) -> None:
        self.seed = 0

    def generate_noise(self, input_latent: Latent) -> Tensor:
        """Zeros of the latent's shape."""
        x = input_latent["samples"]
        return torch.zeros(x.shape, dtype=x.dtype, layout=x.layout, device="cpu")


class Noise_RandomNoise:
    """Noise by a seed, drawn on the CPU."""

    def __init__(self, noise_seed: int) -> None:
        self.seed = noise_seed

    def generate_noise(self, input_latent: Latent) -> Tensor:
        """Noise of the latent's shape; each of a batch by its place."""
        made: Tensor = comfy.sample.prepare_noise(input_latent["samples"], self.seed, input_latent.get("batch_index"))
        return made


class RandomNoise:
    """Noise by a seed."""

    RETURN_TYPES = ("NOISE",)
    FUNCTION = "get_noise"
    CATEGORY = "sampling/custom_sampling/noise"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": {"noise_seed": SEED}}

    @classmethod
    def execute(cls, noise_seed: int) -> Output:
        """The noise."""
        return Output(Noise_RandomNoise(noise_seed))

    get_noise = execute


class DisableNoise:
    """No noise at all."""

    RETURN_TYPES = ("NOISE",)
    FUNCTION = "get_noise"
    CATEGORY = "sampling/custom_sampling/noise"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """It takes nothing."""
        return {"required": {}}

    @classmethod
    def execute(cls) -> Output:
        """The noise that is none."""
        return Output(Noise_EmptyNoise())

    get_noise = execute


class Guider_Basic(comfy.samplers.CFGGuider):  # type: ignore[misc]
    """Guidance by one side alone."""

    def set_conds(self, positive: Any) -> None:
        """What the picture should show."""
        self.inner_set_conds({"positive": positive})


class BasicGuider:
    """Guidance by one side alone."""

    RETURN_TYPES = ("GUIDER",)
    FUNCTION = "get_guider"
    CATEGORY = "sampling/custom_sampling/guiders"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": wires(model="MODEL", conditioning="CONDITIONING")}

    @classmethod
    def execute(cls, model: Any, conditioning: Any) -> Output:
        """The guider."""
        guider = Guider_Basic(model)
        guider.set_conds(conditioning)
        return Output(guider)

    get_guider = execute


class CFGGuider:
    """Guidance by both sides."""

    RETURN_TYPES = ("GUIDER",)
    FUNCTION = "get_guider"
    CATEGORY = "sampling/custom_sampling/guiders"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": {**wires(model="MODEL", positive="CONDITIONING", negative="CONDITIONING"), "cfg": _CFG}}

    @classmethod
    def execute(cls, model: Any, positive: Any, negative: Any, cfg: float) -> Output:
        """The guider."""
        guider = comfy.samplers.CFGGuider(model)
        guider.set_conds(positive, negative)
        guider.set_cfg(cfg)
        return Output(guider)

    get_guider = execute


class Guider_DualCFG(RuledGuider):
    """Guidance by two wanted sides and a negative, one pushed away from the other and that from the negative."""

    NAMES = ("positive", "negative", "middle")

    def set_conds(self, positive: Any, middle: Any, negative: Any) -> None:  # type: ignore[override]
        """The three."""
        middle = node_helpers.conditioning_set_values(middle, {"prompt_type": "negative"})
        self.inner_set_conds({"positive": positive, "middle": middle, "negative": negative})

    def set_cfg(self, cfg1: float, cfg2: float, nested: bool = False) -> None:  # type: ignore[override]
        """How strongly: between the wanted sides, and between the second of them and the negative."""
        self.cfg1, self.cfg2, self.nested = cfg1, cfg2, nested
        self.cfg = cfg1

    def rule(self) -> DualCfg:
        """Both pushes."""
        return DualCfg(self.cfg1, self.cfg2, self.nested)


class KSamplerSelect:
    """A sampler by its name."""

    RETURN_TYPES = ("SAMPLER",)
    FUNCTION = "get_sampler"
    CATEGORY = "sampling/custom_sampling/samplers"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": {"sampler_name": (comfy.samplers.SAMPLER_NAMES,)}}

    @classmethod
    def execute(cls, sampler_name: str) -> Output:
        """The sampler."""
        return Output(comfy.samplers.sampler_object(sampler_name))

    get_sampler = execute


class BasicScheduler:
    """Noise levels by a schedule's name."""

    RETURN_TYPES = ("SIGMAS",)
    FUNCTION = "get_sigmas"
    CATEGORY = "sampling/custom_sampling/schedulers"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        ways = {"scheduler": (comfy.samplers.SCHEDULER_NAMES,), "steps": whole(20, 1, 10000), "denoise": number(1.0)}
        return {"required": {**wires(model="MODEL"), **ways}}

    @classmethod
    def execute(cls, model: Any, scheduler: str, steps: int, denoise: float) -> Output:
        """The last steps + 1 levels of a longer schedule, where denoise is below 1; none where it is 0."""
        if denoise <= 0.0:
            return Output(torch.zeros(0))
        total = int(steps / denoise) if denoise < 1.0 else steps
        table = model.get_model_object("model_sampling")
        return Output(comfy.samplers.calculate_sigmas(table, scheduler, total).cpu()[-(steps + 1) :])

    get_sigmas = execute


class SplitSigmas:
    """Cuts noise levels in two at a step."""

    RETURN_TYPES = ("SIGMAS", "SIGMAS")
    RETURN_NAMES = ("high_sigmas", "low_sigmas")
    FUNCTION = "get_sigmas"
    CATEGORY = "sampling/custom_sampling/sigmas"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": {**wires(sigmas="SIGMAS"), "step": whole(0, 0, 10000)}}

    @classmethod
    def execute(cls, sigmas: Tensor, step: int) -> Output:
        """Both parts; the level of the step is in both."""
        return Output(*levels.split(sigmas, step))

    get_sigmas = execute


class FlipSigmas:
    """Turns noise levels around."""

    RETURN_TYPES = ("SIGMAS",)
    FUNCTION = "get_sigmas"
    CATEGORY = "sampling/custom_sampling/sigmas"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {"required": wires(sigmas="SIGMAS")}

    @classmethod
    def execute(cls, sigmas: Tensor) -> Output:
        """The levels rising, the first above 0."""
        return Output(levels.turned(sigmas))

    get_sigmas = execute


class SamplerCustom:
    """Draws with any sampler along any levels."""

    RETURN_TYPES = ("LATENT", "LATENT")
    RETURN_NAMES = ("output", "denoised_output")
    FUNCTION = "sample"
    CATEGORY = "sampling/custom_sampling"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        noise = {"add_noise": ("BOOLEAN", {"default": True}), "noise_seed": SEED, "cfg": _CFG}
        sides = wires(positive="CONDITIONING", negative="CONDITIONING")
        way = wires(sampler="SAMPLER", sigmas="SIGMAS", latent_image="LATENT")
        return {"required": {**wires(model="MODEL"), **noise, **sides, **way}}

    @classmethod
    def execute(
        cls,
        model: Any,
        add_noise: bool,
        noise_seed: int,
        cfg: float,
        positive: Any,
        negative: Any,
        sampler: Any,
        sigmas: Tensor,
        latent_image: Latent,
    ) -> Output:
        """The latent, and what it would be without its noise."""
        start = comfy.sample.fix_empty_latent_channels(model, latent_image["samples"])
        given = {**latent_image, "samples": start}
        source = Noise_RandomNoise(noise_seed) if add_noise else Noise_EmptyNoise()
        last: dict[str, Tensor] = {}
        samples = comfy.sample.sample_custom(
            model,
            source.generate_noise(given),
            cfg,
            sampler,
            sigmas,
            positive,
            negative,
            start,
            noise_mask=given.get("noise_mask"),
            callback=latent_preview.prepare_callback(model, sigmas.shape[-1] - 1, last),
            disable_pbar=not comfy.utils.PROGRESS_BAR_ENABLED,
            seed=noise_seed,
        )
        return _both(model, given, samples, last)

    sample = execute


class SamplerCustomAdvanced:
    """Draws with any noise and any guider too."""

    RETURN_TYPES = ("LATENT", "LATENT")
    RETURN_NAMES = ("output", "denoised_output")
    FUNCTION = "sample"
    CATEGORY = "sampling/custom_sampling"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {
            "required": wires(noise="NOISE", guider="GUIDER", sampler="SAMPLER", sigmas="SIGMAS", latent_image="LATENT")
        }

    @classmethod
    def execute(cls, noise: Any, guider: Any, sampler: Any, sigmas: Tensor, latent_image: Latent) -> Output:
        """The latent, and what it would be without its noise."""
        start = comfy.sample.fix_empty_latent_channels(guider.model_patcher, latent_image["samples"])
        given = {**latent_image, "samples": start}
        last: dict[str, Tensor] = {}
        samples = guider.sample(
            noise.generate_noise(given),
            start,
            sampler,
            sigmas,
            denoise_mask=given.get("noise_mask"),
            callback=latent_preview.prepare_callback(guider.model_patcher, sigmas.shape[-1] - 1, last),
            disable_pbar=not comfy.utils.PROGRESS_BAR_ENABLED,
            seed=noise.seed,
        )
        samples = samples.to(comfy.model_management.intermediate_device())
        return _both(guider.model_patcher, given, samples, last)

    sample = execute


def _both(model: Any, latent: Latent, samples: Tensor, last: dict[str, Tensor]) -> Output:
    """The latent drawn, and with the last denoised one in its place; the same one where there was no step."""
    drawn = {**latent, "samples": samples}
    if "x0" not in last:
        return Output(drawn, drawn)
    return Output(drawn, {**latent, "samples": model.model.process_latent_out(last["x0"].cpu())})
