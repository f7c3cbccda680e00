"""Guidance over a network that says what its text says: every answer can be worked out by hand."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor

from engine.conditioning import Area, Condition, ControlHint
from engine.errors import Cancelled, SamplingError
from engine.models.control import ControlResiduals
from engine.sampling.batches import Chunks
from engine.sampling.fitting import fit, fit_sides
from engine.sampling.guidance import NEGATIVE, POSITIVE, Answers, Guide, Hooks
from engine.sampling.hooks import seen_as
from engine.sampling.prediction import Prediction
from engine.sampling.table import SigmaTable

TABLE = SigmaTable.from_betas()
PREDICTION = Prediction("x0", TABLE)
X = torch.randn(2, 4, 8, 12, generator=torch.Generator().manual_seed(0))
SIGMA = torch.tensor(3.0)


class Parrot:
    """Sees the mean of its text everywhere, and remembers how it was asked."""

    def __init__(self, room: int = 100) -> None:
        self.room = room
        self.asked: list[dict] = []

    def __call__(self, x: Tensor, timesteps: Tensor, context: Tensor, **others) -> Tensor:
        self.asked.append({"x": x, "timesteps": timesteps, "context": context, **others})
        if len(x) > self.room:
            raise torch.OutOfMemoryError("out of memory")
        answer = context.mean(dim=(1, 2)).view(-1, 1, 1, 1).expand(-1, 4, *x.shape[2:])
        control = others.get("control")
        return answer if control is None else answer + control.middle


def text(value: float, tokens: int = 77, **options) -> Condition:
    return Condition(torch.full((1, tokens, 5), value), **options)


def ask(
    positive: list[Condition],
    negative: list[Condition],
    cfg: float,
    *,
    x: Tensor = X,
    sigma: Tensor = SIGMA,
    needs_negative: bool = False,
    room: int = 100,
    **options,
) -> tuple[Tensor, Tensor, Parrot]:
    parrot = Parrot(room)
    sides = fit(positive, negative, tuple(x.shape[-2:]), TABLE)
    guide = Guide(parrot, PREDICTION, sides, cfg, **options)
    return (*guide.both(x, sigma, needs_negative), parrot)


def everywhere(value: float) -> Tensor:
    return torch.full_like(X, value)


def test_the_guided_answer_is_pushed_away_from_the_negative_in_one_question() -> None:
    guided, unconditional, parrot = ask([text(1.0)], [text(0.25)], 7.0)
    torch.testing.assert_close(guided, everywhere(0.25 + 7 * 0.75))
    torch.testing.assert_close(unconditional, everywhere(0.25))
    assert [len(each["x"]) for each in parrot.asked] == [4]


def test_the_network_sees_the_scaled_latent_and_its_time() -> None:
    _, _, parrot = ask([text(1.0)], [text(0.0)], 7.0)
    (asked,) = parrot.asked
    torch.testing.assert_close(asked["x"], torch.cat([X, X]) / 10**0.5)
    assert asked["timesteps"].tolist() == [float(TABLE.timestep(SIGMA))] * 4
    assert asked["control"] is None


def test_at_scale_one_nobody_asks_about_the_negative() -> None:
    guided, unconditional, parrot = ask([text(1.0)], [text(0.25)], 1.0)
    torch.testing.assert_close(guided, everywhere(1.0))
    assert torch.equal(unconditional, torch.zeros_like(X))
    assert [len(each["x"]) for each in parrot.asked] == [2]


@pytest.mark.parametrize("options", [{"needs_negative": True}, {"hooks": Hooks(always_both=True)}])
def test_unless_the_sampler_or_a_plugin_needs_it(options: dict) -> None:
    guided, unconditional, _ = ask([text(1.0)], [text(0.25)], 1.0, **options)
    torch.testing.assert_close(guided, everywhere(1.0))
    torch.testing.assert_close(unconditional, everywhere(0.25))


def test_conditions_of_one_sign_are_averaged_by_strength() -> None:
    guided, _, parrot = ask([text(1.0, strength=3.0), text(5.0, strength=1.0)], [text(0.0)], 1.0)
    torch.testing.assert_close(guided, everywhere(2.0))
    assert len(parrot.asked) == 1


def test_masks_say_where_each_condition_counts_and_where_none_does() -> None:
    left, middle = torch.zeros(2, 1, 8, 12).unbind(0)
    left[..., :6], middle[..., 4:8] = 1.0, 1.0
    guided, _, _ = ask([text(1.0, mask=left), text(4.0, mask=middle, mask_strength=0.5)], [], 1.0)
    row = [1.0] * 4 + [(1 + 4 * 0.5) / 1.5] * 2 + [4.0] * 2 + [0.0] * 4
    torch.testing.assert_close(guided, torch.tensor(row).expand_as(X))


def test_an_area_is_all_that_is_shown_and_answered_there() -> None:
    guided, _, parrot = ask([text(1.0), text(3.0, area=Area(8, 4, 0, 8))], [text(0.0)], 1.0)
    assert sorted(tuple(each["x"].shape) for each in parrot.asked) == [(2, 4, 8, 4), (2, 4, 8, 12)]
    # It fades in over min(8, 4 / 4) = 1 cell, at its full weight already: (1 + 3) / 2.
    torch.testing.assert_close(guided, torch.tensor([1.0] * 8 + [2.0] * 4).expand_as(X))


def test_both_signs_are_asked_about_the_same_cut_out_together() -> None:
    _, _, parrot = ask([text(1.0), text(3.0, area=Area(8, 4, 0, 8))], [text(0.0)], 7.0)
    assert sorted(tuple(each["x"].shape) for each in parrot.asked) == [(4, 4, 8, 4), (4, 4, 8, 12)]


def test_texts_of_different_lengths_share_a_question_when_repeating_is_cheap() -> None:
    guided, _, parrot = ask([text(1.0, tokens=154)], [text(0.5, tokens=77)], 2.0)
    assert [tuple(each["context"].shape) for each in parrot.asked] == [(4, 154, 5)]
    torch.testing.assert_close(guided, everywhere(1.5))
    _, _, parrot = ask([text(1.0, tokens=77 * 5)], [text(0.5, tokens=77)], 2.0)
    assert sorted(each["context"].shape[1] for each in parrot.asked) == [77, 385]


def test_diffusion_transformers_are_never_shown_a_repeated_text() -> None:
    parrot = Parrot()
    table = SigmaTable.from_flow()
    sides = fit([text(1.0, tokens=154)], [text(0.5)], (8, 12), table)
    Guide(parrot, Prediction("flow", table), sides, 2.0).both(X, torch.tensor(0.5))
    assert sorted(each["context"].shape[1] for each in parrot.asked) == [77, 154]


def test_a_condition_speaks_only_in_its_part_of_the_run() -> None:
    early, late = text(1.0, end_percent=0.5), text(2.0, start_percent=0.5)
    border = TABLE.at_percent(0.5)
    for sigma, expected in ((border * 1.01, 1.0), (border * 0.99, 2.0)):
        guided, _, parrot = ask([early, late], [], 1.0, sigma=torch.tensor(sigma))
        torch.testing.assert_close(guided, everywhere(expected))
        assert len(parrot.asked) == 1


def test_with_little_memory_the_answers_are_the_same_in_more_questions() -> None:
    positive = [text(1.0), text(2.0, strength=0.5), text(3.0, area=Area(8, 4, 0, 8))]
    expected, _, _ = ask(positive, [text(0.5)], 3.0)
    guided, _, parrot = ask(positive, [text(0.5)], 3.0, room=3, chunks=Chunks(5))
    torch.testing.assert_close(guided, expected)
    assert max(len(each["x"]) for each in parrot.asked) > 3  # it was tried
    assert len(parrot.asked) > 3


def test_further_channels_are_shown_after_the_latent_and_cut_to_areas() -> None:
    channels = torch.arange(12.0).expand(2, 5, 8, 12)
    _, _, parrot = ask([text(1.0), text(3.0, area=Area(8, 4, 0, 8))], [text(0.0)], 7.0, concat=lambda fitted: channels)
    whole, part = sorted((each["x"] for each in parrot.asked), key=lambda x: -x.shape[-1])
    assert torch.equal(whole[:, 4:], torch.cat([channels, channels]))
    assert torch.equal(part[:, 4:], torch.cat([channels, channels])[..., 8:])


def test_hooks_see_and_may_change_everything_on_the_way() -> None:
    seen = {}

    def combine(answers):
        seen.update(positive=answers.positive, negative=answers.negative, cfg=answers.cfg)
        return answers.positive * 10

    hooks = Hooks(
        combine=combine,
        before=[lambda answers: replace(answers, positive=answers.positive + 1)],
        after=[lambda answers, guided: guided + answers.negative],
        around=lambda call, given, signs: call(**{**given, "context": given["context"] * 2}),
        patches={"patches": {"name": [1]}},
    )
    guided, _, parrot = ask([text(1.0)], [text(0.5)], 4.0, hooks=hooks)
    torch.testing.assert_close(seen["positive"], everywhere(3.0))
    torch.testing.assert_close(guided, everywhere(31.0))
    assert seen["cfg"] == 4.0
    sigmas = parrot.asked[0]["patches"].pop("sigmas")
    torch.testing.assert_close(sigmas, SIGMA.expand(4))
    told = {"cond_or_uncond": [0, 0, 1, 1], "latent_indices": [0, 1, 0, 1]}
    assert parrot.asked[0]["patches"] == {"patches": {"name": [1]}, **told}


def test_a_check_that_raises_stops_before_the_network_is_asked() -> None:
    def check() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        ask([text(1.0)], [], 1.0, hooks=Hooks(check=check))
    _, _, parrot = ask([text(1.0)], [], 1.0, hooks=Hooks(check=print))
    assert parrot.asked[0]["cancelled"] is print


class Tracer:
    """A ControlNet that adds the mean of its hint, and remembers how it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict] = []

    def __call__(
        self, x: Tensor, hint: Tensor, timesteps: Tensor, context: Tensor, y: Tensor | None
    ) -> ControlResiduals:
        self.asked.append({"x": x, "hint": hint, "timesteps": timesteps, "context": context})
        return ControlResiduals(middle=hint.mean(dim=(1, 2, 3), keepdim=True))


