"""Custom sampling with plugins about: both ways of drawing agree, and plugins' parts go with ours."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from compat import crossing, drawing
from compat.drawing import Drawing
from compat.host import Host
from engine.conditioning import Area
from engine.errors import SamplingError
from engine.graph.builder import Builder
from engine.graph.events import Progress
from engine.sampling.guiders import DualCfg, PerpNeg, away_across
from engine.sampling.hooks import Hooks, Rule
from nodes import samplers, sampling
from nodes.convert import conditions
from nodes.sampling import Course, Drawn, Guidance, Guider, Noise, Sampler
from tests.compat.sampling.conftest import Studio, entry, noise, relative, settings

CLOSE = 1e-5
SHAPE = (2, 4, 8, 8)
LEVELS = torch.tensor([9.0, 4.0, 1.5, 0.0])
EULER = Sampler("euler")


def latent(**options: Any) -> dict[str, Any]:
    return {"samples": noise(*SHAPE), **options}


def course(sampler: Any = EULER, sigmas: Tensor = LEVELS, source: Any = None) -> Course:
    return Course(source or Noise(7), sampler, sigmas)


def guider(studio: Studio, rule: Rule | None = None, cfg: float = 3.0, **hooks: Any) -> Guider:
    third = entry(noise(1, 77, 64, seed=8))
    others = {} if rule is None else {"third": third}
    model = studio.model.with_hooks(Hooks(**hooks))
    return Guider(model, Guidance(studio.positive, studio.negative, cfg, others, rule))


def both(studio: Studio, given: Guider, way: Course, start: dict[str, Any] | None = None) -> tuple[Drawn, Drawn]:
    start = start or latent()
    engine = sampling.Drawing(settings()).draw_guided(given, start, way, studio.run)
    return engine, drawing.guided_as_plugins_know_it(given, start, way, studio.run)


def agree(made: tuple[Drawn, Drawn]) -> bool:
    return all(relative(b["samples"], a["samples"]) < CLOSE for a, b in zip(*made, strict=True))


@pytest.fixture
def comfy(host: Host) -> Any:
    import comfy as package

    return package


# ----------------------------------------------------------------------------------------------------- both ways agree

RULES = {
    "plain": (None, 3.0),
    "scale 1": (None, 1.0),
    "dual": (DualCfg(4.0, 2.0), 4.0),
    "dual, the negative left out": (DualCfg(3.0, 1.0), 3.0),
    "dual, only the first": (DualCfg(1.0, 1.0), 1.0),
    "nested": (DualCfg(4.0, 2.0, is_nested=True), 4.0),
    "nested, the negative left out": (DualCfg(1.0, 1.0, is_nested=True), 1.0),
    "perpendicular": (PerpNeg(5.0, 0.7), 5.0),
}


@pytest.mark.parametrize("name", RULES)
def test_every_kind_of_guider(studio: Studio, name: str) -> None:
    mask = noise(1, 1, 16, 16, seed=4).sigmoid()
    made = both(studio, guider(studio, *RULES[name]), course(), latent(noise_mask=mask, batch_index=[2, 0]))
    assert agree(made)


@pytest.mark.parametrize(
    "name", ["dual", "dual, only the first", "nested", "perpendicular", "nested, the negative left out"]
)
@pytest.mark.parametrize("sampler", ["euler", "euler_cfg_pp"])
def test_guiders_with_hooks_and_samplers_that_read_the_unconditional(studio: Studio, name: str, sampler: str) -> None:
    hooks = {
        "combine": lambda each: each.negative + 2 * (each.positive - each.negative),
        "after": (lambda each, made: made + 0.1 * each.cfg * (each.positive - each.ask(0, x=each.x * 0.9)),),
    }
    assert agree(both(studio, guider(studio, *RULES[name], **hooks), course(Sampler(sampler))))


def test_one_side_alone(studio: Studio) -> None:
    alone = Guider(studio.model, Guidance(studio.positive, [], 1.0))
    assert agree(both(studio, alone, course()))
    assert agree(both(studio, alone, course(Sampler("dpmpp_2m_cfg_pp"))))


def test_perpendicular_guidance_of_a_model(studio: Studio) -> None:
    empty = tuple(conditions(entry(noise(1, 77, 64, seed=8), strength=0.8), "empty"))
    given = guider(studio, combine=away_across(empty, 0.7))
    assert agree(both(studio, given, course()))


SAMPLERS = {
    "euler_ancestral": samplers.sampler_euler_ancestral(eta=0.5, s_noise=0.9),
    "euler_ancestral_cfg_pp": samplers.sampler_euler_ancestral_cfg_pp(eta=0.5, s_noise=1.1),
    "lms": samplers.sampler_lms(order=2),
    "dpmpp_2s_ancestral": samplers.sampler_dpmpp_2s_ancestral(eta=0.5, s_noise=0.9),
    "dpmpp_2m_sde": samplers.sampler_dpmpp_2m_sde(solver_type="heun", eta=0.7, noise_device="cpu"),
    "dpmpp_3m_sde": samplers.sampler_dpmpp_3m_sde(eta=0.7, s_noise=0.9, noise_device="gpu"),
    "dpmpp_sde": samplers.sampler_dpmpp_sde(eta=0.7, r=0.4, noise_device="cpu"),
    "dpm_adaptive": samplers.sampler_dpm_adaptive(order=2, rtol=0.2, atol=0.1, h_init=0.5, eta=0.2),
    "er_sde": samplers.sampler_er_sde(solver_type="ER-SDE", max_stage=2, s_noise=0.9),
    "er_sde reverse": samplers.sampler_er_sde(solver_type="Reverse-time SDE", eta=0.4),
    "er_sde ode": samplers.sampler_er_sde(solver_type="ODE"),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_with_options(studio: Studio, name: str) -> None:
    assert agree(both(studio, guider(studio), course(SAMPLERS[name])))


def test_a_latent_grows_in_both_ways_alike(studio: Studio) -> None:
    way = course(samplers.sampler_lcm_upscale(scale_ratio=1.5, upscale_method="bislerp"))
    made = both(studio, guider(studio), way)
    assert made[0].output["samples"].shape == (2, 4, 12, 12)
    assert agree(made)


def test_sa_solver_with_options(studio: Studio) -> None:
    options = {"eta": 0.6, "sde_start_percent": 0.1, "predictor_order": 2, "corrector_order": 1, "use_pece": True}
    chosen = samplers.sampler_sa_solver(model=studio.model, simple_order_2=True, **options)
    assert agree(both(studio, guider(studio), course(chosen)))


def test_one_level_is_noise_alone_and_no_levels_are_nothing(studio: Studio) -> None:
    assert agree(both(studio, guider(studio), course(sigmas=LEVELS[:1])))
    for made in both(studio, guider(studio), course(sigmas=LEVELS[:0])):
        assert torch.equal(made.output["samples"], latent()["samples"])


def test_a_run_that_stops_early_says_what_is_clean(studio: Studio) -> None:
    made = both(studio, guider(studio), course(sigmas=LEVELS[:3]))
    assert agree(made)
    assert relative(made[0].output["samples"], made[0].denoised_output["samples"]) > 0.05


def test_conditions_of_no_side_are_told_whole(studio: Studio) -> None:
    from compat.sampling.again import cond_of

    seen = SimpleNamespace(image_embeds=noise(1, 8))
    told = {
        "pooled_output": noise(1, 16),
        "strength": 0.8,
        "area": (8, 4, 0, 2),
        "start_percent": 0.1,
        "mask": noise(1, 8, 8),
        "mask_strength": 0.7,
        "set_area_to_bounds": True,
        "end_percent": 0.9,
        "concat_latent_image": noise(1, 4, 8, 8),
        "concat_mask": noise(1, 8, 8),
        "control_apply_to_uncond": True,
        "width": 512,
        "height": 640,
        "crop_w": 8,
        "crop_h": 16,
        "target_width": 256,
        "target_height": 128,
        "aesthetic_score": 5.0,
        "unclip_noise_augment_merge": 0.2,
        "cross_attn_controlnet": noise(1, 77, 64),
        "unclip_conditioning": [{"clip_vision_output": seen, "strength": 0.5, "noise_augmentation": 0.3}],
    }
    (condition,) = conditions(entry(noise(1, 77, 64), **told), "empty")
    made = cond_of(condition)
    assert made.keys() == {*told, "cross_attn"}
    (picture,) = made.pop("unclip_conditioning")
    assert picture["clip_vision_output"].image_embeds is seen.image_embeds
    assert (picture["strength"], picture["noise_augmentation"]) == (0.5, 0.3)
    for name, value in made.items():
        wanted = told.get(name, condition.tokens)
        assert torch.equal(value, wanted) if isinstance(value, Tensor) else value == wanted
    hinted = cond_of(replace(condition, control=(studio.hint(),)))
    assert hinted["control"].previous_controlnet is None
    share = cond_of(replace(condition, area=Area(0.5, 0.5, 0.25, 0.0, is_share=True)))
    assert share["area"] == ("percentage", 0.5, 0.5, 0.25, 0.0)


# ------------------------------------------------------------------------------------------------------ over the border


def test_what_is_ours_enters_as_one_object_and_leaves_as_itself(studio: Studio) -> None:
    for value in (guider(studio), guider(studio, *RULES["dual"]), guider(studio, *RULES["perpendicular"])):
        entered = crossing.enter(value)
        assert crossing.enter(value) is entered
        assert crossing.leave(entered) is value
    for sampler in (EULER, Sampler("uni_pc"), SAMPLERS["er_sde reverse"]):
        assert crossing.leave(crossing.enter(sampler)) is sampler
    for source in (Noise(5), Noise(is_silent=True)):
        assert crossing.leave(crossing.enter(source)) == source


def test_what_a_plugin_changed_goes_on_as_its_own(studio: Studio) -> None:
    changed = crossing.enter(guider(studio))
    changed.set_cfg(9.0)
    assert crossing.leave(changed) is changed
    told = crossing.enter(guider(studio))
    told.original_conds["positive"][0]["strength"] = 0.5
    assert crossing.leave(told) is told
    sampler = crossing.enter(Sampler("euler_ancestral", {"eta": 0.5}))
    sampler.extra_options["eta"] = 0.2
    assert crossing.leave(sampler) is sampler
    source = crossing.enter(Noise(5))
    source.generate_noise = lambda given: torch.zeros_like(given["samples"])
    assert crossing.leave(source).guest is source


def test_samplers_that_a_plugin_took_by_name_are_ours(comfy: Any) -> None:
    by_name = comfy.samplers.sampler_object
    assert [crossing.leave(by_name(name)) for name in ("euler", "ddim", "dpmpp_2m_sde_gpu")] == [
        Sampler("euler"),
        Sampler("ddim"),
        Sampler("dpmpp_2m_sde_gpu"),
    ]
    other = comfy.samplers.KSAMPLER(lambda model, x, sigmas, **more: x)
    optioned = comfy.samplers.ksampler("euler_ancestral", {"eta": 0.1})
    assert crossing.leave(other) is other
    assert crossing.leave(optioned) is optioned


def test_plugins_guiders_samplers_and_noises_draw_in_our_node(studio: Studio, comfy: Any) -> None:
    asked: list[str] = []

    class Twice(comfy.samplers.CFGGuider):
        """Asks with half of the scale."""

        def predict_noise(self, x: Tensor, timestep: Tensor, model_options: Any = None, seed: Any = None) -> Tensor:
            asked.append("guider")
            self.cfg = 3.0
            return super().predict_noise(x, timestep, model_options or {}, seed)

    class Fixed:
        """Noise of a plugin's."""

        seed = 7

        def generate_noise(self, given: dict[str, Any]) -> Tensor:
            asked.append("noise")
            return noise(*given["samples"].shape, seed=7)

    def stepping(model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, **more: Any) -> Tensor:
        asked.append("sampler")
        euler: Tensor = comfy.k_diffusion.sampling.sample_euler(model, x, sigmas, extra_args, more["callback"])
        return euler

    theirs = Twice(crossing.enter(studio.model))
    theirs.set_conds(studio.positive, studio.negative)
    parts = (theirs, Fixed(), comfy.samplers.KSAMPLER(stepping))
    mine, source, sampler = (crossing.leave(each) for each in parts)
    ours = sampling.Drawing(settings()).draw_guided(guider(studio), latent(), course(), studio.run)
    for given, way in (
        (mine, course(sampler, source=source)),
        (guider(studio), course(sampler, source=source)),
        (mine, course()),
        (guider(studio), course(source=source)),
    ):
        made = Drawing().draw_guided(given, latent(), way, studio.run)
        assert relative(made.output["samples"], ours.output["samples"]) < CLOSE
        assert relative(made.denoised_output["samples"], ours.denoised_output["samples"]) < CLOSE
    assert set(asked) == {"guider", "noise", "sampler"}


