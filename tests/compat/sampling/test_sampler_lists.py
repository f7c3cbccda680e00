"""The lists that plugins write to, in the drop-downs of our nodes."""

from collections.abc import Iterator
from typing import Any

import pytest

from compat.host import Host
from compat.sampler_lists import refresh
from engine.sampling.samplers import SAMPLERS
from engine.sampling.schedules import SCHEDULERS
from tests.compat import graphs


@pytest.fixture
def samplers(host: Host) -> Iterator[Any]:
    """comfy.samplers, its lists as they were afterwards."""
    import comfy.samplers as module

    names, schedules, handlers = module.SAMPLER_NAMES[:], module.SCHEDULER_NAMES[:], dict(module.SCHEDULER_HANDLERS)
    yield module
    module.SAMPLER_NAMES[:], module.SCHEDULER_NAMES[:] = names, schedules
    module.SCHEDULER_HANDLERS.clear()
    module.SCHEDULER_HANDLERS.update(handlers)


def choices(host: Host, node: str, name: str) -> tuple[Any, ...]:
    found = host.registry[node].input(name)
    assert found is not None
    return found.current_choices()


def test_the_lists_are_one_with_those_of_ksampler(samplers: Any) -> None:
    assert samplers.KSampler.SAMPLERS is samplers.SAMPLER_NAMES
    assert samplers.KSampler.SCHEDULERS is samplers.SCHEDULER_NAMES
    assert type(samplers.SAMPLER_NAMES) is type(samplers.SCHEDULER_NAMES) is list
    assert list(SAMPLERS) == samplers.SAMPLER_NAMES
    assert samplers.SCHEDULER_NAMES == list(SCHEDULERS) == list(samplers.SCHEDULER_HANDLERS)
    assert samplers.KSampler.SAMPLERS.index("euler") == 0
    assert (samplers.KSampler.SCHEDULERS + ["mine"])[-1] == "mine"  # noqa: RUF005 -- what plugins write


def test_what_plugins_added_is_offered_by_every_node_that_offers_ours(host: Host, samplers: Any) -> None:
    before = [each.id for each in host.registry]
    refresh(host.registry)
    assert [each.id for each in host.registry] == before
    samplers.KSampler.SAMPLERS.insert(1, "of_a_plugin")
    samplers.SCHEDULER_NAMES.append("bumpy")
    for node in ("KSampler", "KSamplerAdvanced"):
        assert choices(host, node, "sampler_name")[:2] == ("euler", "of_a_plugin")
        assert choices(host, node, "scheduler")[-1] == "bumpy"


def test_a_list_that_a_plugin_put_in_the_place_of_ours_is_offered(
    host: Host, samplers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh(host.registry)
    monkeypatch.setattr(samplers.KSampler, "SCHEDULERS", [*samplers.KSampler.SCHEDULERS, "AYS"])
    assert choices(host, "KSampler", "scheduler")[-1] == "AYS"


def test_nodes_whose_choices_are_others_stay_as_they_are(host: Host, samplers: Any) -> None:
    before = {each.id: each for each in host.registry}
    refresh(host.registry)
    changed = {name for name, each in before.items() if host.registry[name] is not each}
    assert {"KSampler", "KSamplerAdvanced"} <= changed
    assert not changed & {"CheckpointLoaderSimple", "LatentUpscale", "SaveImage"}


def test_a_graph_may_name_what_a_plugin_added(host: Host, samplers: Any) -> None:
    def problems(name: str) -> str:
        graph = {
            **graphs.drawing(sampler_name=name),
            "5": {"class_type": "VAEDecode", "inputs": {"samples": ["4", 0], "vae": ["1", 2]}},
            "6": {"class_type": "PreviewImage", "inputs": {"images": ["5", 0]}},
        }
        return str(host.engine.check(graph)["node_errors"])

    refresh(host.registry)
    assert "of_a_plugin" in problems("of_a_plugin")
    samplers.SAMPLER_NAMES.append("of_a_plugin")
    assert problems("of_a_plugin") == "{}"
