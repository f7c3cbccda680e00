"""Control objects: the numbers of our own nets, chains, strengths, percent ranges; and hints crossing both ways."""

import gc

import pytest
import torch
from comfy.controlnet import ControlBase, ControlNet, StrengthType, T2IAdapter, broadcast_image_to

from compat.crossing import enter, leave
from compat.crossings.control import AuthorsControl
from engine.conditioning import ControlHint
from nodes.convert import conditions, with_control

SIGMAS = torch.full((1,), 5.0)


class Sampling:
    """How a denoiser of SD1's kind scales its input and tells its time."""

    def calculate_input(self, sigma, x):
        return x / (sigma.view(-1, 1, 1, 1) ** 2 + 1) ** 0.5

    def timestep(self, sigma):
        return sigma * 100

    def percent_to_sigma(self, percent):
        return 14.0 * (1 - percent)


class Model:
    model_sampling = Sampling()


@pytest.fixture
def net(host):
    return host.loader.controlnet(host.folders.path("controlnet", "tiny.safetensors"))


@pytest.fixture
def numbers():
    generator = torch.Generator().manual_seed(0)
    return lambda *shape: torch.rand(shape, generator=generator)


def _ready(control):
    control.pre_run(Model(), Sampling().percent_to_sigma)
    return control


def test_it_asks_for_what_our_own_net_asks_for(net, numbers):
    x, image, text = numbers(2, 4, 8, 8), numbers(1, 3, 64, 64), numbers(2, 77, 64)
    control = _ready(enter(net).copy().set_cond_hint(image, 0.7))
    sigma = SIGMAS.expand(2)
    found = control.get_control(x, sigma, {"c_crossattn": text}, 2, {})
    scaled = Sampling().calculate_input(sigma, x)
    expected = net(scaled, image.expand(2, -1, -1, -1), sigma * 100, text).scaled(0.7)
    assert len(found["output"]) == len(expected.input)
    for ours, theirs in zip(expected.input, found["output"], strict=True):
        torch.testing.assert_close(theirs, ours)
    torch.testing.assert_close(found["middle"][0], expected.middle)
    assert found["input"] == []


def test_outside_of_its_range_it_passes_on_what_came_before(net, numbers):
    cond = {"c_crossattn": numbers(1, 77, 64)}
    first = enter(net).copy().set_cond_hint(numbers(1, 3, 64, 64))
    last = enter(net).copy().set_cond_hint(numbers(1, 3, 64, 64), 1.0, (0.9, 1.0)).set_previous_controlnet(first)
    x = numbers(1, 4, 8, 8)
    _ready(last)
    both, alone = last.get_control(x, SIGMAS, cond, 1, {}), first.get_control(x, SIGMAS, cond, 1, {})
    assert all(torch.equal(a, b) for a, b in zip(both["output"], alone["output"], strict=True))
    first.set_previous_controlnet(None)
    first.timestep_range = (1.0, 0.0)
    assert first.get_control(x, SIGMAS, cond, 1, {}) is None


def test_a_chain_adds_up_place_by_place():
    base = ControlBase()
    base.strength = 0.5
    a, b, c = torch.ones(1, 2, 2, 2), torch.full((1, 2, 2, 2), 2.0), torch.full((1, 2, 2, 2), 4.0)
    merged = base.control_merge({"output": [a, None], "middle": [b]}, {"output": [c, c, c], "input": [a]}, None)
    assert [float(each.mean()) for each in merged["output"]] == [4.5, 4.0, 4.0]
    assert [float(each.mean()) for each in merged["middle"]] == [1.0]
    assert merged["input"] == [a]
    assert float(a.mean()) == 1.0


def test_strength_may_rise_towards_the_end_and_pooling_levels_a_picture():
    base = ControlBase()
    base.strength, base.strength_type = 0.5, StrengthType.LINEAR_UP
    out = base.control_merge({"output": [torch.ones(1, 1, 1, 1), torch.ones(1, 1, 1, 1)]}, None, torch.float16)
    assert [float(each) for each in out["output"]] == [0.25, 0.5]
    assert out["output"][0].dtype == torch.float16
    base.strength_type, base.global_average_pooling = StrengthType.CONSTANT, True
    levelled = base.control_merge({"output": [torch.tensor([[[[0.0, 4.0]]]])]}, None, None)["output"][0]
    assert levelled.tolist() == [[[[1.0, 1.0]]]]


def test_hints_are_spread_over_the_rows_of_a_batch():
    rows = torch.arange(3.0).view(3, 1, 1, 1)
    assert broadcast_image_to(rows[:1], 4, 2).flatten().tolist() == [0]
    assert broadcast_image_to(rows, 4, 2).flatten().tolist() == [0, 1, 0, 1]
    assert broadcast_image_to(rows[:2], 6, 2).flatten().tolist() == [0, 1, 0, 0, 1, 0]


def test_a_hint_is_fitted_to_the_latent_and_forgotten_after_a_run(net, numbers):
    control = _ready(enter(net).copy().set_cond_hint(numbers(1, 3, 40, 50)))
    control.get_control(numbers(1, 4, 8, 8), SIGMAS, {"c_crossattn": numbers(1, 77, 64)}, 1, {})
    assert control.cond_hint.shape == (1, 3, 64, 64)
    control.get_control(numbers(1, 4, 16, 8), SIGMAS, {"c_crossattn": numbers(1, 77, 64)}, 1, {})
    assert control.cond_hint.shape == (1, 3, 128, 64)
    control.cleanup()
    assert control.cond_hint is None
    assert control.timestep_range is None


