"""comfy.samplers, comfy.sample and comfy.sampler_helpers as plugins use them: values, subclasses, helpers."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from compat import crossing
from compat.host import Host
from engine.sampling import noise as noises
from engine.sampling.schedules import SCHEDULERS, sigmas
from nodes.sampling import Walk
from tests.compat.sampling.conftest import Studio, _one_thread, noise, relative, studio  # noqa: F401 -- fixtures

SHAPE = (1, 4, 8, 8)
WALK = Walk("euler", "karras", 3, 7)


@pytest.fixture
def patcher(studio: Studio) -> Any:  # noqa: F811
    return crossing.enter(studio.model)


def start(seed: int = 7) -> Tensor:
    return noises.initial(torch.zeros(SHAPE), seed)


def engine_latent(studio: Studio, cfg: float = 3.0, **changes: Any) -> Tensor:  # noqa: F811
    from dataclasses import replace

    return studio.by_engine({"samples": torch.zeros(SHAPE)}, studio.guided(cfg), replace(WALK, **changes))


def test_ksampler_knows_its_levels(patcher: Any, studio: Studio) -> None:  # noqa: F811
    import comfy.samplers

    table = studio.model.prediction.table
    for sampler, schedule, steps, denoise in (
        ("euler", "normal", 4, None),
        ("dpm_2", "karras", 4, 1.0),
        ("uni_pc", "simple", 5, 0.5),
        ("euler", "beta", 5, 0.99995),
    ):
        made = comfy.samplers.KSampler(patcher, steps, torch.device("cpu"), sampler, schedule, denoise)
        wanted = sigmas(schedule, table, steps, 1.0 if denoise is None else denoise, sampler)
        torch.testing.assert_close(made.sigmas, wanted, rtol=1e-6, atol=1e-7)
    assert made.sigmas.flip(0)[0] == 0
    assert len(comfy.samplers.KSampler(patcher, 4, torch.device("cpu"), denoise=0.0).sigmas) == 0
    unknown = comfy.samplers.KSampler(patcher, 4, torch.device("cpu"), "of_tomorrow", "of_tomorrow")
    assert (unknown.sampler, unknown.scheduler) == ("euler", "simple")
    assert (unknown.model, unknown.steps, unknown.denoise) == (patcher, 4, None)


def test_samplers_that_leave_one_level_out_are_a_set_that_plugins_write(
    patcher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import comfy.samplers

    made = comfy.samplers.KSampler
    before = made(patcher, 4, torch.device("cpu"), "heun", "normal").sigmas
    monkeypatch.setattr(made, "DISCARD_PENULTIMATE_SIGMA_SAMPLERS", {"heun"})
    after = made(patcher, 4, torch.device("cpu"), "heun", "normal").sigmas
    assert len(before) == len(after) == 5
    assert not torch.equal(before, after)


def test_ksampler_draws_parts_of_a_run(patcher: Any, studio: Studio) -> None:  # noqa: F811
    import comfy.samplers

    made = comfy.samplers.KSampler(
        patcher, 3, torch.device("cpu"), "euler", "karras", model_options=patcher.model_options
    )
    given = {"positive": studio.positive, "negative": studio.negative, "cfg": 3.0, "seed": 7}
    first = made.sample(start(), **given, last_step=2)
    second = made.sample(torch.zeros(SHAPE), **given, latent_image=first, start_step=2, force_full_denoise=True)
    assert relative(second, engine_latent(studio)) < 1e-5
    assert torch.equal(made.sample(start(), **given, latent_image=first, start_step=3), first)
    heard: list[tuple[int, int]] = []
    made.sample(start(), **given, callback=lambda step, x0, x, steps: heard.append((step, steps)))
    assert heard == [(0, 3), (1, 3), (2, 3)]


@pytest.mark.parametrize("schedule", SCHEDULERS)
def test_schedules_by_name(patcher: Any, studio: Studio, schedule: str) -> None:  # noqa: F811
    import comfy.samplers

    made = comfy.samplers.calculate_sigmas(patcher.get_model_object("model_sampling"), schedule, 6)
    torch.testing.assert_close(made, sigmas(schedule, studio.model.prediction.table, 6), rtol=1e-6, atol=1e-7)


def test_an_unknown_schedule_is_named(patcher: Any) -> None:
    import comfy.samplers

    with pytest.raises(ValueError, match="of_tomorrow"):
        comfy.samplers.calculate_sigmas(patcher.get_model_object("model_sampling"), "of_tomorrow", 6)


def test_a_function_of_a_plugin_becomes_a_sampler(patcher: Any, studio: Studio) -> None:  # noqa: F811
    import comfy.sample
    import comfy.samplers

    seen: dict[str, Any] = {}

    def euler(model: Any, x: Tensor, sigmas: Tensor, extra_args: Any, callback: Any, disable: Any, power: float) -> Any:
        seen.update(model=model, extra_args=extra_args, power=power, first=x)
        for i in range(len(sigmas) - 1):
            denoised = model(x, sigmas[i] * x.new_ones(len(x)), **extra_args)
            callback({"x": x, "i": i, "sigma": sigmas[i], "sigma_hat": sigmas[i], "denoised": denoised})
            x = x + (x - denoised) / sigmas[i] * (sigmas[i + 1] - sigmas[i])
        return x

    levels = WALK.levels(studio.model.prediction.table)
    sampler = comfy.samplers.KSAMPLER(euler, {"power": 2.0})
    given = (patcher, start(), 3.0, sampler, levels, studio.positive, studio.negative, torch.zeros(SHAPE))
    made = comfy.sample.sample_custom(*given, seed=7)
    assert relative(made, engine_latent(studio)) < 1e-5
    assert seen["power"] == sampler.extra_options["power"] == 2.0
    assert seen["extra_args"].keys() == {"model_options", "seed", "denoise_mask"}
    model = seen["model"]
    assert isinstance(model.inner_model, comfy.samplers.CFGGuider)
    assert torch.equal(model.noise, start())
    assert torch.equal(model.sigmas, levels)
    assert model.latent_image.count_nonzero() == 0
    torch.testing.assert_close(seen["first"], start() * (1 + levels[0] ** 2).sqrt())


def test_named_samplers_take_options(patcher: Any, studio: Studio) -> None:  # noqa: F811
    import comfy.sample
    import comfy.samplers

    levels = WALK.levels(studio.model.prediction.table)
    given = (studio.positive, studio.negative, torch.zeros(SHAPE))
    still = comfy.samplers.ksampler("euler_ancestral", {"eta": 0.0})
    made = comfy.sample.sample_custom(patcher, start(), 3.0, still, levels, *given, seed=7)
    assert relative(made, engine_latent(studio)) < 1e-5
    assert comfy.samplers.sampler_object("ddim").inpaint_options == {"random": True}
    assert comfy.samplers.k_diffusion_sampling is comfy.k_diffusion.sampling
    with pytest.raises(AttributeError, match="sample_of_tomorrow"):
        comfy.samplers.sampler_object("of_tomorrow")


def test_guiders_of_plugins_predict_in_their_own_way(patcher: Any, studio: Studio) -> None:  # noqa: F811
    import comfy.samplers

    class Perpendicular(comfy.samplers.CFGGuider):
        """Three texts: it pushes from the mean of two."""

        def __init__(self, model_patcher: Any) -> None:
            super().__init__(model_patcher)
            self.seen: list[tuple[Any, ...]] = []

        def set_conds(self, positive: Any, negative: Any, empty: Any) -> None:
            self.inner_set_conds({"positive": positive, "negative": negative, "empty": empty})

        def set_cfg(self, cfg: float) -> None:
            self.cfg = cfg * 2

        def predict_noise(self, x: Tensor, timestep: Tensor, model_options: Any = {}, seed: Any = None) -> Tensor:  # noqa: B006
            self.seen.append((x.shape, timestep.shape, seed, self.inner_model is self.model_patcher.model))
            conds = [self.conds.get(name) for name in ("positive", "negative", "empty")]
            a, b, c = comfy.samplers.calc_cond_batch(self.inner_model, conds, x, timestep, model_options)
            away = (b + c) / 2
            return comfy.samplers.cfg_function(self.inner_model, a, away, self.cfg, x, timestep, model_options)

    guider = Perpendicular(patcher)
    assert guider.model_options is patcher.model_options
    assert guider.cfg == 1.0
    guider.set_conds(studio.positive, studio.negative, studio.negative)
    guider.set_cfg(1.5)
    levels = WALK.levels(studio.model.prediction.table)
    sampler = comfy.samplers.sampler_object("euler")
    made = guider.sample(start(), torch.zeros(SHAPE), sampler, levels, seed=7)
    # The two texts to get away from are one.
    assert relative(made, engine_latent(studio)) < 1e-5
    assert guider.seen == [(torch.Size(SHAPE), torch.Size((1,)), 7, True)] * 3
    assert not hasattr(guider, "inner_model")
    assert guider.original_conds.keys() == {"positive", "negative", "empty"}
    assert torch.equal(guider.sample(start(), start(), sampler, torch.tensor([])), start())


def test_drawing_as_one_function(patcher: Any, studio: Studio) -> None:  # noqa: F811
    import comfy.sample
    import comfy.samplers

    levels = WALK.levels(studio.model.prediction.table)
    sides = (studio.positive, studio.negative)
    made = comfy.samplers.sample(
        patcher, start(), *sides, 3.0, torch.device("cpu"), comfy.samplers.sampler_object("euler"), levels, seed=7,
        latent_image=torch.zeros(SHAPE),
    )  # fmt: skip
    assert relative(made, engine_latent(studio)) < 1e-5
    other = comfy.sample.sample(
        patcher, start(), 3, 3.0, "euler", "karras", *sides, torch.zeros(SHAPE), denoise=0.5, seed=7
    )
    assert relative(other, engine_latent(studio, denoise=0.5)) < 1e-5
    assert other.device == torch.device("cpu")


def test_the_first_noise_is_that_of_every_program(host: Host) -> None:
    import comfy.sample

    latent = torch.zeros(3, 4, 8, 8)
    assert torch.equal(comfy.sample.prepare_noise(latent, 42), noises.initial(latent, 42))
    picked = comfy.sample.prepare_noise(latent, 42, [2, 0, 2])
    assert torch.equal(picked, noises.initial(latent, 42, [2, 0, 2]))
    assert torch.equal(picked[0], picked[2])
    # Samplers of plugins draw from torch's own generator, and still give the same picture for the same seed.
    comfy.sample.prepare_noise(latent, 42)
    once = torch.randn(2)
    comfy.sample.prepare_noise(latent, 42)
    assert torch.equal(torch.randn(2), once)
    assert comfy.sample.prepare_noise(latent, 2**64 - 1).shape == latent.shape


def test_empty_latents_get_the_channels_of_the_model(patcher: Any) -> None:
    import comfy.sample

    assert comfy.sample.fix_empty_latent_channels(patcher, torch.zeros(1, 16, 8, 8)).shape == (1, 4, 8, 8)
    full = torch.ones(1, 16, 8, 8)
    assert comfy.sample.fix_empty_latent_channels(patcher, full) is full


def test_conditionings_become_dictionaries(host: Host) -> None:
    import comfy.sampler_helpers

    tokens = torch.ones(1, 77, 8)
    given = [[tokens, {"pooled_output": 1, "strength": 2.0}], [None, {}]]
    first, second = comfy.sampler_helpers.convert_cond(given)
    assert first["cross_attn"] is tokens
    assert (first["pooled_output"], first["strength"], first["model_conds"]) == (1, 2.0, {})
    assert first["uuid"] != second["uuid"]
    assert "cross_attn" not in second
    assert given[0][1] == {"pooled_output": 1, "strength": 2.0}


def test_masks_get_the_shape_of_the_latent(host: Host) -> None:
    import comfy.sample
    import comfy.sampler_helpers

    mask = torch.zeros(64, 64)
    mask[:, :32] = 1.0
    made = comfy.sampler_helpers.prepare_mask(mask, (3, 4, 8, 8), torch.device("cpu"))
    assert made.shape == (3, 4, 8, 8)
    assert torch.equal(made[2, 3], torch.cat([torch.ones(8, 4), torch.zeros(8, 4)], dim=1))
    assert comfy.sampler_helpers.prepare_mask(mask, (3, 4, 5, 8, 8), torch.device("cpu")).shape == (3, 4, 5, 8, 8)
    assert comfy.sample.prepare_mask is comfy.sampler_helpers.prepare_mask


class Control:
    """As much of a ControlBase as loading and cleaning up touch."""

    def __init__(self, models: list[Any]) -> None:
        self.models, self.cleaned = models, 0

    def get_models(self) -> list[Any]:
        return self.models

    def inference_memory_requirements(self, dtype: torch.dtype) -> int:
        return 100

    def cleanup(self) -> None:
        self.cleaned += 1


def test_further_models_are_found_once_and_cleaned_up(host: Host) -> None:
    import comfy.sampler_helpers as helpers

    one, two, box, more = object(), object(), object(), object()
    first, second = Control([one]), Control([two, one])
    conds: Mapping[str, Any] = {
        "positive": [{"control": first}, {"control": second, "gligen": ("position", box, [])}],
        "negative": [{"control": first, "additional_models": [more]}],
    }
    models, memory = helpers.get_additional_models(conds, torch.float16)
    assert models == [one, two, box, more]
    assert memory == 200
    helpers.cleanup_models(conds, [])
    assert (first.cleaned, second.cleaned) == (1, 1)
    helpers.cleanup_additional_models([first, object()])
    assert first.cleaned == 2


def test_prepared_models_are_loaded(patcher: Any) -> None:
    import comfy.model_management
    import comfy.sampler_helpers

    found, conds, models = comfy.sampler_helpers.prepare_sampling(patcher, SHAPE, {"positive": []})
    assert found is patcher.model
    assert (conds, models) == ({"positive": []}, [])
    assert patcher in comfy.model_management.loaded_models()


@pytest.mark.parametrize("name", ["wrap_model", "original_sample", "CFGNoisePredictor"])
def test_names_that_plugins_ask_for_with_hasattr_are_not_there(host: Host, name: str) -> None:
    import comfy.samplers

    assert not hasattr(comfy.samplers, name)
