"""Control nets of every kind, texts of their own and phrases in boxes are the same picture in both ways of drawing."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from compat import crossing
from compat.drawing import _is_plain_conditioning
from compat.host import Host
from engine.checkpoints.tensors import in_memory
from engine.conditioning import ControlHint
from engine.models.unet import UNet
from nodes.sampling import Walk
from tests import control_files
from tests.compat.sampling.conftest import Studio, noise, relative
from tests.engine.models.nets import randomised

CLOSE = 1e-5
PICTURE = noise(2, 3, 72, 64, seed=5).sigmoid()


def denoiser(host: Host) -> dict[str, torch.Tensor]:
    start = "model.diffusion_model."
    whole = load_file(host.folders.path("checkpoints", "tiny.safetensors"))
    return {name.removeprefix(start): each.float() for name, each in whole.items() if name.startswith(start)}


def net_of(host: Host, tensors: dict[str, torch.Tensor]) -> Any:
    return host.loader.controlnet(in_memory("net.safetensors", {name: each.detach() for name, each in tensors.items()}))


NETS: dict[str, Callable[[Host], Any]] = {
    "union": lambda host: net_of(host, control_files.controlnet(kinds=6)),
    "union of a kind": lambda host: net_of(host, control_files.controlnet(kinds=6)).of_kind(3),
    "control-LoRA": lambda host: net_of(host, control_files.control_lora(denoiser(host))[0]),
}


def agree(studio: Studio, walk: Walk, **options: Any) -> None:
    sides = [[[side[0][0], {**side[0][1], **options}]] for side in (studio.positive, studio.negative)]
    guidance = studio.guided(3.0, *sides)
    latent = {"samples": noise(2, 4, 8, 8)}
    assert _is_plain_conditioning(guidance.positive)
    ours, theirs = (way(latent, guidance, walk) for way in (studio.by_engine, studio.as_comfy))
    assert relative(theirs, ours) < CLOSE
    assert relative(studio.by_engine(latent, studio.guided(), walk), ours) > 1e-3


@pytest.mark.parametrize("name", NETS)
def test_every_kind_of_net(studio: Studio, walk: Callable[..., Walk], host: Host, name: str) -> None:
    hint = ControlHint(NETS[name](host), PICTURE, 0.7, 0.0, 0.8)
    agree(studio, walk(), control=(studio.hint(0.5), hint))


def test_an_adapter_in_a_chain_with_a_controlnet(studio: Studio, walk: Callable[..., Walk], host: Host) -> None:
    weights = randomised(UNet(control_files.FOUR_LEVELS)).state_dict()
    tensors = {f"model.diffusion_model.{name}": each.detach() for name, each in weights.items()}
    studio.model = host.loader.checkpoint(in_memory("deep.safetensors", tensors)).model
    agree(studio, walk(), control=(ControlHint(net_of(host, control_files.adapter()), PICTURE, 0.7),))


def test_a_text_for_the_net_alone(studio: Studio, walk: Callable[..., Walk]) -> None:
    agree(studio, walk(), control=(studio.hint(),), cross_attn_controlnet=noise(1, 154, 64, seed=3))


def test_phrases_in_boxes(studio: Studio, walk: Callable[..., Walk], host: Host) -> None:
    net = host.loader.gligen(in_memory("boxes", {name: each.detach() for name, each in control_files.gligen().items()}))
    boxes = [(noise(1, 64, seed=6), 4, 4, 0, 0), (noise(1, 64, seed=7), 8, 2, 0, 6)]
    positive = [[studio.positive[0][0], {"gligen": ("position", net, boxes)}]]
    latent = {"samples": noise(2, 4, 8, 8)}
    guidance = studio.guided(3.0, positive)
    assert _is_plain_conditioning(positive)
    ours, theirs = (way(latent, guidance, walk()) for way in (studio.by_engine, studio.as_comfy))
    assert relative(theirs, ours) < CLOSE
    assert relative(studio.by_engine(latent, studio.guided(), walk()), ours) > 1e-3


def test_nets_cross_the_border_and_come_back(host: Host) -> None:
    kinds = [*NETS.values(), lambda host: net_of(host, control_files.adapter())]
    for made in (kind(host) for kind in kinds):
        guest = crossing.enter(made)
        assert crossing.enter(made) is guest
        assert crossing.leave(guest) is made
        assert crossing.leave(guest.copy()) is made
    union = NETS["union"](host)
    told = crossing.enter(union).copy()
    told.set_extra_arg("control_type", [2])
    assert crossing.leave(told).kinds == (2,)
    assert crossing.leave(told) is crossing.leave(told)
    net = host.loader.gligen(in_memory("boxes", {name: each.detach() for name, each in control_files.gligen().items()}))
    assert crossing.leave(crossing.enter(net)) is net
    assert crossing.enter(net) is crossing.enter(net)
