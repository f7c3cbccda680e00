"""Networks larger than the memory they may take, in miniature: every budget draws the same, and is kept to."""

import copy
import io
import math
from functools import cache

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

from engine.conditioning import Condition
from engine.devices.deltas import Difference, LowRank
from engine.devices.device import CPU, Place
from engine.devices.part import Part
from engine.devices.patches import Patch
from engine.devices.residency import Keeper
from engine.devices.resting import Resting
from engine.devices.streaming import Need, Streamed, first_weight, lighten, settled
from engine.errors import Cancelled, OutOfMemory
from engine.models.latent_format import LatentFormat
from engine.models.unet import UNet
from engine.models.unet_config import UNetConfig
from engine.models.vae import AutoencoderKL, VAEConfig
from engine.sampling.prediction import Prediction
from engine.sampling.sample import sample
from engine.sampling.table import SigmaTable
from engine.text.clip import TextConfig, TextEncoder
from tests.engine.devices.counted import Counted

FP32 = Place(CPU, torch.float32)
UNET = UNetConfig(
    model_channels=32,
    channel_multipliers=(1, 2),
    res_blocks=(1, 1),
    input_depths=(0, 1),
    output_depths=(1, 1, 0, 0),
    context_width=16,
    heads=2,
)
WORK = {
    "unet": (
        lambda: UNet(UNET),
        lambda net: net(rand(1, 4, 8, 8), torch.tensor([500.0]), rand(1, 5, 16)),
    ),
    "vae": (
        lambda: AutoencoderKL(VAEConfig(channels=32, multipliers=(1, 2), res_blocks=1)),
        lambda net: net.decode(rand(1, 4, 4, 4)),
    ),
    "text": (
        lambda: TextEncoder(TextConfig(vocabulary=99, width=32, layers=2, heads=2, mlp_width=64)),
        lambda net: net(net.embeddings.token_embedding(torch.arange(77)[None]), torch.tensor([3])),
    ),
    "authors": (
        lambda: Authors(),
        lambda net: net(rand(3, 2, 16)),
    ),
}


@pytest.fixture(autouse=True)
def one_thread():
    """Layers this small take longer to share out than to work out."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Authors(nn.Module):
    """Layers that read other layers' weights, as torch's own attention does, and a weight of the network itself."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(16))
        self.attention = nn.MultiheadAttention(16, 2)
        self.first = nn.Linear(16, 16)

    def forward(self, x):
        mixed, _ = self.attention(x, x, x, need_weights=False)
        return nn.functional.linear(mixed * self.scale, self.first.weight.T, self.first.bias)


def rand(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + sum(shape)))


def resting(module, dtype):
    return {
        name: (rand(*weight.shape, seed=place) * 0.1 + (weight.ndim == 1)).to(dtype)
        for place, (name, weight) in enumerate(module.named_parameters())
    }


@cache
def weights_of(kind, dtype):
    return resting(WORK[kind][0](), dtype)


def part(kind="unet", dtype=torch.float16, place=FP32):
    with torch.device("meta"):
        module = WORK[kind][0]()
    return Part(kind, module, weights_of(kind, dtype), place)


@cache
def lora(kind, dtype=torch.float16):
    """Changes of half of the matrices, as LoRA files have them, and of a bias."""
    matrices = [(name, w) for name, w in weights_of(kind, dtype).items() if w.ndim == 2][::2]
    patches = {
        name: (Patch(LowRank(rand(w.shape[0], 2), rand(2, w.shape[1])), 0.3), Patch(Difference(w.float() * 0.1)))
        for name, w in matrices
    }
    bias = next(name for name, w in weights_of(kind, dtype).items() if w.ndim == 1)
    return {**patches, bias: (Patch(Difference(torch.ones_like(weights_of(kind, dtype)[bias]))),)}


def answer(kind, net, keeper, patches):
    with torch.no_grad(), keeper.using(net, patches) as module:
        given = WORK[kind][1](module)
    return given if isinstance(given, torch.Tensor) else given[0]


@cache
def expected(kind, dtype, is_patched):
    """The answer with everything on the device, and the bytes that tensors took besides the weights."""
    net, patches = part(kind, dtype), lora(kind, dtype) if is_patched else {}
    with Counted(net.weights.stored.values()) as counted:
        found = answer(kind, net, Keeper(), patches)
    assert net.loaded == net.needed(patches)
    return found, counted.peak - net.loaded