def hinted(net: Tracer, value: float = 1.0, strength: float = 1.0, **options) -> ControlHint:
    return ControlHint(net, torch.full((1, 3, 30, 40), value), strength, **options)


def test_a_hint_shared_by_both_signs_is_asked_once_for_all() -> None:
    net = Tracer()
    hint = hinted(net, strength=0.5)
    guided, _, parrot = ask([text(1.0, control=(hint,))], [text(0.0, control=(hint,))], 2.0)
    assert len(parrot.asked) == len(net.asked) == 1
    assert net.asked[0]["hint"].shape == (4, 3, 64, 96)
    assert torch.equal(net.asked[0]["x"], parrot.asked[0]["x"])
    # Both answers move by 0.5: 0.5 + 2 · (1.5 − 0.5).
    torch.testing.assert_close(guided, everywhere(2.5))


def test_hints_of_a_chain_add_up_and_each_keeps_its_part_of_the_run() -> None:
    net = Tracer()
    first, second = hinted(net, 1.0, end=0.5), hinted(net, 10.0, 2.0)
    condition = text(0.0, control=(first, second))
    border = TABLE.at_percent(0.5)
    guided, _, _ = ask([condition], [], 1.0, sigma=torch.tensor(border * 1.01))
    torch.testing.assert_close(guided, everywhere(21.0))
    guided, _, _ = ask([condition], [], 1.0, sigma=torch.tensor(border * 0.99))
    torch.testing.assert_close(guided, everywhere(20.0))


