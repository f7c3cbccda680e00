"""What patches are told of the rows of a batch, and that a batch in parts draws what the whole batch draws."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.adapters import ip_adapter
from engine.adapters.ip_adapter import Adapter, Use
from engine.conditioning import Area, BoxedPhrase, Condition, ControlHint, Grounding
from engine.controls import ControlNet
from engine.devices.device import CPU, Place
from engine.devices.residency import Keeper, Part
from engine.grounding import Gligen
from engine.models.controlnet import ControlNet as ControlNetwork
from engine.models.controlnet import ControlNetConfig
from engine.models.gligen import Gligen as GligenNetwork
from engine.models.gligen import GligenConfig
from engine.models.ip_adapter import IpAdapter, IpAdapterConfig
from engine.models.latent_format import SD1
from engine.models.unet import UNet
from engine.sampling.batches import Chunks
from engine.sampling.fitting import fit
from engine.sampling.guidance import Guide, Hooks
from engine.sampling.prediction import Prediction
from engine.sampling.rows import latents_of, signs_of, told
from engine.sampling.table import SigmaTable
from engine.steering import hypertile, self_attention, token_merging
from engine.values import Model
from tests.control_files import TEXT, WIDTHS
from tests.engine.models.nets import randomised
from tests.nodes.conftest import UNET

PLACE = Place(CPU, torch.float32)
PREDICTION = Prediction("eps", SigmaTable.from_betas())
SIGMA = torch.tensor(2.0)
LATENTS = 3


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed + sum(shape)))


def part_of(net: torch.nn.Module, name: str) -> Part[Any]:
    return Part(name, net, {key: each.data for key, each in net.named_parameters()}, PLACE)


@pytest.fixture(scope="module")
def net() -> UNet:
    return randomised(UNet(UNET))


@pytest.fixture(scope="module")
def tools(net: UNet) -> dict[str, Callable[[Condition], tuple[Condition, Hooks]]]:
    """What changes how the batch is drawn: a condition with more to it, and hooks."""

    def steered(hooks: Hooks) -> Callable[[Condition], tuple[Condition, Hooks]]:
        return lambda condition: (condition, hooks)

    def changed(**options: Any) -> Callable[[Condition], tuple[Condition, Hooks]]:
        return lambda condition: (replace(condition, **options), Hooks())

    control = ControlNet(
        part_of(randomised(ControlNetwork(ControlNetConfig(UNET, 3, (16, 16, 16, 16))), 1), "c"), Keeper()
    )
    hint = ControlHint(control, torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(3)), 0.5)
    drawer = Gligen(part_of(randomised(GligenNetwork(GligenConfig(TEXT, TEXT, WIDTHS)), 4), "g"), Keeper())
    boxed = Grounding(drawer, (BoxedPhrase(rand(1, TEXT, seed=8), 4, 6, 1, 2),))
    return {
        "nothing": steered(Hooks()),
        "an IP-Adapter with a mask for each latent": steered(guided(net, rand(LATENTS, 1, 8, 8, seed=6).sigmoid())),
        "an IP-Adapter with masks in turn": steered(guided(net, rand(2, 1, 5, 9, seed=7).sigmoid())),
        "a ControlNet with two hints in an area": changed(control=(hint,), area=Area(4, 6, 2, 0)),
        "GLIGEN": changed(grounding=boxed),
        "perturbed attention": steered(self_attention.perturbed(3.0, 1)),
        "self-attention guidance": steered(self_attention.blurred(0.7, 2.0)),
        "token merging": steered(token_merging.merging(0.5)),
        "HyperTile": steered(hypertile.tiling(32, 3, 0, False)),
    }


def guided(net: UNet, mask: Tensor) -> Hooks:
    places = ip_adapter.cross_attentions(net)
    layers = tuple((2 * number + 1, place.width) for number, place in enumerate(places))
    adapter = randomised(IpAdapter(IpAdapterConfig("standard", 20, UNET.context_width, layers)), 5)
    model = Model(part_of(net, "n"), Keeper(), PREDICTION, SD1, "sd1")
    seen = rand(1, 20, seed=1), torch.zeros(1, 20)
    return ip_adapter.apply(model, Adapter(part_of(adapter, "i"), Keeper()), *seen, Use(2.0, mask=mask)).hooks


def drawn(
    net: Any, condition: Condition, hooks: Hooks, chunks: Chunks, which: slice = slice(None), side: int = 8
) -> tuple[Tensor, Tensor]:
    """What is seen of the latents, and what torch's generator gives afterwards."""
    x = rand(LATENTS, 4, side, side, seed=2)[which] * 2
    sides = fit([condition], [Condition(rand(1, 7, TEXT, seed=5))], (side, side), PREDICTION.table)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(11)
        seen = Guide(net, PREDICTION, sides, 3.0, hooks=hooks, chunks=chunks).both(x, SIGMA)[0]
        return seen, torch.rand(3)


