"""Groups of hooks over the border: either way of drawing gives the same picture, either side knows the same hook."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from compat import crossing, drawing
from compat.host import Host
from engine.adapters.hooks import ClipHooks, Hook, HookGroup, Weights
from engine.adapters.keyframes import NO_KEYFRAMES, Keyframe
from nodes.convert import text_conditioning
from nodes.sampling import Walk
from tests.compat.sampling.conftest import Studio, noise, relative

WALK = Walk("euler", "normal", 4, 7)
FADING = NO_KEYFRAMES.joined([Keyframe(1.0), Keyframe(0.5, 0.3, 0), Keyframe(-1.0, 0.6)])
MASK = torch.zeros(1, 8, 12)
MASK[:, :, :5] = 1.0


@pytest.fixture
def by_lora(host: Host) -> Hook:
    return Hook(host.loader.lora(host.folders.path("loras", "tiny.safetensors")), 0.9, 1.2)


def hooked(side: list[Any], group: HookGroup, **more: Any) -> list[Any]:
    return [[tokens, {**options, "hooks": group, **more}] for tokens, options in side]


def towards(studio: Studio) -> Hook:
    other = {name: weight.flip(0) for name, weight in studio.model.part.weights.items()}
    return Hook(Weights(other, {}), 0.3, 0.0)


def drawn(studio: Studio, positive: list[Any], negative: list[Any]) -> tuple[Tensor, Tensor]:
    latent = {"samples": torch.zeros(1, 4, 8, 12)}
    guidance = studio.guided(3.0, positive, negative)
    assert not drawing.why_not_plain(studio.model, guidance, WALK)
    return studio.by_engine(latent, guidance, WALK), studio.as_comfy(latent, guidance, WALK)


def test_both_ways_draw_the_same_with_hooks_and_schedules(studio: Studio, by_lora: Hook) -> None:
    plain, _ = drawn(studio, studio.positive, studio.negative)
    fading, other = HookGroup((replace(by_lora, keyframes=FADING),)), HookGroup((towards(studio),))
    cases = {
        "on both sides": (hooked(studio.positive, fading), hooked(studio.negative, fading)),
        "on one side": (hooked(studio.positive, fading), studio.negative),
        "two on one condition": (hooked(studio.positive, fading.joined(other)), studio.negative),
        "one on each side": (hooked(studio.positive, fading), hooked(studio.negative, other)),
        "with a default behind a mask": (
            [*hooked(studio.positive, fading, mask=MASK), [noise(1, 77, 64, seed=3), {"default": True}]],
            studio.negative,
        ),
    }
    for case, sides in cases.items():
        ours, theirs = drawn(studio, *sides)
        assert relative(theirs, ours) < 1e-5, case
        assert relative(ours, plain) > 1e-4, case
    assert relative(drawn(studio, studio.positive, studio.negative)[0], plain) == 0


def test_a_hook_is_the_same_one_on_either_side(by_lora: Hook, studio: Studio) -> None:
    import comfy.hooks

    group = HookGroup((replace(by_lora, keyframes=FADING), towards(studio)))
    entered = crossing.enter(group)
    assert isinstance(entered, comfy.hooks.HookGroup)
    assert entered.hooks[0].strength_clip == 1.2
    back = crossing.leave(entered.clone())
    assert back == group
    assert [hook.strength_model for hook in back.hooks] == [0.9, 0.3]
    assert back.hooks[0].keyframes.frames == FADING.frames
    assert back.hooks[1].source.model.keys() == studio.model.part.weights.keys()


def test_a_plugins_own_kind_of_hook_stays_itself_and_draws_in_comfyuis_way(studio: Studio, by_lora: Hook) -> None:
    import comfy.hooks

    class Own(comfy.hooks.Hook):  # type: ignore[misc]
        pass

    theirs = comfy.hooks.HookGroup()
    theirs.add(Own(hook_type=comfy.hooks.EnumHookType.TransformerOptions))
    left = crossing.leave(theirs).joined(HookGroup((by_lora,)))
    assert drawing.why_not_plain(studio.model, studio.guided(3.0, hooked(studio.positive, left)), WALK)
    again = crossing.enter(left)
    assert [type(hook) for hook in again.hooks] == [Own, comfy.hooks.WeightHook]
    assert again.hooks[0] is theirs.hooks[0]


@pytest.mark.parametrize("is_scheduled", [False, True])
def test_texts_with_hooks_are_the_same_from_either_side(host: Host, by_lora: Hook, is_scheduled: bool) -> None:
    clip = host.loader.checkpoint(host.folders.path("checkpoints", "tiny.safetensors")).clip
    assert clip is not None
    group = HookGroup((replace(by_lora, keyframes=NO_KEYFRAMES.joined([Keyframe(1.0), Keyframe(0.0, 0.5)])),))
    ours = clip.with_hooks(ClipHooks(group, True, is_scheduled))
    theirs = crossing.enter(ours)
    expected = text_conditioning(ours, "a (red:1.2) apple", lambda: None)
    found = crossing.leave(theirs.encode_from_tokens_scheduled(theirs.tokenize("a (red:1.2) apple")))
    assert len(found) == len(expected) == (2 if is_scheduled else 1)
    for mine, other in zip(expected, found, strict=True):
        assert relative(other[0], mine[0]) < 1e-5
        assert other[1]["hooks"] == mine[1]["hooks"]
        spans = [
            {key: each[1].get(key) for key in ("clip_start_percent", "clip_end_percent")} for each in (mine, other)
        ]
        assert spans[0] == spans[1]
    plain = text_conditioning(clip, "a (red:1.2) apple", lambda: None)
    assert relative(expected[0][0], plain[0][0]) > 1e-4
    assert relative(crossing.enter(clip).encode("a (red:1.2) apple"), plain[0][0]) < 1e-5
