"""Steps guessed from the one before, held to the paper's algorithm written out for one question a step."""

import logging
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.conditioning import ControlHint
from engine.sampling.hooks import Hooks
from engine.steering.easy_cache import Memory, Reuse, reusing

TEXT = torch.randn(2, 7, 5, generator=torch.Generator().manual_seed(1))
TIMES = [float(999 - 40 * step) for step in range(24)]
EVERYWHERE = (1e9, -1e9)


class Network:
    """Answers that turn slowly with the time, from a latent with as many channels or more; it counts its questions."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    def __call__(self, *, x: Tensor, timesteps: Tensor, context: Tensor, **others: Any) -> Tensor:
        time = float(timesteps[0])
        self.asked.append(time)
        return (x[:, :4] * (time / 1000) + 0.3 * torch.tanh(2 * x[:, :4])) * context.mean().exp()


def latents(channels: int = 4) -> list[Tensor]:
    """What a run shows its network: from one latent to another, fast at first."""
    first, last = torch.randn(2, 2, channels, 6, 5, generator=torch.Generator().manual_seed(0))
    return [last + (first - last) * (1 - step / len(TIMES)) ** 3 for step in range(len(TIMES))]


def walked(hooks: Hooks, network: Network, shown: list[Tensor], **changes: Callable[[float], Any]) -> list[Tensor]:
    assert hooks.around is not None
    answers = []
    with hooks.running():
        for time, x in zip(TIMES, shown, strict=True):
            given = {"x": x, "timesteps": torch.full((len(x),), time), "context": TEXT, "y": None}
            given.update({name: change(time) for name, change in changes.items()})
            answers.append(hooks.around(network, given, [0, 1]))
    return answers


def by_the_paper(threshold: float, highest: float, lowest: float) -> tuple[list[Tensor], list[float]]:
    """Algorithm 1, with the speed from the last two steps that the network was asked in."""
    network, answers = Network(), []
    asked_with = said = speed = before = None
    error = 0.0
    for time, x in zip(TIMES, latents(), strict=True):
        guesses = False
        if speed is not None and lowest <= time <= highest:
            error += speed * float((x - before).abs().mean()) / float(said.abs().mean())
            guesses = error < threshold
        before = x
        if guesses:
            answers.append(x + (said - asked_with))
            continue
        error = 0.0
        answer = network(x=x, timesteps=torch.tensor([time]), context=TEXT)
        if said is not None:
            speed = float((answer - said).abs().mean()) / float((x - asked_with).abs().mean())
        asked_with, said = x, answer
        answers.append(answer)
    return answers, network.asked


@pytest.mark.parametrize("threshold", [0.1, 0.2, 0.4, 3.0])
@pytest.mark.parametrize("span", [EVERYWHERE, (800.0, 300.0)])
def test_steps_are_guessed_as_in_the_paper(threshold: float, span: tuple[float, float]) -> None:
    network = Network()
    ours = walked(reusing(Reuse(threshold, *span)), network, latents())
    theirs, asked = by_the_paper(threshold, *span)
    assert network.asked == asked
    assert len(asked) < len(TIMES)
    torch.testing.assert_close(torch.stack(ours), torch.stack(theirs))


def test_two_runs_are_alike() -> None:
    hooks, network = reusing(Reuse(0.2, *EVERYWHERE)), Network()
    runs = [walked(hooks, network, latents()) for _ in range(2)]
    assert torch.equal(torch.stack(runs[0]), torch.stack(runs[1]))
    half = len(network.asked) // 2
    assert network.asked[:half] == network.asked[half:]


def test_a_threshold_of_nothing_puts_nothing_around_the_network() -> None:
    assert reusing(Reuse(0.0, *EVERYWHERE)) == Hooks()


def test_what_was_said_of_one_text_is_no_guess_at_another() -> None:
    network = Network()
    walked(reusing(Reuse(3.0, *EVERYWHERE)), network, latents(), context=lambda time: TEXT * time)
    assert network.asked == TIMES


ONE, OTHER = (ControlHint(lambda: None, TEXT) for _ in range(2))
SAID = {"input": [torch.ones(2, 4), None], "middle": [None, torch.ones(2, 4)]}
HINTS: dict[str, dict[str, Any]] = {
    "the only one": {"hints": lambda time: (ONE,) if time > 500 else ()},
    "one of two": {"hints": lambda time: (ONE, OTHER) if time > 500 else (OTHER,)},
    "one after the other": {"hints": lambda time: (ONE,) if time > 500 else (OTHER,)},
    # In ComfyUI's way hints have answered already.
    "answered": {"control": lambda time: {**SAID} if time > 500 else None},
    "answered, in more places": {"control": lambda time: SAID if time > 500 else {**SAID, "middle": [TEXT, TEXT]}},
}


@pytest.mark.parametrize("name", HINTS)
def test_a_hint_that_ends_is_asked_about_when_it_ends(name: str) -> None:
    network = Network()
    walked(reusing(Reuse(3.0, *EVERYWHERE)), network, latents(), **HINTS[name])
    assert network.asked == [999.0, 959.0, 479.0, 439.0]


def test_of_what_hints_answered_nothing_is_kept_and_after_a_run_nothing_at_all() -> None:
    memory, told = Memory(Reuse(3.0, *EVERYWHERE)), torch.ones(2, 4)
    kept = weakref.ref(told)
    given = {"x": latents()[0], "timesteps": torch.ones(2), "context": TEXT, "control": {"middle": [told]}}
    with memory.hooks.running():
        memory.around(Network(), given, [0, 1])
        del given, told
        assert kept() is None
        assert len(memory.seen) == 1
    assert (memory.seen, memory.before, memory.step) == ({}, None, None)


def test_a_network_that_is_shown_more_channels_is_guessed_by_those_of_the_latent() -> None:
    network = Network()
    shown = latents(9)
    answers = walked(reusing(Reuse(3.0, *EVERYWHERE)), network, shown)
    assert network.asked == TIMES[:2]
    torch.testing.assert_close(answers[5], shown[5][:, :4] + answers[1] - shown[1][:, :4])


def test_every_question_of_a_step_is_guessed_or_none(caplog: pytest.LogCaptureFixture) -> None:
    # The second question is as if a hook asked again, about half as many rows.
    hooks, network = reusing(Reuse(0.2, *EVERYWHERE, is_told=True)), Network()
    assert hooks.around is not None
    with caplog.at_level(logging.INFO, "engine.steering.easy_cache"):
        for time, x in zip(TIMES, latents(), strict=True):
            for rows, signs in ((x, [0, 1]), (x[:1], [0])):
                given = {"x": rows, "timesteps": torch.full((len(rows),), time), "context": TEXT[: len(rows)]}
                hooks.around(network, given, signs)
    assert all(network.asked.count(time) in (0, 2) for time in TIMES)
    guessed = sum(network.asked.count(time) == 0 for time in TIMES)
    assert f"{guessed} of {len(TIMES)} steps guessed" in caplog.text


def test_numbers_that_are_none_are_asked_about() -> None:
    network = Network()
    shown = [torch.zeros(2, 4, 6, 5) for _ in TIMES]
    answers = walked(reusing(Reuse(3.0, *EVERYWHERE)), network, shown)
    assert network.asked == TIMES  # nothing changes, and of nothing no share can be said
    assert all(bool(answer.isfinite().all()) for answer in answers)
