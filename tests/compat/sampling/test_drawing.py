"""The built-in KSampler nodes with plugins about: which way is taken, and that everybody on it is asked."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from compat import crossing
from compat.drawing import Drawing, why_not_plain
from compat.host import Host
from compat.sampler_lists import refresh
from engine.conditioning import ControlHint
from engine.errors import Cancelled
from engine.graph.builder import Builder
from engine.graph.events import Preview, Progress
from engine.sampling.samplers import SAMPLERS
from engine.settings import Settings
from nodes.sampling import Walk
from tests.compat.sampling.conftest import Studio, noise, relative

EMPTY = {"samples": torch.zeros(1, 4, 8, 8)}


@pytest.fixture
def comfy(host: Host) -> Iterator[Any]:
    """The package, its lists as they were afterwards."""
    import comfy as package

    samplers = package.samplers
    names, schedules, handlers = samplers.SAMPLER_NAMES[:], samplers.SCHEDULER_NAMES[:], {**samplers.SCHEDULER_HANDLERS}
    yield package
    samplers.SAMPLER_NAMES[:], samplers.SCHEDULER_NAMES[:] = names, schedules
    samplers.SCHEDULER_HANDLERS.clear()
    samplers.SCHEDULER_HANDLERS.update(handlers)


def half_steps(model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, callback: Any = None, **more: Any) -> Any:
    """A plugin's sampler: Euler in two halves of a step."""
    for i in range(len(sigmas) - 1):
        levels = torch.linspace(float(sigmas[i]), float(sigmas[i + 1]), 3)
        for sigma, following in ((levels[0], levels[1]), (levels[1], levels[2])):
            denoised = model(x, sigma * x.new_ones(len(x)), **(extra_args or {}))
            x = x + (x - denoised) / sigma * (following - sigma)
        callback({"i": i, "denoised": denoised, "x": x, "sigma": sigmas[i], "sigma_hat": sigmas[i]})
    return x


def graph(**changes: Any) -> tuple[Builder, Any]:
    """Text to latent."""
    made = Builder()
    loaded = made.node("CheckpointLoaderSimple", ckpt_name="tiny.safetensors")
    texts = [made.node("CLIPTextEncode", text=each, clip=loaded.out(1)) for each in ("a red apple", "blurry")]
    latent = made.node("EmptyLatentImage", width=64, height=64, batch_size=1)
    given = {
        "model": loaded.out(0),
        "positive": texts[0],
        "negative": texts[1],
        "latent_image": latent,
        "seed": 7,
        "steps": 3,
        "cfg": 3.0,
        "sampler_name": "euler",
        "scheduler": "karras",
        "denoise": 1.0,
    }
    return made, made.node("KSampler", **{**given, **changes})


def result(host: Host, **changes: Any) -> Tensor:
    made, node = graph(**changes)
    outcome = host.engine.executor.execute(made.prompt(), targets=[node.id]).check()
    return outcome.values[node.id][0][0]["samples"]


def test_the_service_is_ours(host: Host) -> None:
    from compat.install import services
    from nodes import sampling

    assert isinstance(services()[sampling.Drawing], Drawing)


def test_plain_models_go_the_engines_way(studio: Studio, walk: Callable[..., Walk], comfy: Any) -> None:
    for name in SAMPLERS:
        assert why_not_plain(studio.model, studio.guided(), walk(sampler=name)) == []
    hinted = [[studio.positive[0][0], {"control": (studio.hint(),)}]]
    assert why_not_plain(studio.model, studio.guided(3.0, hinted), walk()) == []
    assert why_not_plain(crossing.leave(crossing.enter(studio.model).clone()), studio.guided(), walk()) == []
    heavier = crossing.enter(studio.model).clone()
    key = "diffusion_model.out.2.bias"
    heavier.add_patches({key: (torch.ones(4),)})
    left = crossing.leave(heavier)
    assert why_not_plain(left, studio.guided(), walk()) == []
    both = [studio.as_comfy(EMPTY, studio.guided(), walk(), left), None]
    studio.model = left
    both[1] = studio.by_engine(EMPTY, studio.guided(), walk())
    assert relative(*both) < 1e-5


