"""Nodes that choose a sampler, in whole graphs: what they choose is what is drawn with."""

from typing import Any

import pytest
import torch

from engine.graph.builder import Handle
from tests.nodes.bench import SIZE, STEPS, Bench, Drawing

CELLS = SIZE // 8


def walked(drawing: Drawing, sampler: Handle, steps: int = STEPS, **changes: Any) -> Handle:
    sigmas = drawing.graph.node("BasicScheduler", model=drawing.model, scheduler="normal", steps=steps, denoise=1.0)
    inputs = {
        "model": drawing.model,
        "add_noise": True,
        "noise_seed": 7,
        "cfg": 3.0,
        "positive": drawing.positive,
        "negative": drawing.negative,
        "latent_image": drawing.latent,
    }
    return drawing.graph.node("SamplerCustom", **{**inputs, **changes}, sampler=sampler, sigmas=sigmas)


def named(drawing: Drawing, name: str) -> Handle:
    return drawing.graph.node("KSamplerSelect", sampler_name=name)


def growing(drawing: Drawing, ratio: float, steps: int = -1, method: str = "bislerp") -> Handle:
    return drawing.graph.node("SamplerLCMUpscale", scale_ratio=ratio, scale_steps=steps, upscale_method=method)


def test_the_regular_cfg_pp_is_that_of_the_list(bench: Bench) -> None:
    drawing = Drawing()
    chosen = drawing.graph.node("SamplerEulerCFGpp", version="regular")
    ours, theirs = (
        bench.value(drawing.graph, walked(drawing, each))["samples"]
        for each in (chosen, named(drawing, "euler_cfg_pp"))
    )
    assert torch.equal(ours, theirs)


def test_the_alternative_cfg_pp_is_refused_by_saying_what_to_take(bench: Bench) -> None:
    drawing = Drawing()
    told = bench.message(drawing.graph, drawing.graph.node("SamplerEulerCFGpp", version="alternative"))
    assert "version: no published formula of the 'alternative' one is known" in told
    assert "choose 'regular'" in told


def test_lcm_that_does_not_grow_is_lcm(bench: Bench) -> None:
    drawing = Drawing()
    ours, theirs = (
        bench.value(drawing.graph, walked(drawing, each))["samples"]
        for each in (growing(drawing, 1.0), named(drawing, "lcm"))
    )
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("ratio", "steps", "method"),
    [(2.0, -1, "bislerp"), (1.5, 1, "area"), (0.5, 99, "nearest-exact"), (1.3, 0, "bicubic")],
)
def test_a_picture_ends_as_large_as_was_asked_for(ratio: float, steps: int, method: str, bench: Bench) -> None:
    drawing = Drawing()
    hint = drawing.hinted(bench)
    drawn = walked(drawing, growing(drawing, ratio, steps, method), positive=hint.out(0), negative=hint.out(1))
    samples = bench.value(drawing.graph, drawn)["samples"]
    assert samples.shape == (1, 4, round(CELLS * ratio), round(CELLS * ratio))
    assert bool(samples.isfinite().all())
    picture = drawing.graph.node("VAEDecode", samples=drawn, vae=drawing.vae)
    assert bench.value(drawing.graph, picture).shape[1] == 8 * round(CELLS * ratio)


def test_what_cannot_grow_along_is_named(bench: Bench) -> None:
    drawing = Drawing()
    area = drawing.graph.node(
        "ConditioningSetArea", conditioning=drawing.positive, width=32, height=32, x=0, y=0, strength=1.0
    )
    mask = drawing.graph.node("SolidMask", value=0.5, width=SIZE, height=SIZE)
    masked = drawing.graph.node("SetLatentNoiseMask", samples=drawing.latent, mask=mask)
    told = bench.message(drawing.graph, walked(drawing, growing(drawing, 2.0), positive=area))
    assert "the latent changed its size on its way, from 8×8 to 12×12 cells" in told
    assert "KSamplerSelect's lcm" in told
    told = bench.message(drawing.graph, walked(drawing, growing(drawing, 2.0), latent_image=masked))
    assert "the latent changed its size on its way, to 12×12 cells, and its noise mask has 8×8" in told
