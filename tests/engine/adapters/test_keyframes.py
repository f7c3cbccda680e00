"""Where a run stands among keyframes, step by step; the curves against their formulas."""

import math

import pytest

from engine.adapters.hooks import Hook, HookGroup, combined
from engine.adapters.keyframes import NO_KEYFRAMES, Keyframe, Keyframes, Standing, interpolated
from engine.checkpoints.lora_files import Lora
from engine.sampling.table import SigmaTable

LEVELS = [10.0, 8.0, 6.0, 4.0, 2.0, 1.0]


def walked(*frames, levels=LEVELS):
    """The strengths at each level; frames are (strength, the level it begins at, the steps it is sure of)."""
    standing = Standing([Keyframe(s, 0.0, n) for s, _, n in frames], [level for _, level, _ in frames], levels[0])
    return [standing.strength(level) for level in levels]


def test_each_keyframe_holds_from_its_level_on():
    assert walked((1.0, 999.0, 1), (0.5, 6.0, 1), (0.0, 2.0, 1)) == [1.0, 1.0, 0.5, 0.5, 0.0, 0.0]


def test_keyframes_between_two_steps_are_skipped_unless_one_is_sure_of_a_step():
    frames = [(1.0, 999.0, 1), (0.8, 9.5, 0), (0.6, 9.0, 0), (0.4, 8.5, 0)]
    assert walked(*frames)[:3] == [1.0, 0.4, 0.4]
    sure = [(1.0, 999.0, 1), (0.8, 9.5, 1), (0.6, 9.0, 2), (0.4, 8.5, 0)]
    assert walked(*sure) == [1.0, 0.8, 0.6, 0.6, 0.4, 0.4]


def test_one_that_begins_before_the_run_need_not_be_held():
    assert walked((1.0, 20.0, 3), (0.5, 15.0, 1), (0.25, 10.0, 1))[0] == 0.25


def test_one_that_begins_with_the_run_is_held_for_its_steps():
    assert walked((1.0, 10.0, 2), (0.5, 9.0, 1)) == [1.0, 1.0, 0.5, 0.5, 0.5, 0.5]


def test_the_same_level_asked_twice_moves_nothing():
    standing = Standing([Keyframe(1.0), Keyframe(0.5)], [10.0, 10.0], 10.0)
    assert [standing.strength(level) for level in (10.0, 10.0, 8.0)] == [1.0, 1.0, 0.5]


def test_no_keyframes_are_the_full_strength():
    assert NO_KEYFRAMES.standing(SigmaTable.from_betas(), 14.0).strength(3.0) == 1.0
    assert Keyframes((Keyframe(0.3, 0.5),)).at(0.2) == 1.0
    assert Keyframes((Keyframe(0.3, 0.5),)).at(0.5) == 0.3


def test_keyframes_come_in_the_order_they_begin():
    made = NO_KEYFRAMES.joined([Keyframe(1.0, 0.5)]).joined([Keyframe(2.0, 0.2), Keyframe(3.0, 0.5)])
    assert [frame.strength for frame in made.frames] == [2.0, 1.0, 3.0]


@pytest.mark.parametrize(
    ("curve", "formula"),
    [
        ("linear", lambda t: t),
        ("ease_in", lambda t: t * t),
        ("ease_out", lambda t: 1 - (1 - t) * (1 - t)),
        ("ease_in_out", lambda t: 0.5 - 0.5 * math.cos(math.pi * t)),
    ],
)
def test_strengths_follow_the_curve_over_the_part_of_the_run(curve, formula):
    frames = interpolated((2.0, -1.0), (0.2, 0.6), 5, curve)
    assert [frame.strength for frame in frames] == pytest.approx([2 - 3 * formula(i / 4) for i in range(5)])
    assert [frame.start for frame in frames] == pytest.approx([0.2, 0.3, 0.4, 0.5, 0.6])
    assert [frame.steps for frame in frames] == [1, 0, 0, 0, 0]


def test_groups_of_the_same_hooks_are_equal_and_a_copy_with_keyframes_stays_the_same():
    a, b = (Hook(Lora("x", {}), 1.0, 1.0) for _ in range(2))
    assert HookGroup((a, b)) == HookGroup((b, a)) != HookGroup((a,))
    assert hash(HookGroup((a, b))) == hash(HookGroup((b, a)))
    later = HookGroup((a,)).scheduled(NO_KEYFRAMES.joined([Keyframe(0.5)]))
    assert later == HookGroup((a,))
    assert combined([later, None, HookGroup((a, b))]).hooks == (*later.hooks, b)
    assert combined([None]) is None