def test_what_goes_around_the_network_goes_around_its_hints_too() -> None:
    net, seen = Tracer(), []

    def around(call, given, signs) -> Tensor:
        seen.append(given["hints"])
        return torch.ones_like(given["x"]) if len(seen) == 1 else call(**given)

    hint = hinted(net)
    sides = fit([text(0.0, control=(hint,))], [text(0.0, control=(hint,))], (8, 12), TABLE)
    guide = Guide(Parrot(), PREDICTION, sides, 2.0, hooks=Hooks(around=around))
    torch.testing.assert_close(guide.both(X, SIGMA)[0], everywhere(1.0))
    assert net.asked == []
    torch.testing.assert_close(guide.both(X, SIGMA)[0], everywhere(1.0))
    assert len(net.asked) == 1
    assert seen == [(hint,), (hint,)]


def test_a_hint_of_one_sign_alone_is_asked_apart() -> None:
    net = Tracer()
    guided, _, parrot = ask([text(1.0, control=(hinted(net),))], [text(0.0)], 2.0)
    assert (len(parrot.asked), len(net.asked)) == (2, 1)
    torch.testing.assert_close(guided, everywhere(4.0))


def test_a_batch_of_hints_goes_with_the_batch_of_latents_for_each_sign() -> None:
    net = Tracer()
    images = torch.stack([torch.full((3, 64, 96), value) for value in (1.0, 2.0, 9.0)])
    hint = ControlHint(net, images)
    ask([text(1.0, control=(hint,))], [text(0.0, control=(hint,))], 2.0)
    assert net.asked[0]["hint"].mean(dim=(1, 2, 3)).tolist() == [1.0, 2.0, 1.0, 2.0]


