"""Every place where plugins step into a run, through a real drawing, against the same steps written out by hand."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from compat import crossing
from compat.host import Host
from engine.adapters import lora
from engine.conditioning import Area, Condition
from engine.sampling import noise as noises
from engine.sampling.guidance import Answers, Hooks
from engine.sampling.prediction import Prediction
from nodes.sampling import Walk
from tests.compat.sampling.conftest import Studio, noise, relative

WALK = Walk("euler", "karras", 3, 7)
SHAPE = (1, 4, 8, 8)
CFG = 3.0
CLOSE = 1e-5

Combine = Callable[[Tensor, Tensor, Tensor], Tensor]


def by_hand(studio: Studio, combine: Combine) -> Tensor:
    """Euler's steps on the tiny network; combine(x, with the text, without) gives the clean latent."""
    levels = WALK.levels(studio.model.prediction.table)
    texts = torch.cat([studio.positive[0][0], studio.negative[0][0]])
    x = noises.initial(torch.zeros(SHAPE), WALK.seed) * (1 + levels[0] ** 2).sqrt()
    with studio.model.ready() as network, torch.no_grad():
        for sigma, following in pairwise(levels):
            times = studio.model.prediction.table.timestep(sigma).expand(2)
            shown = torch.cat([x, x]) / (sigma**2 + 1).sqrt()
            wanted, unwanted = (torch.cat([x, x]) - sigma * network(shown, times, texts)).chunk(2)
            x = x + (x - combine(x, wanted, unwanted)) / sigma * (following - sigma)
    return x / 0.18215


def patcher_of(studio: Studio) -> Any:
    return crossing.enter(studio.model).clone()


def drawn(studio: Studio, patcher: Any, latent: Mapping[str, Any] | None = None) -> Tensor:
    """What the KSampler node draws with a model that a plugin changed."""
    model = crossing.leave(patcher)
    return studio.as_comfy({"samples": torch.zeros(SHAPE), **(latent or {})}, studio.guided(CFG), WALK, model)


def usual(x: Tensor, wanted: Tensor, unwanted: Tensor) -> Tensor:
    return unwanted + CFG * (wanted - unwanted)


def test_without_hooks_both_are_the_same(studio: Studio) -> None:
    assert relative(drawn(studio, patcher_of(studio)), by_hand(studio, usual)) < CLOSE


def test_the_guidance_formula(studio: Studio) -> None:
    patcher = patcher_of(studio)
    patcher.set_model_sampler_cfg_function(lambda args: args["cond"] * 2 - args["uncond"])
    made = drawn(studio, patcher)
    assert relative(made, by_hand(studio, lambda x, c, u: x - (2 * (x - c) - (x - u)))) < CLOSE
    of_three = patcher_of(studio)
    of_three.set_model_sampler_cfg_function(lambda cond, uncond, scale: cond * 2 - uncond)
    assert torch.equal(drawn(studio, of_three), made)


def test_after_and_before_guidance(studio: Studio) -> None:
    patcher = patcher_of(studio)
    patcher.set_model_sampler_post_cfg_function(lambda args: args["denoised"] * 0.9 + args["uncond_denoised"] * 0.1)
    patcher.set_model_sampler_post_cfg_function(lambda args: args["denoised"] + args["cond_denoised"] * 0.1)
    patcher.set_model_sampler_pre_cfg_function(lambda args: [args["conds_out"][0] + 0.1, args["conds_out"][1]])

    def formula(x: Tensor, wanted: Tensor, unwanted: Tensor) -> Tensor:
        wanted = wanted + 0.1
        return usual(x, wanted, unwanted) * 0.9 + unwanted * 0.1 + wanted * 0.1

    assert relative(drawn(studio, patcher), by_hand(studio, formula)) < CLOSE


