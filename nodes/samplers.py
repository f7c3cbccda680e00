"""Nodes that choose a sampler, with options that KSampler leaves as they are."""

from functools import partial
from typing import Annotated, Literal

from engine.errors import SamplingError
from engine.graph.define import Choices, Widget, node
from engine.images import resize
from engine.sampling.samplers.ddpm import Growth
from engine.sampling.samplers.dpm_solver import StepControl
from engine.sampling.samplers.er_sde import er_sde_5, flow, reverse_time_sde
from engine.sampling.samplers.sa_solver import between
from nodes import ways
from nodes.types import Model, Percent, Sampler, SamplerName

Amount = Annotated[float, Widget(min=0.0, max=100.0, step=0.01, round=False)]
Eta = Annotated[float, Widget(min=0.0, max=100.0, step=0.01, round=False, tooltip="How much noise; 0 adds none.")]
SNoise = Annotated[float, Widget(min=0.0, max=100.0, step=0.01, round=False, tooltip="A factor for that noise.")]
SmallEta = Annotated[float, Widget(min=0.0, max=1.0, step=0.01, round=False, tooltip="How much noise; 0 adds none.")]
SmallSNoise = Annotated[float, Widget(min=0.0, max=10.0, step=0.01, round=False, tooltip="A factor for that noise.")]
AdamsEta = Annotated[float, Widget(min=0.0, max=10.0, step=0.01, round=False, tooltip="How much noise.")]
NoiseDevice = Literal["gpu", "cpu"]
LmsOrder = Annotated[int, Widget(min=1, max=100, tooltip="How many slopes are looked back at.")]
AdaptiveOrder = Annotated[int, Widget(min=2, max=3)]
Stages = Annotated[int, Widget(min=1, max=3)]
PredictorOrder = Annotated[int, Widget(min=1, max=6)]
CorrectorOrder = Annotated[int, Widget(min=0, max=6)]
GrowthRatio = Annotated[float, Widget(min=0.1, max=20.0, step=0.01, tooltip="How many times as long sides get.")]
GrowthSteps = Annotated[int, Widget(min=-1, max=1000, step=1, tooltip="In how many steps; -1 in all but the last.")]
GrowthMethod = Annotated[str, Choices(("bislerp", "nearest-exact", "bilinear", "area", "bicubic"))]


@node("KSamplerSelect", category="sampling/custom_sampling/samplers")
def ksampler_select(*, sampler_name: SamplerName) -> Sampler:
    """Choose a sampler by its name."""
    return ways.Sampler(sampler_name)


@node("SamplerEulerAncestral", category="sampling/custom_sampling/samplers")
def sampler_euler_ancestral(*, eta: Eta = 1.0, s_noise: SNoise = 1.0) -> Sampler:
    """Choose euler_ancestral, and how much noise it adds."""
    return ways.Sampler("euler_ancestral", {"eta": eta, "s_noise": s_noise})


@node("SamplerEulerAncestralCFGPP", category="sampling/custom_sampling/samplers")
def sampler_euler_ancestral_cfg_pp(*, eta: SmallEta = 1.0, s_noise: SmallSNoise = 1.0) -> Sampler:
    """Choose euler_ancestral_cfg_pp, and how much noise it adds."""
    return ways.Sampler("euler_ancestral_cfg_pp", {"eta": eta, "s_noise": s_noise})


@node("SamplerEulerCFGpp", category="_for_testing", is_experimental=True)
def sampler_euler_cfg_pp(*, version: Literal["regular", "alternative"]) -> Sampler:
    """Choose euler_cfg_pp.

    version: of the alternative no published formula is known; it is refused.
    """
    if version == "alternative":
        raise SamplingError(
            "version: no published formula of the 'alternative' one is known, so that it cannot be drawn here; "
            "choose 'regular', which is that of the paper (CFG++, arXiv 2406.08070)"
        )
    return ways.Sampler("euler_cfg_pp")


@node("SamplerLCMUpscale", category="sampling/custom_sampling/samplers")
def sampler_lcm_upscale(
    *, scale_ratio: GrowthRatio = 1.0, scale_steps: GrowthSteps = -1, upscale_method: GrowthMethod
) -> Sampler:
    """Choose lcm, and have the picture grow on the way."""
    return ways.Sampler("lcm", {"growth": Growth(scale_ratio, partial(resize, method=upscale_method), scale_steps)})


@node("SamplerLMS", category="sampling/custom_sampling/samplers")
def sampler_lms(*, order: LmsOrder = 4) -> Sampler:
    """Choose lms, and its order."""
    return ways.Sampler("lms", {"order": order})


@node("SamplerDPMPP_2S_Ancestral", category="sampling/custom_sampling/samplers")
def sampler_dpmpp_2s_ancestral(*, eta: Eta = 1.0, s_noise: SNoise = 1.0) -> Sampler:
    """Choose dpmpp_2s_ancestral, and how much noise it adds."""
    return ways.Sampler("dpmpp_2s_ancestral", {"eta": eta, "s_noise": s_noise})