def test_whatever_a_plugin_changed_goes_its_way(
    studio: Studio, walk: Callable[..., Walk], comfy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = crossing.enter(studio.model).clone()
    changed.set_model_sampler_post_cfg_function(lambda args: args["denoised"])
    assert why_not_plain(crossing.leave(changed), studio.guided(), walk()) == ["the model was changed"]
    other = crossing.enter(studio.model).clone()
    other.add_object_patch("model_sampling", comfy.model_sampling.ModelSamplingDiscrete())
    assert why_not_plain(crossing.leave(other), studio.guided(), walk()) == ["the model was changed"]
    foreign = [[studio.positive[0][0], {"control": (ControlHint(lambda *args: None, noise(1, 3, 8, 8)),)}]]
    assert why_not_plain(studio.model, studio.guided(3.0, foreign), walk()) == ["a conditioning holds more"]
    own = [[studio.positive[0][0], {"model_conds": {"c_own": 1}}]]
    assert why_not_plain(studio.model, studio.guided(3.0, own), walk()) == ["a conditioning holds more"]
    default = [[studio.positive[0][0], {"default": True}]]
    assert why_not_plain(studio.model, studio.guided(3.0, default), walk()) == []
    assert why_not_plain(studio.model, studio.guided(), walk(sampler="of_a_plugin")) == ["sampler of_a_plugin"]
    assert why_not_plain(studio.model, studio.guided(), walk(scheduler="bumpy")) == ["schedule bumpy"]
    monkeypatch.setattr(comfy.sample, "sample", lambda *args: None)
    assert why_not_plain(studio.model, studio.guided(), walk()) == ["comfy.sample.sample"]


def test_a_sampler_of_a_plugin_draws_in_the_built_in_node(host: Host, comfy: Any, monkeypatch: Any) -> None:
    refresh(host.registry)
    comfy.samplers.KSampler.SAMPLERS.insert(1, "half_steps")
    monkeypatch.setattr(comfy.k_diffusion.sampling, "sample_half_steps", half_steps, raising=False)
    made = result(host, sampler_name="half_steps")
    # Two looks a step are near to Euler, and nearer to Euler with twice the steps than Euler is.
    fine, coarse = result(host, steps=6), result(host)
    assert 0 < relative(made, fine) < relative(coarse, fine)


def test_a_schedule_of_a_plugin_is_walked_by_the_built_in_node(host: Host, comfy: Any) -> None:
    refresh(host.registry)
    handlers = comfy.samplers.SCHEDULER_HANDLERS
    made = comfy.samplers.SchedulerHandler
    handlers["between"] = made(lambda n, sigma_min, sigma_max: comfy.k_diffusion.sampling.get_sigmas_karras(
        n, sigma_min, sigma_max
    ), use_ms=False)  # fmt: skip
    handlers["of_the_table"] = made(lambda sampling, steps: comfy.samplers.normal_scheduler(sampling, steps))
    comfy.samplers.SCHEDULER_NAMES.extend(["between", "of_the_table"])
    assert relative(result(host, scheduler="between"), result(host, scheduler="karras")) < 1e-5
    assert relative(result(host, scheduler="of_the_table"), result(host, scheduler="normal")) < 1e-5


def test_a_function_in_the_place_of_ours_is_asked(host: Host, comfy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[Any] = []
    ours = comfy.sample.sample

    def theirs(model: Any, noise: Tensor, steps: int, cfg: float, *args: Any, **options: Any) -> Tensor:
        heard.append((type(model).__name__, tuple(noise.shape), steps, cfg, args[0], args[1], options["seed"]))
        return ours(model, noise, steps, cfg, *args, **options)

    plain = result(host)
    monkeypatch.setattr(comfy.sample, "sample", theirs)
    # Another seed, as results of the same one are kept.
    assert relative(result(host, seed=8), plain) > 1e-3
    assert heard == [("ModelPatcher", (1, 4, 8, 8), 3, 3.0, "euler", "karras", 8)]


def test_pictures_come_before_the_numbers_of_their_steps(
    studio: Studio, walk: Callable[..., Walk], comfy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, comfy.cli_args.args.preview_method = (
        comfy.cli_args.args.preview_method,
        comfy.cli_args.LatentPreviewMethod.Auto,
    )
    try:
        studio.as_comfy(EMPTY, studio.guided(), walk())
    finally:
        comfy.cli_args.args.preview_method = method
    kinds = [type(each) for each in studio.events if isinstance(each, Preview | Progress)]
    assert kinds[:2] == [Preview, Progress]
    steps = [(each.value, each.maximum) for each in studio.events if isinstance(each, Progress)]
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_a_run_that_is_cancelled_stops_at_the_next_step(studio: Studio, walk: Callable[..., Walk]) -> None:
    studio.cancels_at = 1
    with pytest.raises(Cancelled):
        studio.as_comfy(EMPTY, studio.guided(), walk(steps=9))
    assert len(studio.events) < 3
    studio.cancels_at = None
    studio.events.clear()
    # Nothing of the run that was stopped is left.
    both = [way(EMPTY, studio.guided(), walk()) for way in (studio.as_comfy, studio.by_engine)]
    assert relative(*both) < 1e-5


def test_an_error_of_a_plugin_comes_out_and_leaves_the_model_usable(studio: Studio, walk: Callable[..., Walk]) -> None:
    def broken(args: Any) -> Tensor:
        raise ValueError("a plugin's own trouble")

    patcher = crossing.enter(studio.model).clone()
    patcher.set_model_sampler_post_cfg_function(broken)
    with pytest.raises(ValueError, match="own trouble"):
        studio.as_comfy(EMPTY, studio.guided(), walk(), crossing.leave(patcher))
    both = [way(EMPTY, studio.guided(), walk()) for way in (studio.as_comfy, studio.by_engine)]
    assert relative(*both) < 1e-5


def test_without_a_host_the_engine_draws(studio: Studio, walk: Callable[..., Walk], monkeypatch: Any) -> None:
    from compat import host as hosts

    changed = replace(studio.model, guest=object())
    monkeypatch.setattr(hosts, "is_installed", lambda: False)
    made = Drawing().draw(changed, EMPTY, studio.guided(), walk(), studio.run)["samples"]
    assert relative(made, studio.by_engine(EMPTY, studio.guided(), walk())) < 1e-6
    assert Drawing().settings == Settings()


PLUGIN = """
import comfy.k_diffusion.sampling
import comfy.samplers
from comfy.samplers import SCHEDULER_HANDLERS, SCHEDULER_NAMES, KSampler, SchedulerHandler


def sample_once(model, x, sigmas, extra_args=None, callback=None, disable=None):
    denoised = model(x, sigmas[0] * x.new_ones([x.shape[0]]), **extra_args)
    if callback is not None:
        callback({"x": x, "i": 0, "sigma": sigmas[0], "sigma_hat": sigmas[0], "denoised": denoised})
    return denoised


if "once" not in KSampler.SAMPLERS:
    KSampler.SAMPLERS.insert(KSampler.SAMPLERS.index("euler") + 1, "once")
    setattr(comfy.k_diffusion.sampling, "sample_once", sample_once)
    SCHEDULER_HANDLERS["own"] = SchedulerHandler(lambda ms, steps: comfy.samplers.simple_scheduler(ms, steps), True)
    SCHEDULER_NAMES.append("own")
NODE_CLASS_MAPPINGS = {}
"""


def test_a_plugin_brings_its_sampler_along(
    host: Host, tmp_path: Path, comfy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from compat.plugins.plugins import Plugins

    (tmp_path / "base" / "custom_nodes" / "own_sampler.py").write_text(PLUGIN)
    monkeypatch.setattr(comfy.k_diffusion.sampling, "sample_once", None, raising=False)  # taken out afterwards
    plugins = Plugins(host)
    try:
        plugins.load()
        described = host.engine.snapshot()["KSampler"]
        assert '"once"' in json.dumps(described)
        made = result(host, sampler_name="once", scheduler="own", cfg=1.0)
    finally:
        plugins.close()
    # One step of Euler from the top to nothing is the same.
    assert relative(made, result(host, steps=1, scheduler="simple", cfg=1.0)) < 1e-5


LISTED = """
from comfy.samplers import SCHEDULER_NAMES, KSampler

KSampler.SAMPLERS.append("{name}")
KSampler.SCHEDULERS = [*KSampler.SCHEDULERS, "{name}"]
{then}
NODE_CLASS_MAPPINGS = {{}}
"""


def test_what_a_plugin_wrote_into_the_lists_is_there_once_and_goes_with_it(
    host: Host, tmp_path: Path, comfy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from compat.plugins.plugins import Plugins

    samplers = comfy.samplers
    monkeypatch.setattr(samplers.KSampler, "SCHEDULERS", samplers.KSampler.SCHEDULERS)  # as it was, afterwards
    before = [*samplers.SAMPLER_NAMES], [*samplers.KSampler.SCHEDULERS]
    file = tmp_path / "base" / "custom_nodes" / "listed.py"
    plugins = Plugins(host)

    def written(name: str, then: str = "") -> tuple[list[str], list[str]]:
        file.write_text(LISTED.format(name=name, then=then))
        plugins.reload("listed")
        return [*samplers.KSampler.SAMPLERS], [*samplers.KSampler.SCHEDULERS]

    def with_all(name: str) -> tuple[list[str], list[str]]:
        return [*before[0], name], [*before[1], name]

    try:
        plugins.load()
        assert written("one") == with_all("one")
        assert written("one") == with_all("one")
        assert written("other") == with_all("other")
        assert written("third", then="raise ValueError") == with_all("other")  # what was loaded before stays
        assert written("other") == with_all("other")
        samplers.KSampler.SAMPLERS.append("other")  # as another plugin may
        assert json.dumps(host.engine.snapshot()["KSampler"]).count('"other"') == 2  # of samplers one, of schedules one
        samplers.KSampler.SAMPLERS.pop()
        file.unlink()
        plugins.reload(None)
        assert ([*samplers.KSampler.SAMPLERS], [*samplers.KSampler.SCHEDULERS]) == before
        assert before[0] == samplers.SAMPLER_NAMES
    finally:
        plugins.close()