def test_our_guiders_and_samplers_work_in_a_plugins_hands(studio: Studio, comfy: Any) -> None:
    given = guider(studio, *RULES["dual"])
    theirs = crossing.enter(given)
    assert theirs.model_patcher is crossing.enter(given.model)
    assert {*theirs.original_conds} == {"positive", "middle", "negative"}
    assert theirs.original_conds["middle"][0]["prompt_type"] == "negative"
    source = crossing.enter(Noise(7)).generate_noise(latent())
    drawn = theirs.sample(source, latent()["samples"], crossing.enter(EULER), LEVELS, seed=7)
    ours = sampling.Drawing(settings()).draw_guided(given, latent(), course(), studio.run)
    assert relative(drawn, ours.output["samples"]) < CLOSE


def test_whole_graphs_take_either_way_and_tell_of_their_steps(host: Host, comfy: Any, monkeypatch: Any) -> None:
    made = Builder()
    loaded = made.node("CheckpointLoaderSimple", ckpt_name="tiny.safetensors")
    texts = [made.node("CLIPTextEncode", text=each, clip=loaded.out(1)) for each in ("a red apple", "blurry")]
    sides = {"positive": texts[0], "negative": texts[1], "cfg": 3.0}
    drawn = made.node(
        "SamplerCustomAdvanced",
        noise=made.node("RandomNoise", noise_seed=7),
        guider=made.node("CFGGuider", model=loaded.out(0), **sides),
        sampler=made.node("KSamplerSelect", sampler_name="euler"),
        sigmas=made.node("BasicScheduler", model=loaded.out(0), scheduler="karras", steps=3, denoise=1.0),
        latent_image=made.node("EmptyLatentImage", width=64, height=64, batch_size=1),
    )

    def result() -> tuple[Tensor, list[float]]:
        told: list[Any] = []
        outcome = host.engine.executor.execute(made.prompt(), targets=[drawn.id], emit=told.append).check()
        steps = [each.value for each in told if isinstance(each, Progress) and each.node == drawn.id]
        return outcome.values[drawn.id][0][0]["samples"], steps

    plain, steps = result()
    asked: list[int] = []
    usual = comfy.samplers.sampling_function
    monkeypatch.setattr(comfy.samplers, "sampling_function", lambda *args: asked.append(1) or usual(*args))
    host.engine.executor.forget()
    other, others = result()
    assert len(asked) == 3
    assert relative(other, plain) < CLOSE
    assert steps == others == [1, 2, 3]