def test_around_the_network_and_in_the_place_of_the_batch_evaluation(studio: Studio) -> None:
    asked = []

    def wrapper(apply_model: Any, args: Mapping[str, Any]) -> Tensor:
        asked.append((tuple(args["input"].shape), tuple(args["timestep"].shape), args["cond_or_uncond"]))
        return apply_model(args["input"], args["timestep"], **args["c"]) * 0.5

    patcher = patcher_of(studio)
    patcher.set_model_unet_function_wrapper(wrapper)
    assert relative(drawn(studio, patcher), by_hand(studio, lambda x, c, u: usual(x, c * 0.5, u * 0.5))) < CLOSE
    assert asked == [((2, 4, 8, 8), (2,), [0, 1])] * 3

    import comfy.samplers

    def swapped(args: Mapping[str, Any]) -> list[Tensor]:
        conds = args["conds"][::-1]
        return comfy.samplers.calc_cond_batch(args["model"], conds, args["input"], args["sigma"], args["model_options"])

    other = patcher_of(studio)
    other.model_options["sampler_calc_cond_batch_function"] = swapped
    assert relative(drawn(studio, other), by_hand(studio, lambda x, c, u: usual(x, u, c))) < CLOSE


def test_the_mask_of_each_step(studio: Studio) -> None:
    told = []

    def mask_at(sigma: Tensor, mask: Tensor, extra_options: Mapping[str, Any]) -> Tensor:
        told.append((tuple(sigma.shape), set(extra_options), len(extra_options["sigmas"])))
        return (mask > 0.7).float()

    latent = {"samples": noise(*SHAPE), "noise_mask": noise(1, 1, 8, 8, seed=4).sigmoid()}
    patcher = patcher_of(studio)
    patcher.set_model_denoise_mask_function(mask_at)
    made = drawn(studio, patcher, latent)
    assert told == [((1,), {"model", "sigmas"}, 4)] * 3
    hooks = Hooks(redraw_mask=lambda level, mask: (mask > 0.7).float())
    studio.model = replace(studio.model, hooks=hooks)
    assert relative(made, studio.by_engine(latent, studio.guided(CFG), WALK)) < CLOSE


PATCHES: dict[str, Callable[..., Any]] = {
    "attn1_patch": lambda n, context, value, extra: (n * 0.9, context, value),
    "attn2_patch": lambda n, context, value, extra: (n, context * 0.5, value * 0.5),
    "attn1_output_patch": lambda n, extra: n * 0.9,
    "attn2_output_patch": lambda n, extra: n * 0.9,
    "middle_patch": lambda x, extra: x * 0.9,
    "input_block_patch": lambda h, options: h * 0.9,
    "input_block_patch_after_skip": lambda h, options: h * 0.9,
    "output_block_patch": lambda h, skip, options: (h * 0.9, skip),
    "emb_patch": lambda emb, channels, options: emb * 0.9,
}
TENSORS = {"attn1_patch": 3, "attn2_patch": 3, "output_block_patch": 2}


@pytest.mark.parametrize("name", PATCHES)
def test_patches_of_the_network(studio: Studio, name: str) -> None:
    told: list[Mapping[str, Any]] = []

    def patch(*args: Any) -> Any:
        assert all(isinstance(each, Tensor) and len(each) == 2 for each in args[: TENSORS.get(name, 1)])
        told.append(args[-1])
        return PATCHES[name](*args)

    patcher = patcher_of(studio)
    patcher.set_model_patch(patch, name)
    made = drawn(studio, patcher)
    studio.model = replace(studio.model, hooks=Hooks(patches={"patches": {name: [PATCHES[name]]}}))
    by_engine = studio.by_engine({"samples": torch.zeros(SHAPE)}, studio.guided(CFG), WALK)
    assert relative(made, by_engine) < CLOSE
    assert relative(made, by_hand(studio, usual)) > 1e-3
    options = told[0]
    assert options["cond_or_uncond"] == [0, 1]
    assert options["sigmas"].shape == (1,)
    torch.testing.assert_close(options["sample_sigmas"], WALK.levels(studio.model.prediction.table))
    assert len(options["uuids"]) == 2
    assert list(options["original_shape"]) == [2, 4, 8, 8]


@pytest.mark.parametrize("name", ["attn1", "attn2"])
def test_attention_itself_can_be_replaced_at_a_place(studio: Studio, name: str) -> None:
    told = []

    def silent(q: Tensor, k: Tensor, v: Tensor, extra: Mapping[str, Any]) -> Tensor:
        told.append((extra["block"], extra["n_heads"] * extra["dim_head"] == q.shape[-1], "patches" in extra))
        return torch.zeros_like(q)

    patcher = patcher_of(studio)
    getattr(patcher, f"set_model_{name}_replace")(silent, "input", 1)
    made = drawn(studio, patcher)
    assert told == [(("input", 1), True, False)] * 3
    hooks = Hooks(patches={"patches_replace": {name: {("input", 1): lambda q, k, v, extra: torch.zeros_like(q)}}})
    studio.model = replace(studio.model, hooks=hooks)
    by_engine = studio.by_engine({"samples": torch.zeros(SHAPE)}, studio.guided(CFG), WALK)
    assert relative(made, by_engine) < CLOSE