TOOLS = (
    "nothing",
    "an IP-Adapter with a mask for each latent",
    "an IP-Adapter with masks in turn",
    "a ControlNet with two hints in an area",
    "GLIGEN",
    "perturbed attention",
    "self-attention guidance",
    "token merging",
    "HyperTile",
)


@pytest.fixture(scope="module")
def plain(net: UNet) -> Tensor:
    """What is seen without any of them."""
    return drawn(net, Condition(rand(1, 7, TEXT, seed=3)), Hooks(), Chunks(100))[0]


@pytest.mark.parametrize("name", TOOLS)
def test_a_batch_in_parts_is_the_batch_as_a_whole(net: UNet, tools: dict[str, Any], plain: Tensor, name: str) -> None:
    assert (*tools,) == TOOLS
    condition, hooks = tools[name](Condition(rand(1, 7, TEXT, seed=3)))
    # Tiles are drawn by chance only where a side has three divisors that are large enough.
    side = 16 if name == "HyperTile" else 8
    whole, luck = drawn(net, condition, hooks, Chunks(100), side=side)
    assert name in ("nothing", "HyperTile") or float((whole - plain).abs().max()) > 1e-3
    # Rows are tried 5 at a time, which is too many, and then 2 at a time.
    chunks = Chunks(5)
    parts, luck_of_parts = drawn(Cramped(net, 4), condition, hooks, chunks, side=side)
    assert chunks.limit == 2
    assert float((parts - whole).abs().max()) < 1e-5 * float(whole.abs().max())
    assert torch.equal(luck, luck_of_parts)


class Cramped:
    """A network that runs out of memory at the very end of a batch that is too large, as the worst one would."""

    def __init__(self, net: UNet, room: int) -> None:
        self.net, self.room, self.config = net, room, net.config

    def __call__(self, x: Tensor, *given: Any, **others: Any) -> Tensor:
        answer: Tensor = self.net(x, *given, **others)
        if len(x) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return answer


def test_masks_belong_to_latents_and_not_to_rows(net: UNet) -> None:
    """Each latent of a batch is drawn as it is alone with its own mask."""
    condition = Condition(rand(1, 7, TEXT, seed=3))
    masks = rand(LATENTS, 1, 8, 8, seed=6).sigmoid()
    together, _ = drawn(net, condition, guided(net, masks), Chunks(100))
    for one in (slice(1, 2), slice(2, 3)):
        alone, _ = drawn(net, condition, guided(net, masks[one]), Chunks(100), one)
        torch.testing.assert_close(together[one], alone, atol=1e-4, rtol=1e-4)
    two, _ = drawn(net, condition, guided(net, masks[:2]), Chunks(100))
    assert torch.equal(two[2:], drawn(net, condition, guided(net, masks[[0, 1, 0]]), Chunks(100))[0][2:])


def test_rows_are_read_as_they_are_told() -> None:
    extra = told([0, 0, 1, 1], [0, 1, 0, 1])
    assert (signs_of(extra, 4), latents_of(extra, 4)) == ([0, 0, 1, 1], [0, 1, 0, 1])
    # A part of a batch may begin with any latent.
    extra = told([0, 1, 1], [2, 0, 1])
    assert (signs_of(extra, 3), latents_of(extra, 3)) == ([0, 1, 1], [2, 0, 1])
    # Something made several rows of each.
    assert (signs_of(extra, 6), latents_of(extra, 6)) == ([0, 0, 1, 1, 1, 1], [2, 2, 0, 0, 1, 1])


def test_comfyuis_groups_hold_all_latents_in_their_order() -> None:
    extra = {"cond_or_uncond": [1, 0, 2]}
    assert signs_of(extra, 6) == [1, 1, 0, 0, 2, 2]
    assert latents_of(extra, 6) == [0, 1, 0, 1, 0, 1]
    assert (signs_of({}, 2), latents_of({}, 2)) == ([0, 0], [0, 1])
