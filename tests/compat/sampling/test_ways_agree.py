"""For a model without plugins, ComfyUI's way of drawing gives the numbers of the engine's own."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from engine.sampling.samplers import SAMPLERS
from engine.sampling.schedules import SCHEDULERS, Part
from nodes.sampling import Walk
from tests.compat.sampling.conftest import SHAPE, Studio, noise, relative

CLOSE = 1e-5
MASK = torch.zeros(1, 64, 96)
MASK[:, 16:48, 8:40] = 1.0


def empty() -> dict[str, Any]:
    return {"samples": torch.zeros(SHAPE)}


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("schedule", ["normal", "karras"])
def test_every_sampler(studio: Studio, walk: Callable[..., Walk], name: str, schedule: str) -> None:
    wanted = walk(sampler=name, scheduler=schedule, steps=4)
    latent = {"samples": noise(1, 4, 8, 8)}
    both = [way(latent, studio.guided(), wanted) for way in (studio.by_engine, studio.as_comfy)]
    assert relative(both[1], both[0]) < CLOSE


@pytest.mark.parametrize("schedule", SCHEDULERS)
def test_every_schedule(studio: Studio, walk: Callable[..., Walk], schedule: str) -> None:
    for sampler in ("euler", "dpm_2"):
        wanted = walk(sampler=sampler, scheduler=schedule, denoise=0.6)
        both = [way(empty(), studio.guided(), wanted) for way in (studio.by_engine, studio.as_comfy)]
        assert relative(both[1], both[0]) < CLOSE


LATENTS: dict[str, dict[str, Any]] = {
    "empty": {},
    "a picture": {"samples": noise(*SHAPE)},
    "other channels, but empty": {"samples": torch.zeros(2, 16, 8, 12)},
    "part of a batch": {"batch_index": [3, 1]},
    "a mask": {"samples": noise(*SHAPE), "noise_mask": MASK.unsqueeze(1)},
    "masks of a small size": {"samples": noise(*SHAPE), "noise_mask": noise(2, 1, 5, 7).sigmoid()},
}


@pytest.mark.parametrize("case", LATENTS)
@pytest.mark.parametrize("cfg", [1.0, 3.0])
def test_every_kind_of_latent(studio: Studio, walk: Callable[..., Walk], case: str, cfg: float) -> None:
    latent = {**empty(), **LATENTS[case]}
    for wanted in (walk(), walk(sampler="ddim"), walk(sampler="euler_ancestral", seed=2**64 - 1)):
        both = [way(latent, studio.guided(cfg), wanted) for way in (studio.by_engine, studio.as_comfy)]
        assert relative(both[1], both[0]) < CLOSE


WALKS: dict[str, dict[str, Any]] = {
    "half of the run": {"denoise": 0.5},
    "nearly all of it": {"denoise": 0.99995},
    "the first steps": {"part": Part(0, 2)},
    "the first steps, noise kept": {"part": Part(0, 2, keep_noise=True)},
    "the last steps": {"part": Part(1, 10000), "adds_noise": False},
    "the middle": {"part": Part(1, 2, keep_noise=True), "adds_noise": False},
    "more steps than there are": {"part": Part(0, 99)},
}


@pytest.mark.parametrize("case", WALKS)
def test_every_part_of_a_run(studio: Studio, walk: Callable[..., Walk], case: str) -> None:
    latent = {"samples": noise(*SHAPE)}
    wanted = walk(**WALKS[case])
    both = [way(latent, studio.guided(), wanted) for way in (studio.by_engine, studio.as_comfy)]
    assert relative(both[1], both[0]) < CLOSE


@pytest.mark.parametrize("changes", [{"denoise": 0.0}, {"part": Part(5, 10000)}, {"part": Part(3, 2)}])
def test_nothing_to_do_returns_the_latent(studio: Studio, walk: Callable[..., Walk], changes: dict[str, Any]) -> None:
    latent = {"samples": noise(*SHAPE)}
    for way in (studio.by_engine, studio.as_comfy):
        assert torch.equal(way(latent, studio.guided(), walk(**changes)), latent["samples"])


CONDITIONS: dict[str, Callable[[Studio], tuple[Any, Any]]] = {
    "an area": lambda s: ([*s.positive, _with(s.negative, area=(8, 6, 0, 6), strength=0.7)], s.negative),
    "a share": lambda s: ([*s.positive, _with(s.negative, area=("percentage", 0.5, 0.5, 0.25, 0.25))], s.negative),
    "areas of both": lambda s: (
        [_with(s.positive, area=(8, 7, 0, 0)), _with(s.positive, area=(8, 7, 0, 5))],
        [*s.negative, _with(s.negative, area=(8, 7, 0, 0))],
    ),
    "a mask": lambda s: ([*s.positive, _with(s.negative, mask=MASK, mask_strength=0.8)], s.negative),
    "the bounds of a mask": lambda s: (
        [*s.positive, _with(s.negative, mask=MASK, set_area_to_bounds=True)],
        s.negative,
    ),
    "times": lambda s: ([_with(s.positive, end_percent=0.5), _with(s.negative, start_percent=0.5)], s.negative),
    "lengths": lambda s: (
        [*s.positive, [torch.cat([s.negative[0][0]] * 2, dim=1), {}]],
        [[torch.cat([s.negative[0][0]] * 3, dim=1), {}]],
    ),
    "a hint": lambda s: ([_with(s.positive, control=(s.hint(),), control_apply_to_uncond=True)], s.negative),
    "a hint for both": lambda s: _shared(s, (s.hint(0.5, 0.0, 0.7),)),
    "two hints": lambda s: _shared(s, (s.hint(0.5, 0.0, 0.7), s.hint(0.9, 0.3, 1.0))),
    "a hint in an area": lambda s: (
        [*s.positive, _with(s.negative, area=(8, 6, 0, 6), control=(s.hint(),))],
        s.negative,
    ),
}


def _with(side: list[Any], **options: Any) -> list[Any]:
    return [side[0][0], {**side[0][1], **options}]


def _shared(studio: Studio, hints: tuple[Any, ...]) -> tuple[Any, Any]:
    return [_with(studio.positive, control=hints)], [_with(studio.negative, control=hints)]


@pytest.mark.parametrize("case", CONDITIONS)
def test_every_kind_of_condition(studio: Studio, walk: Callable[..., Walk], case: str) -> None:
    positive, negative = CONDITIONS[case](studio)
    latent = {"samples": noise(*SHAPE)}
    guidance = studio.guided(3.0, positive, negative)
    both = [way(latent, guidance, walk()) for way in (studio.by_engine, studio.as_comfy)]
    assert relative(both[1], both[0]) < CLOSE


def test_another_prediction_and_its_table(studio: Studio, walk: Callable[..., Walk]) -> None:
    from dataclasses import replace

    from engine.sampling.betas import BetaSchedule
    from engine.sampling.prediction import Prediction
    from engine.sampling.table import SigmaTable

    table = SigmaTable.from_betas(BetaSchedule(zero_terminal_snr=True))
    for prediction in (Prediction("v", table), Prediction("flow", SigmaTable.from_flow(3.0))):
        studio.model = replace(studio.model, prediction=prediction)
        for sampler in ("euler", "dpmpp_2m", "euler_ancestral", "dpmpp_2m_sde"):
            wanted = walk(sampler=sampler)
            both = [way(empty(), studio.guided(), wanted) for way in (studio.by_engine, studio.as_comfy)]
            assert relative(both[1], both[0]) < CLOSE