def test_wrappers_of_every_kind_are_gone_through_in_order(studio: Studio) -> None:
    import comfy.patcher_extension as extension

    heard: list[tuple[str, str, int]] = []

    def noting(kind: str) -> Callable[..., Any]:
        def wrapper(executor: Any, *args: Any, **options: Any) -> Any:
            heard.append((kind, type(executor.class_obj).__name__, len(args)))
            return executor(*args, **options)

        return wrapper

    kinds = extension.WrappersMP
    names = (
        *("OUTER_SAMPLE", "PREPARE_SAMPLING", "SAMPLER_SAMPLE", "PREDICT_NOISE"),
        *("CALC_COND_BATCH", "APPLY_MODEL", "DIFFUSION_MODEL"),
    )
    patcher = patcher_of(studio)
    for name in names:
        patcher.add_wrapper_with_key(getattr(kinds, name), "mine", noting(name))
    assert relative(drawn(studio, patcher), by_hand(studio, usual)) < CLOSE
    first = dict.fromkeys(kind for kind, _, _ in heard)
    assert list(first) == list(names)
    owners = {kind: (owner, count) for kind, owner, count in heard}
    assert owners["OUTER_SAMPLE"] == ("CFGGuider", 8)
    assert owners["PREPARE_SAMPLING"] == ("NoneType", 4)
    assert owners["SAMPLER_SAMPLE"] == ("KSAMPLER", 8)
    assert owners["PREDICT_NOISE"] == ("CFGGuider", 4)
    assert owners["CALC_COND_BATCH"] == ("NoneType", 5)
    assert owners["DIFFUSION_MODEL"][0] == "UNetModel"
    assert [kind for kind, _, _ in heard].count("PREDICT_NOISE") == 3


def test_wrappers_may_change_what_goes_through(studio: Studio) -> None:
    import comfy.patcher_extension as extension

    def halved(executor: Any, *args: Any) -> Tensor:
        return executor(*args) * 0.5

    patcher = patcher_of(studio)
    patcher.add_wrapper(extension.WrappersMP.PREDICT_NOISE, halved)
    assert relative(drawn(studio, patcher), by_hand(studio, lambda x, c, u: usual(x, c, u) * 0.5)) < CLOSE


def test_callbacks_hear_of_the_run(studio: Studio) -> None:
    import comfy.patcher_extension as extension

    heard: list[str] = []
    kinds = extension.CallbacksMP
    patcher = patcher_of(studio)
    for kind in (kinds.ON_PRE_RUN, kinds.ON_PREPARE_STATE, kinds.ON_CLEANUP):
        patcher.add_callback(kind, lambda *args, kind=kind: heard.append(kind))
    drawn(studio, patcher)
    assert heard == [kinds.ON_PRE_RUN, *[kinds.ON_PREPARE_STATE] * 3, kinds.ON_CLEANUP]


def test_a_sampling_object_of_a_plugins_own(studio: Studio) -> None:
    import comfy.model_sampling as ms

    class Own(ms.ModelSamplingDiscrete, ms.V_PREDICTION):
        pass

    patcher = patcher_of(studio)
    patcher.add_object_patch("model_sampling", Own(patcher.model.model_config))
    made = drawn(studio, patcher)
    studio.model = studio.model.with_prediction(Prediction("v", studio.model.prediction.table))
    assert relative(made, studio.by_engine({"samples": torch.zeros(SHAPE)}, studio.guided(CFG), WALK)) < CLOSE


def test_a_lora_by_hook_holds_for_the_conditions_it_is_on(studio: Studio, host: Host) -> None:
    import comfy.hooks
    import comfy.utils

    path = host.folders.path("loras", "tiny.safetensors")
    group = comfy.hooks.create_hook_lora(comfy.utils.load_torch_file(str(path)), 0.7, 0.0)
    hooked = [comfy.hooks.set_hooks_for_conditioning(side, group) for side in (studio.positive, studio.negative)]
    empty = {"samples": torch.zeros(SHAPE)}
    plain = studio.by_engine(empty, studio.guided(CFG), WALK)
    made = studio.as_comfy(empty, studio.guided(CFG, *hooked), WALK)
    worn = lora.apply(studio.model, None, host.loader.lora(path), 0.7, 0.0)[0]
    before, studio.model = studio.model, worn
    assert relative(made, studio.by_engine(empty, studio.guided(CFG), WALK)) < 1e-4
    studio.model = before
    one = studio.as_comfy(empty, studio.guided(CFG, hooked[0], studio.negative), WALK)
    assert relative(one, made) > 1e-4
    assert relative(one, plain) > 1e-4
    assert relative(studio.as_comfy(empty, studio.guided(CFG), WALK), plain) < CLOSE


