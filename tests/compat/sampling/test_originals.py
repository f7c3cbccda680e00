"""Whether a plugin put its own in the place of what drawing goes through."""

import functools
from typing import Any

import pytest
import torch

from compat.host import Host
from compat.originals import is_ours, replaced


@pytest.fixture
def comfy(host: Host) -> Any:
    import comfy as package

    return package


def mine(*args: Any, **options: Any) -> None:
    """A plugin's."""


def test_nothing_is_replaced_at_first(comfy: Any) -> None:
    for sampler in comfy.samplers.SAMPLER_NAMES:
        for schedule in comfy.samplers.SCHEDULER_NAMES:
            assert replaced(sampler, schedule) == []


@pytest.mark.parametrize(
    "name",
    [
        "sample.sample",
        "sample.prepare_noise",
        "samplers.sampling_function",
        "samplers.calc_cond_batch",
        "samplers.sample",
        "samplers.calculate_sigmas",
        "samplers.pre_run_control",
        "samplers.CFGGuider.predict_noise",
        "samplers.KSampler.sample",
        "samplers.Sampler.max_denoise",
        "k_diffusion.sampling.default_noise_sampler",
        "k_diffusion.sampling.sample_euler",
    ],
)
def test_functions_and_methods_that_plugins_replaced_are_named(
    comfy: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    *path, last = name.split(".")
    owner = functools.reduce(getattr, path, comfy)
    monkeypatch.setattr(owner, last, mine)
    (found,) = replaced("euler", "normal")
    assert f"comfy.{name}".startswith(found)


def test_a_wrapper_that_calls_itself_ours_is_found_out(comfy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comfy.sample, "sample", functools.wraps(comfy.sample.sample)(mine))
    assert replaced("euler", "normal") == ["comfy.sample.sample"]


def test_classes_of_a_plugin_are_not_ours(comfy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(comfy.samplers.KSampler):
        pass

    assert is_ours(comfy.samplers.KSampler)
    assert not is_ours(Own)
    monkeypatch.setattr(comfy.samplers, "KSampler", Own)
    assert replaced("euler", "normal") == ["comfy.samplers.KSampler"]


def test_samplers_and_schedules_count_where_they_are_used(comfy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comfy.k_diffusion.sampling, "sample_lcm", mine)
    handler = comfy.samplers.SchedulerHandler(mine)
    monkeypatch.setitem(comfy.samplers.SCHEDULER_HANDLERS, "karras", handler)
    assert replaced("euler", "normal") == []
    assert replaced("lcm", "normal") == ["comfy.k_diffusion.sampling.sample_lcm"]
    assert replaced("euler", "karras") == ["comfy.samplers.SCHEDULER_HANDLERS['karras']"]


def test_which_samplers_leave_a_level_out_counts(comfy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = comfy.samplers.KSampler.DISCARD_PENULTIMATE_SIGMA_SAMPLERS | {"heun", "of_a_plugin"}
    monkeypatch.setattr(comfy.samplers.KSampler, "DISCARD_PENULTIMATE_SIGMA_SAMPLERS", changed)
    assert replaced("euler", "normal") == replaced("dpm_2", "normal") == []
    assert replaced("heun", "normal") == ["comfy.samplers.KSampler.DISCARD_PENULTIMATE_SIGMA_SAMPLERS"]


def test_additions_change_nothing(comfy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comfy.k_diffusion.sampling, "sample_of_a_plugin", mine, raising=False)
    monkeypatch.setattr(comfy.k_diffusion.sampling, "torch", torch)
    assert replaced("euler", "normal") == []
    monkeypatch.setattr(comfy.k_diffusion.sampling, "torch", object())
    assert replaced("euler", "normal") == ["comfy.k_diffusion.sampling.torch"]