def test_in_an_area_the_hint_is_fitted_to_the_cut_out() -> None:
    net = Tracer()
    ask([text(1.0, area=Area(8, 4, 0, 8), control=(hinted(net),))], [], 1.0)
    assert net.asked[0]["hint"].shape == (2, 3, 64, 32)


def test_a_class_conditional_network_is_given_its_vector() -> None:
    positive, negative = (text(v, vector=torch.full((1, 6), v)) for v in (1.0, 2.0))
    _, _, parrot = ask([positive], [negative], 2.0)
    assert parrot.asked[0]["y"][:, 0].tolist() == [1.0, 1.0, 2.0, 2.0]


def test_a_hook_may_ask_again_about_a_side_a_latent_a_level_and_with_more_patches() -> None:
    told: list[Tensor] = []

    def ask_again(answers: Answers, guided: Tensor) -> Tensor:
        told.append(answers.ask(POSITIVE, patches={"patches": {"name": [2]}}))
        told.append(answers.ask(NEGATIVE, x=2 * X, sigma=torch.tensor(1.5)))
        return guided

    hooks = Hooks(after=(ask_again,), patches={"patches": {"name": [1]}, "note": 5})
    _, _, parrot = ask([text(1.0)], [text(0.25)], 1.0, hooks=hooks)
    torch.testing.assert_close(told, [everywhere(1.0), everywhere(0.25)])
    _, positive, negative = parrot.asked
    assert [each["patches"].pop("sigmas").tolist() for each in (positive, negative)] == [[3.0] * 2, [1.5] * 2]
    notes = {"note": 5, "latent_indices": [0, 1]}
    assert positive["patches"] == {"patches": {"name": [1, 2]}, "cond_or_uncond": [0, 0], **notes}
    assert negative["patches"] == {"patches": {"name": [1]}, "cond_or_uncond": [1, 1], **notes}
    torch.testing.assert_close(negative["x"], 2 * X / (1.5**2 + 1) ** 0.5)
    assert negative["timesteps"].tolist() == [float(TABLE.timestep(torch.tensor(1.5)))] * 2


@pytest.mark.parametrize("side", [NEGATIVE, 2])
def test_a_side_that_is_not_there_cannot_be_asked_about(side: int) -> None:
    hooks = Hooks(combine=lambda answers: answers.ask(side))
    with pytest.raises(SamplingError, match=rf"asked about side {side} of the guidance"):
        ask([text(1.0)], [], 5.0, hooks=hooks)


def test_a_hook_may_ask_about_conditions_of_no_side() -> None:
    others = (text(4.0), text(8.0, area=Area(8, 4, 0, 8)))
    hooks = Hooks(combine=lambda answers: answers.ask(others))
    guided, _, parrot = ask([text(1.0)], [text(0.0)], 5.0, hooks=hooks)
    torch.testing.assert_close(guided, torch.tensor([4.0] * 8 + [6.0] * 4).expand_as(X))
    assert len(parrot.asked) == 3


