"""What our own nodes do to a model is the same picture in both ways, and with a model that plugins changed before."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from compat import crossing
from engine import values
from nodes import model_sampling as reading
from nodes.sampling import Walk
from tests.compat.sampling.conftest import Studio, noise, relative

CLOSE = 1e-5
SHAPE = (2, 4, 8, 8)
LEVELS = {"sigma_max": 80.0, "sigma_min": 0.01}

Node = Callable[[values.Model], values.Model]


def discrete(sampling: str, zsnr: bool = False) -> Node:
    return lambda model: reading.model_sampling_discrete(model=model, sampling=sampling, zsnr=zsnr)


def continuous(sampling: str) -> Node:
    return lambda model: reading.model_sampling_continuous_edm(model=model, sampling=sampling, **LEVELS)


READINGS: dict[str, Node] = {
    **{name: discrete(name) for name in ("eps", "v_prediction", "lcm", "x0", "img_to_img")},
    "zsnr": discrete("v_prediction", zsnr=True),
    **{
        f"any {name}": continuous(name)
        for name in ("v_prediction", "edm", "edm_playground_v2.5", "eps", "cosmos_rflow")
    },
    "angle": lambda model: reading.model_sampling_continuous_v(model=model, sampling="v_prediction"),
    "sd3": lambda model: reading.model_sampling_sd3(model=model),
    "aura": lambda model: reading.model_sampling_aura_flow(model=model),
    "flux": lambda model: reading.model_sampling_flux(model=model),
}


def latent() -> dict[str, Any]:
    return {"samples": noise(*SHAPE), "noise_mask": noise(1, 1, 8, 8, seed=4).sigmoid()}


def drawn(studio: Studio, node: Node, walk: Walk, cfg: float = 3.0) -> torch.Tensor:
    """The picture with a node, once it is sure that both ways and a plugin's hands on the model do not change it."""
    plain = studio.model
    guidance = studio.guided(cfg)
    studio.model = node(plain)
    by_engine = studio.by_engine(latent(), guidance, walk)
    assert bool(by_engine.isfinite().all())
    assert relative(studio.as_comfy(latent(), guidance, walk), by_engine) < CLOSE
    handed = crossing.enter(plain).clone()
    handed.set_model_sampler_post_cfg_function(lambda args: args["denoised"])
    changed = node(crossing.leave(handed))
    assert relative(studio.as_comfy(latent(), guidance, walk, changed), by_engine) < CLOSE
    studio.model = plain
    return by_engine


@pytest.mark.parametrize("name", READINGS)
def test_a_reading(studio: Studio, name: str) -> None:
    walk = Walk("euler", "normal", 2, 7)
    plain = studio.by_engine(latent(), studio.guided(), walk)
    assert (relative(drawn(studio, READINGS[name], walk), plain) > 1e-3) is (name != "eps")