@node("SamplerDPMPP_2M_SDE", category="sampling/custom_sampling/samplers")
def sampler_dpmpp_2m_sde(
    *, solver_type: Literal["midpoint", "heun"], eta: Eta = 1.0, s_noise: SNoise = 1.0, noise_device: NoiseDevice
) -> Sampler:
    """Choose dpmpp_2m_sde, how it weighs changes, and how much noise it adds.

    noise_device: noise drawn on the CPU is the same on every machine.
    """
    options = {"solver_type": solver_type, "eta": eta, "s_noise": s_noise}
    return ways.Sampler(_on("dpmpp_2m_sde", noise_device), options)


@node("SamplerDPMPP_3M_SDE", category="sampling/custom_sampling/samplers")
def sampler_dpmpp_3m_sde(*, eta: Eta = 1.0, s_noise: SNoise = 1.0, noise_device: NoiseDevice) -> Sampler:
    """Choose dpmpp_3m_sde, and how much noise it adds.

    noise_device: noise drawn on the CPU is the same on every machine.
    """
    return ways.Sampler(_on("dpmpp_3m_sde", noise_device), {"eta": eta, "s_noise": s_noise})


@node("SamplerDPMPP_SDE", category="sampling/custom_sampling/samplers")
def sampler_dpmpp_sde(*, eta: Eta = 1.0, s_noise: SNoise = 1.0, r: Amount = 0.5, noise_device: NoiseDevice) -> Sampler:
    """Choose dpmpp_sde, and how much noise it adds.

    r: where in a step it looks a second time; 0.5 is half-way.
    noise_device: noise drawn on the CPU is the same on every machine.
    """
    return ways.Sampler(_on("dpmpp_sde", noise_device), {"eta": eta, "s_noise": s_noise, "r": r})


@node("SamplerDPMAdaptative", category="sampling/custom_sampling/samplers")
def sampler_dpm_adaptive(
    *,
    order: AdaptiveOrder = 3,
    rtol: Amount = 0.05,
    atol: Amount = 0.0078,
    h_init: Amount = 0.05,
    pcoeff: Amount = 0.0,
    icoeff: Amount = 1.0,
    dcoeff: Amount = 0.0,
    accept_safety: Amount = 0.81,
    eta: Eta = 0.0,
    s_noise: SNoise = 1.0,
) -> Sampler:
    """Choose dpm_adaptive, which makes its steps as long as the error allows, whatever the levels between the ends."""
    control = StepControl(rtol, atol, h_init, pcoeff, icoeff, dcoeff, accept_safety)
    return ways.Sampler("dpm_adaptive", {"order": order, "control": control, "eta": eta, "s_noise": s_noise})


@node("SamplerER_SDE", category="sampling/custom_sampling/samplers")
def sampler_er_sde(
    *,
    solver_type: Literal["ER-SDE", "Reverse-time SDE", "ODE"],
    max_stage: Stages = 3,
    eta: Eta = 1.0,
    s_noise: SNoise = 1.0,
) -> Sampler:
    """Choose er_sde, and which noise it adds.

    eta: how much of the reverse-time SDE's noise; 0 is the ODE. The ER-SDE has its own.
    """
    if solver_type == "ER-SDE":
        return ways.Sampler("er_sde", {"scale": er_sde_5, "max_stage": max_stage, "s_noise": s_noise})
    if solver_type == "ODE" or eta == 0:
        return ways.Sampler("er_sde", {"scale": flow, "max_stage": max_stage, "s_noise": 0.0})
    return ways.Sampler(
        "er_sde", {"scale": partial(reverse_time_sde, eta=eta), "max_stage": max_stage, "s_noise": s_noise}
    )


@node("SamplerSASolver", category="sampling/custom_sampling/samplers")
def sampler_sa_solver(
    *,
    model: Model,
    eta: AdamsEta = 1.0,
    sde_start_percent: Percent = 0.2,
    sde_end_percent: Percent = 0.8,
    s_noise: SNoise = 1.0,
    predictor_order: PredictorOrder = 3,
    corrector_order: CorrectorOrder = 4,
    use_pece: bool,
    simple_order_2: bool,
) -> Sampler:
    """Choose sa_solver, when it adds noise and how much, and its orders; a corrector of order 0 is none."""
    table = model.prediction.table
    options = {
        "tau": between(table.at_percent(sde_end_percent), table.at_percent(sde_start_percent), eta),
        "s_noise": s_noise,
        "orders": (predictor_order, corrector_order),
        "use_pece": use_pece,
        "simple_order_2": simple_order_2,
    }
    return ways.Sampler("sa_solver", options)


def _on(name: str, noise_device: str) -> str:
    return f"{name}_gpu" if noise_device == "gpu" else name
