import threading

import pytest
import torch
from torch import nn

from engine.devices.deltas import Difference, LowRank
from engine.devices.device import CPU, Place
from engine.devices.patches import Patch, joined
from engine.devices.residency import Keeper, Part
from engine.errors import Cancelled, OutOfMemory

FP32 = Place(CPU, torch.float32)


def part(name="net", width=8, dtype=torch.float16):
    """Two layers stored in half precision: 4·(8·8 + 8)·2 bytes = 576 on a device that computes in float32."""
    torch.manual_seed(0)
    weights = nn.Sequential(nn.Linear(width, width), nn.Linear(width, width)).to(dtype).state_dict()
    with torch.device("meta"):
        module = nn.Sequential(nn.Linear(width, width), nn.Linear(width, width))
    return Part(name, module, weights, FP32)


def add(value, shape=(8, 8)):
    return {"0.weight": (Patch(Difference(torch.full(shape, value))),)}


def bits(module):
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_a_part_is_on_its_device_while_used_and_computes_as_asked():
    net = part()
    assert next(net.module.parameters()).device.type == "meta"
    with Keeper().using(net) as module:
        assert module(torch.ones(1, 8)).dtype == torch.float32
        assert same(bits(module), {key: weight.float() for key, weight in net.weights.items()})


def test_patches_are_on_while_used_and_exactly_gone_afterwards():
    net, keeper = part(), Keeper()
    with keeper.using(net) as module:
        plain = bits(module)
    patches = {"0.weight": (Patch(LowRank(torch.randn(8, 2), torch.randn(2, 8)), 0.3),)}
    with keeper.using(net, patches) as module:
        worn = bits(module)
    with keeper.using(net) as module:
        assert same(bits(module), plain)
    assert not torch.equal(worn["0.weight"], plain["0.weight"])
    assert torch.equal(worn["1.weight"], plain["1.weight"])


def test_a_patched_weight_is_rounded_to_the_format_it_is_stored_in():
    net = part()
    with Keeper().using(net, add(1e-5)) as module:
        expected = (net.weights["0.weight"].float() + 1e-5).half().float()
        assert torch.equal(module[0].weight, expected)


def test_patches_of_the_same_weight_add_up_in_order():
    net = part(dtype=torch.float32)
    with Keeper().using(net, joined(add(1.0), add(2.0))) as module:
        torch.testing.assert_close(module[0].weight, net.weights["0.weight"] + 3.0)


def test_a_patch_that_does_not_fit_is_left_out_with_a_warning(caplog):
    net = part(dtype=torch.float32)
    with Keeper().using(net, add(1.0, (3, 3))) as module:
        assert torch.equal(module[0].weight, net.weights["0.weight"])
    assert "0.weight" in caplog.text


def test_a_use_within_a_use_leaves_the_outer_one_as_it_was():
    net, keeper = part(dtype=torch.float32), Keeper()
    with keeper.using(net, add(1.0)) as outer:
        before = bits(outer)
        with keeper.using(net) as inner:
            assert torch.equal(inner[0].weight, net.weights["0.weight"])
        assert same(bits(outer), before)


@pytest.mark.parametrize("stop_at", [1, 3, 4])
def test_coming_and_dressing_can_be_stopped_and_leave_nothing_half_done(stop_at):
    net, keeper, calls = part(), Keeper(), []
    patches = {key: (Patch(Difference(torch.ones_like(weight))),) for key, weight in net.weights.items()}

    def check():
        calls.append(1)
        if len(calls) == stop_at:
            raise Cancelled

    with pytest.raises(Cancelled), keeper.using(net, patches, check=check):
        pass
    assert len(calls) == stop_at
    assert not net.is_here
    with keeper.using(net) as module:
        assert same(bits(module), {key: weight.float() for key, weight in net.weights.items()})


def test_the_same_patches_again_cost_nothing():
    net, keeper, patches = part(), Keeper(), add(1.0)
    with keeper.using(net, patches) as module:
        first = module[0].weight
    with keeper.using(net, dict(patches)) as module:
        assert module[0].weight is first


class Budget:
    """A device with room for so many bytes of parts."""

    def __init__(self, total):
        self.total = total
        self.parts = []
        self.cached = 0

    def free(self, device):
        return self.total - self.cached - sum(part.size for part in self.parts if part.is_here)


