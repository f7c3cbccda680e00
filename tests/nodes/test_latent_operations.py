"""Latents treated as pictures, by hand and in every step, in whole graphs."""

from typing import Any

import pytest
import torch

from tests.nodes.bench import Bench, Drawing

OPERATIONS: dict[str, dict[str, Any]] = {
    "LatentOperationSharpen": {"sharpen_radius": 9, "sigma": 1.0, "alpha": 0.5},
    "LatentOperationTonemapReinhard": {"multiplier": 1.0},
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_done_by_hand_and_in_every_step(name: str, bench: Bench) -> None:
    drawing = Drawing()
    operation = drawing.graph.node(name, **OPERATIONS[name])
    steered = drawing.graph.node("LatentApplyOperationCFG", model=drawing.model, operation=operation)
    plain = drawing.sampled()
    by_hand = drawing.graph.node("LatentApplyOperation", samples=plain, operation=operation)
    before, after = (bench.value(drawing.graph, each)["samples"] for each in (plain, by_hand))
    torch.testing.assert_close(after, bench.value(drawing.graph, operation)(before))
    drawn = bench.value(drawing.graph, drawing.sampled(model=steered))["samples"]
    assert bool(drawn.isfinite().all())
    assert not torch.equal(drawn, before)
    # Without guidance there is still the positive itself to do it to.
    alone = [bench.value(drawing.graph, drawing.sampled(model=each, cfg=1.0)) for each in (drawing.model, steered)]
    assert not torch.equal(alone[0]["samples"], alone[1]["samples"])


def test_no_sharpness_is_the_same_picture_to_the_last_bit(bench: Bench) -> None:
    drawing = Drawing()
    operation = drawing.graph.node("LatentOperationSharpen", **{**OPERATIONS["LatentOperationSharpen"], "alpha": 0.0})
    plain = drawing.sampled()
    same = drawing.graph.node("LatentApplyOperation", samples=plain, operation=operation)
    before, after = (bench.value(drawing.graph, each)["samples"] for each in (plain, same))
    assert torch.equal(after, before)


def test_a_latents_mask_stays_with_it(bench: Bench) -> None:
    drawing = Drawing()
    mask = drawing.graph.node("SolidMask", value=1.0, width=64, height=64)
    masked = drawing.graph.node("SetLatentNoiseMask", samples=drawing.latent, mask=mask)
    operation = drawing.graph.node("LatentOperationTonemapReinhard", **OPERATIONS["LatentOperationTonemapReinhard"])
    done = drawing.graph.node("LatentApplyOperation", samples=masked, operation=operation)
    assert "noise_mask" in bench.value(drawing.graph, done)


@pytest.mark.parametrize("name", ["LatentApplyOperation", "LatentApplyOperationCFG"])
def test_what_is_no_operation_is_named(name: str, bench: Bench) -> None:
    drawing = Drawing()
    given = {"LatentApplyOperation": {"samples": drawing.latent}, "LatentApplyOperationCFG": {"model": drawing.model}}
    node = drawing.graph.node(name, **given[name], operation=bench.constant(drawing.graph, 3.0))
    told = bench.message(drawing.graph, node)
    assert told.startswith(f"{name}: input operation: expected one from a LatentOperation node, got float")
