"""Pictures in the making."""

import io
from dataclasses import replace
from functools import partial

import pytest
import torch
from PIL import Image
from torch import Tensor

from engine.errors import Cancelled
from engine.graph.events import Event, Preview, Progress
from engine.graph.run import Run
from engine.models.latent_format import SD1
from engine.sampling.preview import preview as painted
from engine.settings import Settings
from nodes import preview


def grey(x: Tensor, largest: int) -> bytes:
    return b"grey"


def previews(events: list[Event]) -> list[Preview]:
    return [event for event in events if isinstance(event, Preview)]


def test_every_step_is_reported_and_nothing_is_shown_unless_asked_for(run: Run, events: list[Event]) -> None:
    watcher = preview.Watcher(run, Settings(), grey)
    for index in range(3):
        watcher(index, 3, torch.zeros(1, 4, 8, 8))
    assert events == [Progress("1", 1, 3), Progress("1", 2, 3), Progress("1", 3, 3)]


def test_a_preview_is_a_jpeg_of_the_size_asked_for(run: Run, events: list[Event]) -> None:
    watcher = preview.Watcher(run, Settings(preview_method="auto", preview_size=96), partial(painted, SD1))
    watcher(0, 3, torch.zeros(2, 4, 8, 12))
    (shown,) = previews(events)
    with Image.open(io.BytesIO(shown.data)) as picture:
        assert picture.format == "JPEG"
        assert picture.size == (96, 64)
        assert picture.getpixel((5, 5)) == pytest.approx((127, 127, 127), abs=2)


def test_previews_come_a_few_times_a_second_at_most(
    run: Run, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(preview.time, "monotonic", lambda: now[0])
    watcher = preview.Watcher(run, Settings(preview_method="latent2rgb"), grey)
    for index in range(20):
        watcher(index, 20, torch.zeros(1, 4, 8, 8))
        now[0] += 0.05
    assert len(previews(events)) == 4  # one second in all


def test_the_picture_of_a_step_comes_before_its_number(run: Run, events: list[Event]) -> None:
    preview.Watcher(run, Settings(preview_method="auto"), grey)(0, 3, torch.zeros(1, 4, 8, 8))
    assert events == [Preview("1", b"grey", is_asked=False), Progress("1", 1, 3)]


def test_a_prompt_that_asks_for_previews_has_asked_whoever_it_is_from(run: Run, events: list[Event]) -> None:
    preview.Watcher(replace(run, preview_method="auto"), Settings(), grey)(0, 3, torch.zeros(1, 4, 8, 8))
    assert previews(events) == [Preview("1", b"grey", is_asked=True)]


def test_a_cancelled_run_stops_at_the_next_step_and_shows_nothing_more(events: list[Event]) -> None:
    watcher = preview.Watcher(Run("1", events.append, lambda: True), Settings(preview_method="auto"), grey)
    with pytest.raises(Cancelled):
        watcher(0, 3, torch.zeros(1, 4, 8, 8))
    assert events == []


def test_what_the_prompt_wants_shown_comes_before_the_settings(run: Run, events: list[Event]) -> None:
    preview.Watcher(replace(run, preview_method="none"), Settings(preview_method="auto"), grey)(0, 3, torch.zeros(1))
    assert previews(events) == []
    preview.Watcher(replace(run, preview_method="auto"), Settings(), grey)(0, 3, torch.zeros(1))
    assert len(previews(events)) == 1