ANSWERS_HALVED = Hooks(before=(lambda each: replace(each, positive=each.positive * 0.5),))
QUIET_MIDDLE = {"patches": {"middle_patch": [lambda x, extra: x * (0.5 if extra["cond_or_uncond"][0] == 0 else 0)]}}
OTHERS = (Condition(noise(1, 77, 64, seed=8), strength=0.7), Condition(noise(1, 77, 64), area=Area(8, 6, 0, 6)))
OUR_HOOKS = {
    "combine": Hooks(combine=lambda each: each.negative + 2 * (each.positive - each.negative)),
    "before": ANSWERS_HALVED,
    "after": Hooks(after=(lambda each, guided: guided * 0.9 + each.negative * 0.1,)),
    "around": Hooks(around=lambda network, given, signs: network(**given) * (1 + 0.1 * sum(signs))),
    "redraw_mask": Hooks(redraw_mask=lambda level, mask: (mask > 0.5).float()),
    "patches": Hooks(patches={"patches": {"middle_patch": [lambda x, extra: x * 0.9]}}),
    "always_both": replace(ANSWERS_HALVED, always_both=True),
    "asked again": Hooks(
        after=(lambda each, guided: guided + 0.5 * (each.positive - each.ask(0, patches=QUIET_MIDDLE)),),
        patches={"patches": {"middle_patch": [lambda x, extra: x * 0.9]}},
    ),
    "asked about another latent and level": Hooks(
        before=(lambda each: replace(each, positive=each.ask(0, x=each.x * 0.9, sigma=each.sigma * 0.8)),),
        after=(lambda each, guided: guided - 0.3 * each.ask(1, x=each.x + each.positive),),
        always_both=True,
    ),
    "asked about others": Hooks(combine=lambda each: each.positive - 0.5 * each.ask(OTHERS)),
}


@pytest.mark.parametrize("name", OUR_HOOKS)
@pytest.mark.parametrize("cfg", [1.0, 3.0])
def test_what_our_own_nodes_put_into_guidance_is_kept(studio: Studio, name: str, cfg: float) -> None:
    latent = {"samples": noise(*SHAPE), "noise_mask": noise(1, 1, 8, 8, seed=4).sigmoid()}
    studio.model = replace(studio.model, hooks=OUR_HOOKS[name])
    by_engine = studio.by_engine(latent, studio.guided(cfg), WALK)
    assert relative(studio.as_comfy(latent, studio.guided(cfg), WALK), by_engine) < CLOSE
    # And when a plugin has had the model in its hands first.
    changed = crossing.enter(replace(studio.model, hooks=Hooks())).clone()
    changed.set_model_sampler_post_cfg_function(lambda args: args["denoised"])
    model = replace(crossing.leave(changed), hooks=OUR_HOOKS[name])
    assert relative(studio.as_comfy(latent, studio.guided(cfg), WALK, model), by_engine) < CLOSE


def test_our_hooks_are_told_of_a_run_and_of_its_end_when_it_fails(studio: Studio) -> None:
    told: list[str] = []

    def fails(answers: Answers, guided: Tensor) -> Tensor:
        raise ArithmeticError

    hooks = Hooks(starts=(lambda: told.append("starts"),), ends=(lambda: told.append("ends"),))
    studio.model = replace(studio.model, hooks=hooks)
    latent = {"samples": torch.zeros(SHAPE)}
    studio.as_comfy(latent, studio.guided(CFG), WALK)
    assert told == ["starts", "ends"]
    studio.model = replace(studio.model, hooks=hooks.joined(Hooks(after=(fails,))))
    with pytest.raises(ArithmeticError):
        studio.as_comfy(latent, studio.guided(CFG), WALK)
    assert told == ["starts", "ends", "starts", "ends"]