def largest_layer(net):
    """Bytes of the weights that are read together, at most: torch's own attention reads its inner layer's, too."""
    layers = {}
    for name, weight in net.weights.stored.items():
        layer = name.rpartition(".")[0].removesuffix(".out_proj")
        layers[layer] = layers.get(layer, 0) + weight.numel() * net.place.dtype.itemsize
    return max(layers.values())


def bits_of(tensor):
    return tensor.contiguous().view(torch.uint8)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float8_e4m3fn, torch.float32], ids=["fp16", "fp8", "fp32"])
@pytest.mark.parametrize("kind", [*WORK])
@settings(max_examples=3, deadline=None)
@example(share=0.0, is_patched=False)
@example(share=0.5, is_patched=True)
@given(share=st.floats(0, 1), is_patched=st.booleans())
def test_every_budget_gives_the_same_bits_and_is_kept_to(kind, dtype, share, is_patched):
    patches = lora(kind, dtype) if is_patched else {}
    known, work = expected(kind, dtype, is_patched)
    net = part(kind, dtype)
    keeper = Keeper(budget=int(net.needed(patches) * share))
    with Counted(net.weights.stored.values()) as counted:
        assert torch.equal(bits_of(answer(kind, net, keeper, patches)), bits_of(known))
    assert net.loaded <= keeper.budget
    # A changed weight is worked out in float32: the weight, what is added (twice: product and scaled), and the sum.
    layer = largest_layer(net) * (5 if is_patched else 1)
    assert counted.peak <= keeper.budget + layer + max(work, 0)


@pytest.mark.parametrize("budget", [0, 1, 2000, 100_000])
def test_patches_come_and_go_exactly_under_a_budget(budget):
    net, keeper = part(), Keeper(budget=budget)
    plain, changed = (expected("unet", torch.float16, is_patched)[0] for is_patched in (False, True))
    for patches, wanted in [({}, plain), (lora("unet"), changed), ({}, plain), (lora("unet"), changed)]:
        assert torch.equal(answer("unet", net, keeper, patches), wanted)
    with torch.no_grad(), keeper.using(net, lora("unet")) as outer:
        with keeper.using(net) as inner:
            assert torch.equal(WORK["unet"][1](inner), plain)
        assert torch.equal(WORK["unet"][1](outer), changed)
        net.wear({})
        assert torch.equal(WORK["unet"][1](outer), plain)


@pytest.mark.parametrize("stop_at", [1, 7, 20])
def test_work_stopped_in_the_middle_leaves_everything_usable(stop_at):
    net, keeper, calls = part(), Keeper(budget=20_000), []

    def check(module, given):
        calls.append(1)
        if len(calls) == stop_at:
            raise Cancelled

    handles = [layer.register_forward_pre_hook(check) for layer in net.module.modules()]
    with pytest.raises(Cancelled):
        answer("unet", net, keeper, lora("unet"))
    for handle in handles:
        handle.remove()
    held = net.loaded
    assert held <= 20_000
    with Counted(net.weights.stored.values()):
        assert torch.equal(answer("unet", net, keeper, {}), expected("unet", torch.float16, False)[0])
    assert torch.equal(answer("unet", net, keeper, lora("unet")), expected("unet", torch.float16, True)[0])
    assert net.loaded <= 20_000


def test_a_part_that_left_holds_nothing_and_its_layers_are_as_before():
    net, keeper = part(), Keeper(budget=20_000)
    answer("unet", net, keeper, {})
    keeper.send_all_away()
    assert (net.loaded, net.is_here) == (0, False)
    assert all(each.device.type == "meta" for each in net.module.parameters())
    layers = [layer for layer in net.module.modules() if isinstance(layer._parameters, Streamed)]
    assert layers == [net.module]  # which knows whose it is, always


def test_a_part_takes_more_when_there_is_more_room_and_less_when_there_is_less():
    net, keeper = part(), Keeper(budget=0)
    known = expected("unet", torch.float16, False)[0]
    for share in (0.0, 0.5, 1.0, 0.25, 1.0):
        keeper.budget = int(net.size * share)
        assert torch.equal(answer("unet", net, keeper, {}), known)
        assert net.loaded <= keeper.budget
        assert net.loaded > keeper.budget - largest_layer(net)
        assert net.missing == net.whole_size - net.loaded
    assert not any(isinstance(each._parameters, Streamed) for each in net.module.modules() if each is not net.module)