def test_the_part_unused_for_longest_leaves_when_room_is_needed():
    budget = Budget(2 * 576)
    keeper = Keeper(free=budget.free)
    a, b, c = budget.parts = [part(name) for name in "abc"]
    for each in (a, b, a, c):
        with keeper.using(each):
            pass
    assert [each.name for each in keeper.here()] == ["a", "c"]
    assert next(b.module.parameters()).device.type == "meta"


def test_a_part_in_use_never_leaves():
    budget = Budget(576)
    keeper = Keeper(free=budget.free)
    a, b = budget.parts = [part("a"), part("b")]
    with keeper.using(a), keeper.using(b):
        assert a.is_here
        assert b.is_here


def test_cached_results_are_asked_to_leave_before_a_part_has_to():
    budget = Budget(2 * 576)
    budget.cached = 576
    asked = []

    def make_room(device, size):
        asked.append(size)
        budget.cached = 0

    keeper = Keeper(free=budget.free, make_room=make_room)
    a, b = budget.parts = [part("a"), part("b")]
    for each in (a, b):
        with keeper.using(each):
            pass
    assert asked == [576]
    assert [each.name for each in keeper.here()] == ["a", "b"]


def test_without_keeping_a_part_leaves_at_once():
    net, keeper = part(), Keeper(keeps=False)
    with keeper.using(net):
        assert net.is_here
    assert not net.is_here


def test_without_keeping_a_part_stays_while_another_is_at_work():
    net, control, keeper = part(), part("control"), Keeper(keeps=False)
    with keeper.using(net):
        for _ in range(2):
            with keeper.using(control):
                pass
            assert control.is_here
    assert not control.is_here
    assert not net.is_here


def test_a_part_nobody_holds_any_more_is_forgotten():
    net, keeper = part(), Keeper()
    with keeper.using(net):
        pass
    del net
    assert keeper.here() == []


class Full(Part):
    """A part whose device has no room, not even for a part of it, ever or only once."""

    def __init__(self, times):
        other = part()
        super().__init__("big", other.module, other.weights, FP32)
        self.times = times

    def arrive(self, *args):
        if self.times > 0:
            self.times -= 1
            raise torch.OutOfMemoryError("CUDA out of memory")
        super().arrive()


def test_out_of_memory_empties_the_device_and_tries_again():
    other, keeper = part("other"), Keeper()
    with keeper.using(other):
        pass
    with keeper.using(Full(1)) as module:
        assert module[0].weight.device.type == "cpu"
    assert not other.is_here


def test_a_device_that_is_too_small_is_named_with_numbers():
    with pytest.raises(OutOfMemory, match=r"big needs 576 bytes on cpu.*--cpu"), Keeper().using(Full(99)):
        pass


def test_a_second_thread_waits_until_the_first_is_done_with_a_part():
    net, keeper, seen = part(dtype=torch.float32), Keeper(), []

    def other():
        with keeper.using(net) as module:
            seen.append(torch.equal(module[0].weight, net.weights["0.weight"]))

    with keeper.using(net, add(1.0)) as module:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(0.1)
        assert not seen
        assert not torch.equal(module[0].weight, net.weights["0.weight"])
    thread.join(5)
    assert seen == [True]


def test_a_part_that_shows_itself_holds_its_resting_weights_and_computes_the_same():
    net, keeper = part(), Keeper()
    with keeper.using(net, add(1.0)) as module:
        worn = bits(module)
    net.leave()
    net.show()
    assert same(bits(net.module), net.weights)
    with keeper.using(net, add(1.0)) as module:
        assert same(bits(module), worn)
    net.leave()
    assert same(bits(net.module), net.weights)


def test_a_part_that_stays_leaves_last_and_outlasts_a_keeper_that_keeps_nothing():
    budget = Budget(2 * 576)
    keeper = Keeper(free=budget.free)
    first, second, third = budget.parts = [part(name) for name in ("first", "second", "third")]
    first.stays = True
    for each in (first, second, third):
        with keeper.using(each):
            """In the order in which they would leave."""
    assert [each.is_here for each in budget.parts] == [True, False, True]
    careless = Keeper(keeps=False)
    with careless.using(first):
        """Then it would leave."""
    assert first.is_here
    first.stays = False
    with careless.using(first):
        """And now it does."""
    assert not first.is_here


def test_weights_that_are_used_where_they_rest_cannot_be_lightened() -> None:
    """Whoever lightens until it is no more would wait for ever."""
    used = part(dtype=torch.float32)
    with Keeper().using(used):
        assert used.loaded == 0
        assert not used.lighten()