def test_functions_that_plugins_replaced_are_asked(studio: Studio, comfy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    usual = comfy.sample.sample_custom

    def replaced(*args: Any, **kwargs: Any) -> Any:
        asked.append("sample_custom")
        return usual(*args, **kwargs)

    guidance = studio.guided()
    plain = Drawing().draw_custom(studio.model, latent(), guidance, course(), studio.run)
    monkeypatch.setattr(comfy.sample, "sample_custom", replaced)
    made = Drawing().draw_custom(studio.model, latent(), guidance, course(), studio.run)
    assert asked == ["sample_custom"]
    assert relative(made.output["samples"], plain.output["samples"]) < CLOSE


def test_a_schedule_of_a_plugins_makes_levels(studio: Studio, comfy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def halves(n: int, sigma_min: float, sigma_max: float) -> Tensor:
        return torch.tensor([8.0 / 2**i for i in range(n)] + [0.0])

    handler = comfy.samplers.SchedulerHandler(halves, use_ms=False)
    monkeypatch.setitem(comfy.samplers.SCHEDULER_HANDLERS, "halves", handler)
    assert Drawing().levels(studio.model, "halves", 3, 1.0).tolist() == [8, 4, 2, 0]
    assert Drawing().levels(studio.model, "halves", 2, 0.5).tolist() == [2, 1, 0]
    usual = sampling.Drawing(settings()).levels(studio.model, "karras", 4, 0.5)
    assert torch.equal(Drawing().levels(studio.model, "karras", 4, 0.5), usual)


def test_what_is_no_sampler_or_guider_at_all_is_refused_in_words(host: Host, studio: Studio) -> None:
    for given, said in (
        (lambda: Drawing().draw_guided(guider(studio), latent(), course("euler"), studio.run), "got str"),
        (lambda: sampling.Drawing(settings()).draw_guided(3, latent(), course(), studio.run), "got int"),  # type: ignore[arg-type]
    ):
        with pytest.raises(SamplingError, match=said):
            given()


def test_nodes_of_comfyui_that_are_ours_are_found_where_plugins_look(host: Host) -> None:
    from comfy_extras.nodes_custom_sampler import KarrasScheduler, SamplerEulerAncestral

    (sigmas,) = KarrasScheduler().execute(steps=4, sigma_max=10.0, sigma_min=0.1, rho=7.0)
    assert sigmas[0] == pytest.approx(10.0)
    (sampler,) = SamplerEulerAncestral().execute(eta=0.3, s_noise=1.0)
    assert sampler.extra_options == {"eta": 0.3, "s_noise": 1.0}