def test_copies_have_the_state_but_not_the_chain(net):
    control = enter(net).copy().set_cond_hint(torch.zeros(1, 3, 8, 8), 0.3, (0.1, 0.9))
    control.set_extra_arg("control_type", [1])
    control.set_previous_controlnet(ControlBase())
    other = control.copy()
    assert (other.strength, other.timestep_percent_range, other.extra_args) == (0.3, (0.1, 0.9), {"control_type": [1]})
    other.extra_args["more"] = 1
    assert "more" not in control.extra_args
    assert other.previous_controlnet is None
    assert other.control_model is control.control_model
    assert control.get_models() == [control.control_model_wrapped]


def test_an_adapter_reads_its_hint_once_a_run(numbers):
    asked = []

    class Net(torch.nn.Module):
        def forward(self, hint):
            asked.append(hint.shape)
            return [None, hint[:, :1, ::8, ::8]]

    control = _ready(T2IAdapter(Net(), 1, device="cpu").copy().set_cond_hint(numbers(1, 3, 64, 64), 2.0))
    found = [control.get_control(numbers(1, 4, 8, 8), SIGMAS, {}, 1, {}) for _ in range(2)]
    assert asked == [(1, 1, 64, 64)]
    assert found[0]["input"][0] is None
    assert torch.equal(found[0]["input"][1], found[1]["input"][1])
    assert control.channels_in == 1


def test_a_net_on_our_wire_enters_as_one_object_and_leaves_as_it_was(net):
    control = enter(net)
    assert enter(net) is control
    assert leave(control) is net


def test_hints_become_a_chain_and_come_back_as_they_were(net, condition):
    hints = [ControlHint(net, torch.zeros(1, 3, 8, 8), 0.5, 0.1, 0.8), ControlHint(net, torch.ones(1, 3, 8, 8))]
    side = condition()
    for hint in hints:
        side = with_control(side, hint, on_negative=True)
    entered = enter(side)
    last = entered[0][1]["control"]
    assert isinstance(last, ControlNet)
    assert torch.equal(last.cond_hint_original, hints[1].image)
    first = last.previous_controlnet
    assert (first.strength, first.timestep_percent_range) == (0.5, (0.1, 0.8))
    assert first.previous_controlnet is None
    assert enter(with_control(condition(), hints[0], on_negative=False))[0][1]["control"] is first
    left = leave(entered)
    assert [a is b for a, b in zip(left[0][1]["control"], hints, strict=True)] == [True, True]
    assert conditions(left, "positive")[0].control_on_negative


def test_what_a_plugin_changed_of_a_hint_goes_on_in_it(net, condition):
    hint = ControlHint(net, torch.zeros(1, 3, 8, 8))
    entered = enter(with_control(condition(), hint, on_negative=False))
    control = entered[0][1]["control"].copy().set_cond_hint(hint.image, 0.25, (0.0, 0.5))
    (made,) = leave([[entered[0][0], {"control": control}]])[0][1]["control"]
    assert made.net is net
    assert (made.strength, made.start, made.end) == (0.25, 0.0, 0.5)
    assert not isinstance(made.net, AuthorsControl)


class Own(ControlBase):
    """A plugin's kind, with its own copy."""

    def copy(self):
        made = Own()
        self.copy_to(made)
        return made


def test_a_plugins_own_control_is_applied_by_our_nodes(net, condition):
    own = Own()
    wired = leave(own)
    assert isinstance(wired, AuthorsControl)
    assert enter(wired) is own
    picture = torch.ones(1, 3, 8, 8)
    side = with_control(condition(), ControlHint(net, picture, 0.5), on_negative=False)
    hint = ControlHint(wired, picture, 0.4, 0.2, 0.7)
    assert isinstance(hint.net, AuthorsControl)
    side = with_control(side, hint, on_negative=False)
    (made,) = conditions(side, "positive")
    assert made.control[1] is hint
    last = enter(side)[0][1]["control"]
    assert isinstance(last, Own)
    assert last is not own
    assert (last.strength, last.timestep_percent_range) == (0.4, (0.2, 0.7))
    assert isinstance(last.previous_controlnet, ControlNet)
    left = leave([[None, {"control": last}]])[0][1]["control"]
    assert [isinstance(each.net, AuthorsControl) for each in left] == [False, True]
    again = enter(with_control([[None, {"control": left}]], ControlHint(net, picture), on_negative=False))
    assert again[0][1]["control"].previous_controlnet is last


def test_a_net_with_more_to_it_than_its_hint_stays_the_plugins(net):
    for change in ({"extra_args": {"of_its_own": 1}}, {"upscale_algorithm": "bilinear"}, {"weights": [1.0]}):
        control = enter(net).copy().set_cond_hint(torch.zeros(1, 3, 8, 8))
        vars(control).update(change)
        (hint,) = leave([[None, {"control": control}]])[0][1]["control"]
        assert isinstance(hint.net, AuthorsControl)
        assert enter([[None, {"control": (hint,)}]])[0][1]["control"] is control


def test_a_chain_is_forgotten_when_nobody_holds_it(net, condition):
    import weakref

    hint = ControlHint(net, torch.zeros(1, 3, 8, 8))
    known = weakref.ref(hint)
    enter(with_control(condition(), hint, on_negative=False))
    del hint
    gc.collect()
    assert known() is None


def test_lists_of_other_things_cross_as_they_are(condition):
    for value in ([1, 2], [], condition(pooled_output=None), [["a", {}]], [torch.zeros(1)]):
        assert enter(value) is value
        assert leave(value) is value