def test_a_part_in_the_way_leaves_before_another_has_to_be_streamed():
    first, second = part(), part()
    keeper = Keeper(budget=first.size + 20)
    answer("unet", first, keeper, {})
    with keeper.using(second):
        assert (second.loaded, first.loaded) == (second.size, 0)
        answer("unet", first, keeper, {})  # while the other is at work and cannot leave
        assert (second.loaded, first.loaded) == (second.size, 16)  # the smallest bias has four numbers
    assert torch.equal(answer("unet", first, keeper, {}), expected("unet", torch.float16, False)[0])
    assert (second.loaded, first.loaded) == (0, first.size)


@pytest.mark.parametrize(("working", "share"), [(0, 1.0), (400_000, 1.0), (0, 0.5), (400_000, 0.5), (1 << 40, 1.0)])
def test_a_device_that_is_nearly_full_gets_what_leaves_room_for_the_work(monkeypatch, working, share):
    monkeypatch.setattr("engine.devices.residency.LEAST", 0)
    net, total, reserve = part(), 3_000_000, 1_000_000
    keeper = Keeper(free=lambda device: total - net.loaded, reserve=reserve, share=share)
    for _ in range(2):
        with torch.no_grad(), keeper.using(net, working=working) as module:
            assert torch.equal(WORK["unet"][1](module), expected("unet", torch.float16, False)[0])
            room = max(0, int((total - reserve - working) * share))
            assert room - largest_layer(net) <= net.loaded <= room


class Narrow(Part):
    """A part whose device has room for so many bytes, whatever it says is free."""

    most = 0

    def _put(self, key):
        super()._put(key)
        if self.loaded > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 1.0])
def test_a_device_that_runs_full_all_the_same_gets_less_and_less(share):
    with torch.device("meta"):
        net = Narrow("unet", UNet(UNET), weights_of("unet", torch.float16), FP32)
    net.most = int(net.size * share)
    for patches in ({}, lora("unet")):
        found = answer("unet", net, Keeper(), patches)
        assert torch.equal(found, expected("unet", torch.float16, bool(patches))[0])
        assert net.loaded <= net.most


def test_work_that_does_not_fit_gets_the_room_of_the_weights(monkeypatch):
    monkeypatch.setattr("engine.devices.part.LEAST", 1 << 20)
    net, keeper = part(), Keeper()
    seen = []
    with torch.no_grad(), keeper.using(net, lora("unet")) as module:
        while net.loaded:
            before = net.loaded
            assert lighten(module)
            assert net.loaded <= before // 2
            seen.append(WORK["unet"][1](module))
        assert not lighten(module)
    assert len(seen) == 3
    assert all(torch.equal(each, expected("unet", torch.float16, True)[0]) for each in seen)
    assert not lighten(nn.Linear(2, 2))
    assert not lighten(lambda x: x)


def test_a_picture_is_drawn_though_there_is_hardly_room_for_the_work(monkeypatch):
    monkeypatch.setattr("engine.devices.part.LEAST", 1 << 20)
    text = Condition(rand(1, 5, 16))
    latent = torch.zeros(1, 4, 8, 8)
    job = {"positive": [text], "negative": [text], "cfg": 1.0, "latent": latent, "noise": rand(1, 4, 8, 8), "seed": 1}
    job |= {"sampler": "euler", "sigmas": torch.tensor([9.0, 3.0, 1.0, 0.0])}
    kind = Prediction("eps", SigmaTable.from_betas())

    def drawn(net, most):
        def check(module, given):
            if net.loaded > most:
                raise torch.OutOfMemoryError("CUDA out of memory")

        handle = net.module.middle_block.register_forward_pre_hook(check)
        with Keeper().using(net, lora("unet")) as network:
            made = sample(network, kind, LatentFormat(scale=1.0), **job)
        handle.remove()
        return made

    usual, tight = part(), part()
    expected_picture = drawn(usual, 1 << 40)
    assert torch.equal(drawn(tight, 1_500_000), expected_picture)
    assert tight.loaded <= 1_500_000
    with pytest.raises(OutOfMemory, match="even one latent"):
        drawn(part(), -1)


def test_where_a_network_is_can_be_told_while_its_weights_are_not_there():
    net = part(dtype=torch.float16, place=Place(CPU, torch.bfloat16))
    with Keeper(budget=0).using(net) as module:
        assert next(module.parameters()).device.type == "meta"
        assert first_weight(module).dtype == torch.bfloat16
        assert first_weight(module).device == CPU
    assert first_weight(nn.GELU()) is None


