"""Custom sampling in whole graphs: the parts of a KSampler, each from a node of its own, and what cannot be drawn."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.adapters.hooks import Hook, HookGroup, Weights
from engine.graph.builder import Handle
from engine.graph.events import Preview, Progress
from tests.nodes.bench import STEPS, Bench, Drawing, close

FALLING = torch.tensor([9.0, 4.0, 1.5, 0.0])


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Tiny networks are slower with more, and other work shares the machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Custom(Drawing):
    """The same drawing by custom nodes."""

    def levels(self, **changes: Any) -> Handle:
        inputs = {"model": self.model, "scheduler": "normal", "steps": STEPS, "denoise": 1.0}
        return self.graph.node("BasicScheduler", **{**inputs, **changes})

    def sampler(self, name: str = "euler") -> Handle:
        return self.graph.node("KSamplerSelect", sampler_name=name)

    def guider(self, cfg: float = 3.0) -> Handle:
        sides = {"positive": self.positive, "negative": self.negative}
        return self.graph.node("CFGGuider", model=self.model, cfg=cfg, **sides)

    def custom(self, sampler: Any = None, sigmas: Any = None, **changes: Any) -> Handle:
        inputs = {
            "model": self.model,
            "add_noise": True,
            "noise_seed": 7,
            "cfg": 3.0,
            "positive": self.positive,
            "negative": self.negative,
            "sampler": sampler or self.sampler(),
            "sigmas": sigmas or self.levels(),
            "latent_image": self.latent,
        }
        return self.graph.node("SamplerCustom", **{**inputs, **changes})

    def advanced(self, sampler: Any = None, sigmas: Any = None, **changes: Any) -> Handle:
        inputs = {
            "noise": self.graph.node("RandomNoise", noise_seed=7),
            "guider": self.guider(),
            "sampler": sampler or self.sampler(),
            "sigmas": sigmas or self.levels(),
            "latent_image": self.latent,
        }
        return self.graph.node("SamplerCustomAdvanced", **{**inputs, **changes})


def samples(bench: Bench, drawing: Drawing, *targets: Handle, slot: int = 0) -> list[Tensor]:
    return [bench.value(drawing.graph, each, slot)["samples"] for each in targets]


# ------------------------------------------------------------------------------------------------------- the same thing


@pytest.mark.parametrize(
    ("name", "denoise"), [("euler", 1.0), ("euler_ancestral", 0.5), ("dpmpp_2m_sde", 1.0), ("ddim", 0.6)]
)
def test_all_three_ways_to_ask_draw_the_same_bits(bench: Bench, name: str, denoise: float) -> None:
    drawing = Custom()
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 20:50, 8:40] = 1.0
    latent = {"samples": torch.randn(2, 4, 8, 8), "noise_mask": mask, "batch_index": [3, 1]}
    given = {"latent_image": bench.constant(drawing.graph, latent)}
    wanted = drawing.sampled(sampler_name=name, denoise=denoise, **given)
    way = (drawing.sampler(name), drawing.levels(denoise=denoise))
    plain, custom, advanced = samples(
        bench, drawing, wanted, drawing.custom(*way, **given), drawing.advanced(*way, **given)
    )
    assert torch.equal(custom, plain)
    assert torch.equal(advanced, plain)


def test_parts_of_a_run_one_after_another_are_the_run(bench: Bench) -> None:
    drawing = Custom()
    parts = drawing.graph.node("SplitSigmas", sigmas=drawing.levels(steps=4), step=2)
    first = drawing.advanced(sigmas=parts.out(0))
    rest = drawing.advanced(sigmas=parts.out(1), noise=drawing.graph.node("DisableNoise"), latent_image=first.out(0))
    whole, together = samples(bench, drawing, drawing.advanced(sigmas=drawing.levels(steps=4)), rest)
    assert close(together, whole, 1e-4)
    without = drawing.custom(sigmas=parts.out(1), add_noise=False, latent_image=first.out(0))
    assert torch.equal(*samples(bench, drawing, rest, without))


def test_the_denoised_output_is_the_clean_latent_of_the_last_step(bench: Bench) -> None:
    drawing = Custom()
    # Euler's last step before 0 ends at the clean latent itself.
    whole = drawing.custom()
    assert close(*samples(bench, drawing, whole), samples(bench, drawing, whole, slot=1)[0], 1e-5)
    part = drawing.custom(sigmas=bench.constant(drawing.graph, torch.tensor([9.0, 4.0])))
    (noisy,), (clean,) = samples(bench, drawing, part), samples(bench, drawing, part, slot=1)
    # x₁ = x₀ + (σ₁ − σ₀) · (x₀ − d) / σ₀, and the latents of Stable Diffusion 1 are scaled by 0.18215.
    start = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(7)) * 9.0 / 0.18215
    assert close(noisy, start + (4.0 - 9.0) * (start - clean) / 9.0, 1e-5)


def test_a_basic_guider_is_a_scale_of_one(bench: Bench) -> None:
    drawing = Custom()
    basic = drawing.graph.node("BasicGuider", model=drawing.model, conditioning=drawing.positive)
    assert torch.equal(*samples(bench, drawing, drawing.advanced(guider=basic), drawing.sampled(cfg=1.0)))


def test_self_attention_guidance_without_a_negative_says_what_to_wire(bench: Bench) -> None:
    drawing = Custom()
    model = drawing.graph.node("SelfAttentionGuidance", model=drawing.model, scale=0.5, blur_sigma=2.0)
    basic = drawing.graph.node("BasicGuider", model=model, conditioning=drawing.positive)
    late = drawing.graph.node("ConditioningSetTimestepRange", conditioning=drawing.negative, start=0.5, end=1.0)
    for node in (drawing.advanced(guider=basic), drawing.sampled(model=model, negative=late)):
        message = bench.message(drawing.graph, node)
        assert "SelfAttentionGuidance pushes away from the negative conditioning, but there is none" in message
        assert "CFGGuider in the place of BasicGuider" in message
    guided = samples(bench, drawing, drawing.sampled(model=model, cfg=1.0))[0]
    assert not close(guided, samples(bench, drawing, drawing.sampled(cfg=1.0))[0], 1e-3)


def test_dual_and_perpendicular_guiders_with_two_equal_sides_are_plain_ones(bench: Bench) -> None:
    drawing = Custom()
    common = {"model": drawing.model, "negative": drawing.negative}
    dual = {"cond1": drawing.positive, "cfg_conds": 3.0, "cfg_cond2_negative": 5.0}
    wanted = drawing.sampled()
    for style in ("regular", "nested"):
        # What is wanted twice is pushed away from the negative by the second scale, whatever the first.
        twice = drawing.graph.node("DualCFGGuider", **common, **dual, cond2=drawing.positive, style=style)
        made, five = samples(bench, drawing, drawing.advanced(guider=twice), drawing.sampled(cfg=5.0))
        assert close(made, five, 1e-4)
    perp = drawing.graph.node(
        "PerpNegGuider",
        **common,
        positive=drawing.positive,
        empty_conditioning=drawing.negative,
        cfg=3.0,
        neg_scale=0.7,
    )
    made, plain = samples(bench, drawing, drawing.advanced(guider=perp), wanted)
    assert close(made, plain, 1e-4)


def test_perpendicular_guidance_as_a_node_and_as_a_guider_are_the_same(bench: Bench) -> None:
    drawing = Custom()
    empty = drawing.text("")
    sides = {"positive": drawing.positive, "negative": drawing.negative, "empty_conditioning": empty}
    guider = drawing.graph.node("PerpNegGuider", model=drawing.model, **sides, cfg=3.0, neg_scale=0.7)
    model = drawing.graph.node("PerpNeg", model=drawing.model, empty_conditioning=empty, neg_scale=0.7)
    by_guider, by_model = samples(bench, drawing, drawing.advanced(guider=guider), drawing.sampled(model=model))
    assert close(by_model, by_guider, 1e-5)


LOOKING: dict[str, dict[str, Any]] = {
    "PerturbedAttentionGuidance": {"scale": 3.0},
    "SelfAttentionGuidance": {"scale": 0.5, "blur_sigma": 2.0},
    "CFGNorm": {"strength": 0.9},
    "RenormCFG": {"cfg_trunc": 100.0, "renorm_cfg": 1.0},
    "Epsilon Scaling": {"scaling_factor": 1.05},
    "RescaleCFG": {"multiplier": 0.7},
    "PerpNeg": {"neg_scale": 1.0},
}


@pytest.mark.parametrize("name", LOOKING)
def test_guidance_at_scale_1_is_that_beside_it_with_what_looks_at_the_answers(name: str, bench: Bench) -> None:
    drawing = Custom()
    node, empty = drawing.graph.node, drawing.text("")
    more = {"empty_conditioning": empty} if name == "PerpNeg" else {}
    shared = {"model": node(name, model=drawing.model, **LOOKING[name], **more), "negative": drawing.negative}
    wanted = {"cond1": drawing.positive, "cond2": drawing.text("a green frog")}

    def guiders(cfg: float) -> list[Handle]:
        both = {"cfg_conds": cfg, "cfg_cond2_negative": cfg}
        perp = {"positive": drawing.positive, "empty_conditioning": empty, "cfg": cfg, "neg_scale": 1.0}
        return [
            node("CFGGuider", **shared, positive=drawing.positive, cfg=cfg),
            *(node("DualCFGGuider", **shared, **wanted, **both, style=style) for style in ("regular", "nested")),
            node("PerpNegGuider", **shared, **perp),
        ]

    levels = drawing.levels(steps=2)
    drawn = [[drawing.advanced(guider=each, sigmas=levels) for each in guiders(cfg)] for cfg in (1.0, 1.0 + 1e-6)]
    kinds = ["CFG", "regular", "nested", "PerpNeg"]
    for kind, at, beside in zip(kinds, *(samples(bench, drawing, *each) for each in drawn), strict=True):
        # RenormCFG leaves a scale of 1 alone, at which PerpNegGuider still pushes.
        assert close(at, beside, 1e-3) or (name, kind) == ("RenormCFG", "PerpNeg"), kind


def test_progress_and_previews_are_those_of_a_ksampler(bench: Bench) -> None:
    drawing, told = Custom(), []
    target = drawing.advanced()
    bench.run(drawing.graph, target, emit=told.append, preview_method="latent2rgb").check()
    steps = [(each.value, each.maximum) for each in told if isinstance(each, Progress) and each.node == target.id]
    assert steps == [(1, STEPS), (2, STEPS), (3, STEPS)]
    assert any(isinstance(each, Preview) for each in told)


# -------------------------------------------------------------------------------------------------- samplers and levels

SAMPLERS = {
    "SamplerEulerAncestral": ("euler_ancestral", {"eta": 1.0, "s_noise": 1.0}),
    "SamplerEulerAncestralCFGPP": ("euler_ancestral_cfg_pp", {"eta": 1.0, "s_noise": 1.0}),
    "SamplerLMS": ("lms", {"order": 4}),
    "SamplerDPMPP_2S_Ancestral": ("dpmpp_2s_ancestral", {"eta": 1.0, "s_noise": 1.0}),
    "SamplerDPMPP_2M_SDE": (
        "dpmpp_2m_sde",
        {"solver_type": "midpoint", "eta": 1.0, "s_noise": 1.0, "noise_device": "cpu"},
    ),
    "SamplerDPMPP_3M_SDE": ("dpmpp_3m_sde_gpu", {"eta": 1.0, "s_noise": 1.0, "noise_device": "gpu"}),
    "SamplerDPMPP_SDE": ("dpmpp_sde", {"eta": 1.0, "s_noise": 1.0, "r": 0.5, "noise_device": "cpu"}),
    "SamplerDPMAdaptative": (
        "dpm_adaptive",
        {
            "order": 3,
            "rtol": 0.05,
            "atol": 0.0078,
            "h_init": 0.05,
            "pcoeff": 0.0,
            "icoeff": 1.0,
            "dcoeff": 0.0,
            "accept_safety": 0.81,
            "eta": 0.0,
            "s_noise": 1.0,
        },
    ),
    "SamplerER_SDE": ("er_sde", {"solver_type": "ER-SDE", "max_stage": 3, "eta": 1.0, "s_noise": 1.0}),
    "SamplerSASolver": (
        "sa_solver",
        {
            "eta": 1.0,
            "sde_start_percent": 0.2,
            "sde_end_percent": 0.8,
            "s_noise": 1.0,
            "predictor_order": 3,
            "corrector_order": 4,
            "use_pece": False,
            "simple_order_2": False,
        },
    ),
}
CHANGED = {
    "SamplerLMS": {"order": 1},
    "SamplerDPMPP_2M_SDE": {"solver_type": "heun"},
    "SamplerDPMAdaptative": {"order": 2},
    "SamplerER_SDE": {"solver_type": "ODE"},
    "SamplerSASolver": {"use_pece": True},
}


@pytest.mark.parametrize("node", SAMPLERS)
def test_a_sampler_node_with_its_defaults_is_the_sampler_and_its_options_matter(bench: Bench, node: str) -> None:
    name, options = SAMPLERS[node]
    drawing = Custom()
    sigmas = bench.constant(drawing.graph, FALLING)
    model = {"model": drawing.model} if node == "SamplerSASolver" else {}
    change = CHANGED.get(node, {"eta": 0.3})
    chosen, changed = (drawing.graph.node(node, **model, **{**options, **each}) for each in ({}, change))
    wanted, made, other = samples(
        bench, drawing, *(drawing.custom(each, sigmas) for each in (drawing.sampler(name), chosen, changed))
    )
    assert torch.equal(made, wanted)
    assert not close(other, wanted, 1e-3)


def test_the_sdes_of_er_sde_meet_where_they_should(bench: Bench) -> None:
    drawing = Custom()
    sigmas = bench.constant(drawing.graph, FALLING)

    def drawn(solver_type: str, eta: float) -> Tensor:
        options = {"solver_type": solver_type, "max_stage": 1, "eta": eta, "s_noise": 1.0}
        return samples(bench, drawing, drawing.custom(drawing.graph.node("SamplerER_SDE", **options), sigmas))[0]

    ode, (euler,) = drawn("ODE", 1.0), samples(bench, drawing, drawing.custom(drawing.sampler("euler"), sigmas))
    assert torch.equal(drawn("Reverse-time SDE", 0.0), ode)
    # With one look a step the probability flow is Euler's method.
    assert close(ode, euler, 1e-4)
    assert close(drawn("Reverse-time SDE", 1e-4), ode, 0.05)
    assert not close(drawn("Reverse-time SDE", 1.0), ode, 0.05)


def test_levels_from_nodes_are_the_samplers_own(bench: Bench) -> None:
    drawing = Custom()
    (table,) = bench.run(drawing.graph, drawing.checkpoint).check().values[drawing.checkpoint.id][0]
    beta = drawing.graph.node("BetaSamplingScheduler", model=drawing.model, steps=6, alpha=0.6, beta=0.6)
    assert torch.equal(
        bench.value(drawing.graph, beta), bench.value(drawing.graph, drawing.levels(scheduler="beta", steps=6))
    )
    assert len(bench.value(drawing.graph, drawing.levels(denoise=0.0))) == 0
    karras = drawing.graph.node("KarrasScheduler", steps=6, sigma_max=14.614642, sigma_min=0.0291675, rho=7.0)
    wanted = bench.value(drawing.graph, drawing.levels(scheduler="karras", steps=6))
    torch.testing.assert_close(bench.value(drawing.graph, karras), wanted, rtol=1e-5, atol=1e-6)

    def level(percent: float, actual: bool) -> float:
        inputs = {"model": drawing.model, "sampling_percent": percent, "return_actual_sigma": actual}
        return float(bench.value(drawing.graph, drawing.graph.node("SamplingPercentToSigma", **inputs)))

    sigmas = table.prediction.table
    assert (level(0.0, False), level(1.0, False)) == (999999999.9, 0.0)
    assert (level(0.0, True), level(1.0, True)) == (sigmas.sigma_max, sigmas.sigma_min)
    assert level(0.3, True) == pytest.approx(sigmas.at_percent(0.3))


def test_noise_is_added_by_the_difference_of_the_levels(bench: Bench) -> None:
    drawing = Custom()
    latent = {"samples": torch.randn(1, 4, 8, 8)}
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(5))

    def added(sigmas: Tensor) -> Tensor:
        inputs = {"sigmas": sigmas, "latent_image": latent}
        wired = {name: bench.constant(drawing.graph, value) for name, value in inputs.items()}
        source = drawing.graph.node("RandomNoise", noise_seed=5)
        node = drawing.graph.node("AddNoise", model=drawing.model, noise=source, **wired)
        return samples(bench, drawing, node)[0]

    torch.testing.assert_close(added(torch.tensor([3.0, 2.0, 1.0])), latent["samples"] + 2.0 * noise / 0.18215)
    torch.testing.assert_close(added(torch.tensor([3.0])), latent["samples"] + 3.0 * noise / 0.18215)
    assert torch.equal(added(torch.zeros(0)), latent["samples"])


# ------------------------------------------------------------------------------------------------------------ bad input


def test_no_levels_are_nothing_to_do_and_one_is_noise_alone(bench: Bench) -> None:
    drawing = Custom()
    latent = {"samples": torch.randn(1, 4, 8, 8)}
    given = {"latent_image": bench.constant(drawing.graph, latent)}
    none = drawing.custom(sigmas=bench.constant(drawing.graph, torch.zeros(0)), **given)
    one = drawing.custom(sigmas=bench.constant(drawing.graph, torch.tensor([2.0])), **given)
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(7))
    for slot in (0, 1):
        untouched, noisy = samples(bench, drawing, none, one, slot=slot)
        assert torch.equal(untouched, latent["samples"])
        torch.testing.assert_close(noisy, latent["samples"] + 2.0 * noise / 0.18215, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("sigmas", "said"),
    [
        (torch.ones(2, 3, 4), "sigmas: expected a list of noise levels [steps + 1], got a tensor of shape [2, 3, 4]"),
        (torch.tensor([3.0, math.nan]), "got nan in place 2 of 2"),
        (torch.tensor([math.inf, 1.0]), "got inf in place 1 of 2"),
        (torch.tensor([3.0, -1.0, 0.0]), "got -1.0 in place 2 of 3"),
        ([3.0, 0.0], "got list"),
    ],
)
def test_levels_that_are_none_are_refused(bench: Bench, sigmas: Any, said: str) -> None:
    drawing = Custom()
    wired = bench.constant(drawing.graph, sigmas)
    for target in (drawing.custom(sigmas=wired), drawing.graph.node("FlipSigmas", sigmas=wired)):
        assert said in bench.message(drawing.graph, target)


def test_rising_levels_take_a_sampler_that_can_walk_up(bench: Bench) -> None:
    drawing = Custom()
    rising = bench.constant(drawing.graph, FALLING.flip(0).clamp(min=1e-4))
    message = bench.message(drawing.graph, drawing.custom(drawing.sampler("euler_ancestral"), rising))
    assert "the noise levels rise, from 0.0001 to 1.5 in step 1" in message
    assert "euler_ancestral adds noise on its way down and cannot walk up" in message
    (walked,) = samples(bench, drawing, drawing.custom(drawing.sampler("euler"), rising))
    assert bool(walked.isfinite().all())


def test_options_that_no_step_can_be_made_with_are_refused(bench: Bench) -> None:
    drawing = Custom()
    sigmas = bench.constant(drawing.graph, FALLING)
    adaptive = drawing.graph.node("SamplerDPMAdaptative", **{**SAMPLERS["SamplerDPMAdaptative"][1], "h_init": 0.0})
    assert "would never end" in bench.message(drawing.graph, drawing.custom(adaptive, sigmas))
    at_once = drawing.graph.node("SamplerDPMPP_SDE", **{**SAMPLERS["SamplerDPMPP_SDE"][1], "r": 0.0})
    assert "must be above 0; got 0" in bench.message(drawing.graph, drawing.custom(at_once, sigmas))


def test_a_guider_of_another_family_or_without_texts_is_named(bench: Bench) -> None:
    drawing = Custom()
    other = drawing.graph.node("CheckpointLoaderSimple", ckpt_name="wide.safetensors")
    guider = drawing.graph.node("BasicGuider", model=other.out(0), conditioning=drawing.positive)
    message = bench.message(drawing.graph, drawing.advanced(guider=guider))
    assert "positive: the text has 64 features, this model reads 128" in message
    empty = drawing.graph.node("BasicGuider", model=drawing.model, conditioning=bench.constant(drawing.graph, []))
    assert "conditioning" in bench.message(drawing.graph, drawing.advanced(guider=empty))
    nothing = bench.constant(drawing.graph, None)
    message = bench.message(drawing.graph, drawing.custom(negative=nothing))
    assert "negative: expected a conditioning, a list of [tokens, options], got nothing" in message
    none = bench.constant(drawing.graph, [[None, {}]])
    perp = {"positive": drawing.positive, "negative": drawing.negative, "empty_conditioning": none}
    guider = drawing.graph.node("PerpNegGuider", model=drawing.model, **perp, cfg=3.0, neg_scale=1.0)
    assert "empty_conditioning: expected [tokens, options]" in bench.message(drawing.graph, guider)


def test_perpendicular_guidance_of_a_model_takes_a_plain_text(bench: Bench) -> None:
    drawing = Custom()
    hooked = [[torch.zeros(1, 77, 64), {"hooks": HookGroup((Hook(Weights({}, {}), 1.0, 1.0),))}]]
    empty = bench.constant(drawing.graph, hooked)
    target = drawing.graph.node("PerpNeg", model=drawing.model, empty_conditioning=empty, neg_scale=1.0)
    assert "empty_conditioning: hooks and GLIGEN boxes have no effect in PerpNeg" in bench.message(
        drawing.graph, target
    )


def test_latents_of_other_channels_are_named_unless_they_are_empty(bench: Bench) -> None:
    drawing = Custom()
    for latent, is_fine in ((torch.zeros(1, 16, 8, 8), True), (torch.ones(1, 16, 8, 8), False)):
        target = drawing.advanced(latent_image=bench.constant(drawing.graph, {"samples": latent}))
        if is_fine:
            assert samples(bench, drawing, target)[0].shape == (1, 4, 8, 8)
        else:
            message = bench.message(drawing.graph, target)
            assert "latent_image: the latent has 16 channels, this model works on 4" in message
