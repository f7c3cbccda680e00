"""What our own nodes do to a model is the same picture in both ways, and with a model that plugins changed before."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from compat import crossing
from engine import values
from engine.adapters import ip_adapter
from engine.devices.residency import Part
from engine.models.ip_adapter import IpAdapter, IpAdapterConfig
from nodes import caching, guidance, latent_operations, unet_patches
from nodes import model_sampling as reading
from nodes.sampling import Walk
from tests.compat.sampling.conftest import Studio, noise, relative
from tests.ip_adapter_files import adapter_tensors

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
    "cascade": lambda model: reading.model_sampling_stable_cascade(model=model),
}


def shrunk(after_skip: bool) -> Node:
    return lambda model: unet_patches.patch_model_add_downscale(
        model=model,
        block_number=1,
        end_percent=0.6,
        downscale_after_skip=after_skip,
        downscale_method="bicubic",
        upscale_method="bislerp",
    )


def pictured(model: values.Model) -> values.Model:
    """A model that a picture guides, in a part of the run."""
    tensors = adapter_tensors("standard", model.part.module)
    flat = {f"{group}.{name}": each for group, inside in tensors.items() for name, each in inside.items()}
    net = IpAdapter(IpAdapterConfig.from_shapes({name: tuple(each.shape) for name, each in flat.items()}))
    adapter = ip_adapter.Adapter(Part("an adapter", net, flat, model.part.place), model.keeper)
    seen = torch.rand(1, net.config.clip_width, generator=torch.Generator().manual_seed(3))
    mask = torch.linspace(0, 1, 126).reshape(2, 1, 9, 7)  # one for each latent
    use = ip_adapter.Use(0.8, "ease in", start=0.0, end=0.8, mask=mask)
    return ip_adapter.apply(model, adapter, seen, torch.zeros_like(seen), use)


TOOLS: dict[str, Node] = {
    "ip-adapter": pictured,
    "rescale": lambda model: guidance.rescale_cfg(model=model),
    "freeu": lambda model: unet_patches.free_u(model=model),
    "freeu v2": lambda model: unet_patches.free_u_v2(model=model),
    "hypertile": lambda model: unet_patches.hyper_tile(model=model, tile_size=1, swap_size=3, max_depth=1),
    "shrink after the skip": shrunk(True),
    "shrink before it": shrunk(False),
    "tome": lambda model: unet_patches.tome_patch_model(model=model, ratio=0.5),
    "differential": lambda model: guidance.differential_diffusion(model=model, strength=0.8),
    "pag": lambda model: guidance.perturbed_attention_guidance(model=model),
    "sag": lambda model: guidance.self_attention_guidance(model=model, scale=1.5),
    "apg": lambda model: guidance.apg(model=model, eta=0.0, momentum=-0.5),
    "tcfg": lambda model: guidance.tcfg(model=model).patched_model,
    "cfg zero": lambda model: guidance.cfg_zero_star(model=model).patched_model,
    "cfg norm": lambda model: guidance.cfg_norm(model=model).patched_model,
    "renorm": lambda model: guidance.renorm_cfg(model=model, cfg_trunc=0.5, renorm_cfg=0.8),
    "fresca": lambda model: guidance.fre_sca(model=model, scale_high=2.0, freq_cutoff=2),
    "epsilon": lambda model: guidance.epsilon_scaled(model=model, scaling_factor=1.1),
    "easy cache": lambda model: caching.easy_cached(model=model, reuse_threshold=3.0, start_percent=0.0),
    "sharpen": lambda model: latent_operations.latent_apply_operation_cfg(
        model=model, operation=latent_operations.latent_operation_sharpen(alpha=1.0)
    ),
    "tonemap": lambda model: latent_operations.latent_apply_operation_cfg(
        model=model, operation=latent_operations.latent_operation_tonemap_reinhard()
    ),
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


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool(studio: Studio, name: str) -> None:
    walk = Walk("euler", "karras", 4 if name == "easy cache" else 2, 7)
    plain = studio.by_engine(latent(), studio.guided(), walk)
    assert relative(drawn(studio, TOOLS[name], walk), plain) > 1e-4


def test_tools_go_together(studio: Studio) -> None:
    walk = Walk("dpmpp_2m", "karras", 2, 7)
    alone = {name: drawn(studio, TOOLS[name], walk) for name in ("pag", "sag")}

    def all_of_them(model: values.Model) -> values.Model:
        for node in TOOLS.values():
            model = node(model)
        return READINGS["v_prediction"](model)

    drawn(studio, all_of_them, walk, cfg=1.0)
    both = drawn(studio, lambda model: TOOLS["sag"](TOOLS["pag"](model)), walk)
    assert all(relative(both, each) > 1e-4 for each in alone.values())


def test_the_last_formula_wins_and_lists_grow(studio: Studio) -> None:
    model = TOOLS["freeu"](TOOLS["rescale"](TOOLS["freeu v2"](studio.model)))
    again = guidance.rescale_cfg(model=model, multiplier=0.0)
    assert again.hooks.combine is not model.hooks.combine
    assert len(again.hooks.patches["patches"]["output_block_patch"]) == 2
    assert not studio.model.hooks.patches


def test_a_model_that_is_not_changed_does_not_answer_as_the_one_before_it(studio: Studio) -> None:
    plain, walk = studio.model, Walk("euler", "karras", 2, 7)
    kept = crossing.enter(plain)  # so that both are of one BaseModel, as long as a plugin holds it
    expected = studio.by_engine(latent(), studio.guided(), walk)
    for other in ("v_prediction", "sd3"):
        changed = TOOLS["freeu"](READINGS[other](plain))
        assert crossing.enter(changed).model is kept.model
        studio.as_comfy(latent(), studio.guided(), walk, changed)
        # Another value of the same model, which enters as a patcher of its own.
        assert relative(studio.as_comfy(latent(), studio.guided(), walk, replace(plain)), expected) < CLOSE