def test_a_network_that_shows_its_resting_weights_goes_on_showing_them():
    net, keeper = part(), Keeper(budget=30_000)
    net.show()
    with keeper.using(net, lora("unet")) as module:
        shown = module.state_dict()
        waiting = [name for name in shown if shown[name].dtype == torch.float16]
        assert waiting
        assert all(torch.equal(shown[name], net.weights[name]) for name in waiting)


def test_a_copy_of_a_streamed_network_has_weights_of_its_own():
    net = part("authors")
    with torch.no_grad(), Keeper(budget=0).using(net, lora("authors")) as module:
        made = copy.deepcopy(module)
        file = io.BytesIO()
        torch.save(module, file)
        file.seek(0)
        read = torch.load(file, weights_only=False)
    net.leave()
    for each in (made, read):
        assert torch.equal(WORK["authors"][1](each), expected("authors", torch.float16, True)[0])


def test_a_weight_that_somebody_puts_in_counts():
    net = part("authors")
    with Keeper(budget=0).using(net) as module:
        module.first.weight = nn.Parameter(torch.zeros(16, 16))
        assert not module.first.weight.any()
        assert module.attention.out_proj.weight.any()
    net.leave()
    with Keeper(budget=0).using(net) as module:
        assert module.first.weight.any()


def test_weights_whose_owner_is_gone_say_so():
    net = part("authors")
    net.room = 0
    net.arrive()
    module = net.module
    del net
    with pytest.raises(RuntimeError, match="nobody holds the model"):
        _ = module.first.weight


def test_on_another_device_weights_wait_as_their_file_has_them():
    """On the meta device, which computes nothing, but counts as another."""
    net = part(dtype=torch.float8_e4m3fn, place=Place(torch.device("meta"), torch.float16))
    numbers = sum(each.numel() for each in net.weights.stored.values())
    assert net.size == 2 * numbers
    for budget, held in [(2 * numbers, 2 * numbers), (numbers, numbers), (0, 0)]:
        with Keeper(budget=budget).using(net):
            assert net.loaded == held
            assert net.module.out[2].weight.dtype == torch.float16
    with Keeper(budget=numbers * 3 // 2).using(net):
        assert numbers <= net.loaded <= numbers * 3 // 2
        assert net.loaded > numbers * 5 // 4


@given(
    st.lists(st.tuples(st.integers(0, 50), st.none() | st.integers(0, 50)), max_size=20),
    st.integers(0, 1000),
)
def test_what_waits_on_the_device_never_takes_more_than_its_room(sizes, room):
    needs = [Need(str(place), ready, stored) for place, (ready, stored) in enumerate(sizes)]
    forms = settled(needs, room)
    taken = {"ready": lambda n: n.ready, "stored": lambda n: n.stored, "streamed": lambda n: 0}
    assert sum(taken[forms[need.name]](need) for need in needs) <= room
    if sum(need.ready for need in needs) <= room:
        assert set(forms.values()) <= {"ready"}
    smallest = min((min(n.ready, math.inf if n.stored is None else n.stored) for n in needs), default=math.inf)
    assert room < smallest or any(form != "streamed" for form in forms.values())


@pytest.mark.parametrize("scale", [torch.tensor(0.5), torch.tensor([2.0]), torch.arange(1.0, 17), torch.ones(16, 1)])
@pytest.mark.parametrize("budget", [0, None])
def test_weights_with_a_scale_are_multiplied_by_it_when_they_are_used(scale, budget):
    stored = dict(weights_of("authors", torch.float8_e4m3fn))
    with torch.device("meta"):
        module = Authors()
    net = Part("authors", module, Resting(stored, {"first.weight": scale}), FP32)
    factor = scale.expand(16).reshape(16, 1) if scale.numel() == 1 else scale.reshape(16, 1)
    by_hand = stored["first.weight"].float() * factor
    assert torch.equal(net.weights["first.weight"], by_hand)
    patches = {"first.weight": (Patch(Difference(torch.ones(16, 16))),)}
    with Keeper(budget=budget).using(net) as used:
        assert torch.equal(used.first.weight, by_hand)
        net.wear(patches)
        assert torch.equal(used.first.weight, by_hand + 1)