class Sum:
    """Adds up three sides, of which it may leave the second out."""

    def __init__(self, leaves_out: bool) -> None:
        self.leaves_out = leaves_out

    def asks(self, always_both: bool, is_hooked: bool) -> list[int]:
        return [0, 2] if self.leaves_out and not always_both else [0, 1, 2]

    def guided(self, answers: Answers, hooks: Hooks) -> tuple[Tensor, Tensor]:
        inner = seen_as(answers, 2, 1, 3.0)
        return hooks.finished(answers, sum(answers.sides)) + 100 * hooks.pushed(inner), inner.ask(0)


@pytest.mark.parametrize("leaves_out", [False, True])
def test_a_rule_for_three_sides_is_given_all_of_them_in_one_question(leaves_out: bool) -> None:
    parrot = Parrot()
    sides = fit_sides(([text(1.0)], [text(0.5)], [text(4.0)]), (8, 12), TABLE)
    hooks = Hooks(after=(lambda answers, guided: guided + 10 * answers.cfg,), patches={"note": 1})
    guide = Guide(parrot, PREDICTION, sides, 2.0, rule=Sum(leaves_out), hooks=hooks)
    guided, other = guide.both(X, SIGMA)
    middle = 0.0 if leaves_out else 0.5
    total = (1 + middle + 4) + 10 * 2 + 100 * (middle + 3 * (4 - middle) + 10 * 3)
    torch.testing.assert_close(guided, everywhere(total))
    torch.testing.assert_close(other, everywhere(4.0))
    signs = [0, 0, 2, 2] if leaves_out else [0, 0, 1, 1, 2, 2]
    # The side asked about again is the third, but what counts as positive there is told to patches as positive.
    assert [each["patches"]["cond_or_uncond"] for each in parrot.asked] == [signs, [0, 0]]


def test_all_sides_are_about_the_same_cut_outs_and_the_first_lends_its_hints() -> None:
    hint = ControlHint(lambda *_: ControlResiduals((), torch.ones(1)), torch.zeros(1, 3, 64, 96))
    first = [text(1.0, control=(hint,), control_on_negative=True), text(2.0, area=Area(8, 4, 0, 8))]
    sides = fit_sides((first, [text(3.0)], [text(4.0)]), (8, 12), TABLE)
    assert [[fitted.box is not None for fitted in side] for side in sides] == [[False, True]] * 3
    assert [[len(fitted.hints) for fitted in side] for side in sides] == [[1, 0]] * 3
    assert [float(side[1].condition.tokens.mean()) for side in sides] == [2.0, 3.0, 4.0]


def test_joined_hooks_do_what_both_do_and_the_later_formula_wins() -> None:
    first = Hooks(
        combine=lambda answers: answers.positive,
        after=(lambda answers, guided: guided + 1,),
        around=lambda network, given, signs: network(**given) * 2,
        patches={"patches": {"a": [1]}, "patches_replace": {"attn1": {("middle", 0): 1}}},
    )
    later = Hooks(
        combine=lambda answers: answers.positive * 10,
        after=(lambda answers, guided: guided * 2,),
        around=lambda network, given, signs: network(**given) + 1,
        patches={"patches": {"a": [2], "b": [3]}, "patches_replace": {"attn1": {("middle", 1): 2}}},
        always_both=True,
    )
    joined = first.joined(later)
    guided, negative, _ = ask([text(1.0)], [text(0.5)], 1.0, hooks=joined)
    torch.testing.assert_close(guided, everywhere(((1.0 * 2 + 1) * 10 + 1) * 2))
    torch.testing.assert_close(negative, everywhere(0.5 * 2 + 1))
    assert joined.patches == {
        "patches": {"a": [1, 2], "b": [3]},
        "patches_replace": {"attn1": {("middle", 0): 1, ("middle", 1): 2}},
    }
    assert first.joined(Hooks()) == first
    assert Hooks().joined(first) == first


def test_hooks_that_remember_are_told_when_a_run_begins_and_that_it_is_over_however_it_ends() -> None:
    told: list[str] = []
    first, later = (
        Hooks(starts=(partial(told.append, f"{name} starts"),), ends=(partial(told.append, f"{name} ends"),))
        for name in ("first", "later")
    )
    with first.joined(later).running():
        assert told == ["first starts", "later starts"]
    assert told[2:] == ["first ends", "later ends"]
    with pytest.raises(ArithmeticError), first.running():
        raise ArithmeticError
    assert told[4:] == ["first starts", "first ends"]
