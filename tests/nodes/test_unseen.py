"""What was connected for a model to see, and it does not: said once a job, and only where it surprises."""

import logging
import re
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from engine.graph.run import Run
from engine.models.latent_format import SD1
from engine.models.unet_config import UNetConfig
from nodes.unseen import Unseen, unseen

PICTURE, MASK = torch.zeros(1, 4, 8, 8), torch.ones(1, 64, 64)
SEEN = {"unclip_conditioning": [{"clip_vision_output": None, "strength": 1.0, "noise_augmentation": 0.0}]}
EDIT = {"concat_latent_image": PICTURE}
INPAINT = {**EDIT, "concat_mask": MASK}
ENLARGE = {"concat_image": torch.zeros(1, 3, 8, 8)}


def model(channels: int, vector: str | None = None) -> Any:
    config = UNetConfig(in_channels=channels, vector=vector)
    part = SimpleNamespace(module=SimpleNamespace(config=config), name="the denoiser of a.ckpt")
    return SimpleNamespace(part=part, latent_format=SD1, guest=None)


@pytest.mark.parametrize(
    ("channels", "vector", "options", "is_masked", "said"),
    [
        (4, None, {}, False, None),
        # unCLIPConditioning
        (4, None, SEEN, False, "what CLIP vision saw .* reads no pictures"),
        (4, "lotus", SEEN, False, "what CLIP vision saw"),
        (4, "unclip", SEEN, False, None),
        (4, "sdxl", SEEN, False, None),
        (4, "refiner", SEEN, False, None),
        # InstructPixToPixConditioning
        (4, None, EDIT, False, r"the picture to edit .* is shown none \(4 channels\); .* \(8 channels\)"),
        (4, None, EDIT, True, "the picture to edit"),
        (8, None, EDIT, False, None),
        (9, None, EDIT, False, "is an inpainting model and looks at it through a mask only"),
        (9, None, EDIT, True, None),
        # InpaintModelConditioning: on a plain model, its mask on the latent holds
        (4, None, INPAINT, True, None),
        (4, None, INPAINT, False, r"the picture and mask to inpaint .* is no inpainting model \(4 channels\)"),
        (9, None, INPAINT, True, None),
        (9, None, INPAINT, False, None),
        (8, None, INPAINT, False, "the mask to inpaint .* edits whole pictures"),
        (8, None, INPAINT, True, None),
        (5, None, INPAINT, False, None),  # how depth is given
        # SD_4XUpscale_Conditioning
        (4, None, ENLARGE, False, "is no x4 upscaler"),
        (7, "noise_level", ENLARGE, False, None),
    ],
)
def test_only_what_surprises_is_said(
    channels: int, vector: str | None, options: dict[str, Any], is_masked: bool, said: str | None
) -> None:
    latent = {"samples": PICTURE, **({"noise_mask": MASK} if is_masked else {})}
    found = list(unseen(model(channels, vector), options, latent))
    assert len(found) == (0 if said is None else 1)
    for sentence in found:
        assert "no effect, because the denoiser of a.ckpt " in sentence
        assert re.search(str(said), sentence)


def test_nothing_is_said_of_networks_that_nobody_knows() -> None:
    plugins: Any = SimpleNamespace(part=SimpleNamespace(module=object(), name="x"), latent_format=SD1, guest=None)
    assert not list(unseen(plugins, {**SEEN, **EDIT}, {}))
    changed = model(4)
    changed.guest = object()  # IC-Light, for one, shows a plain model a picture
    assert not list(unseen(changed, EDIT, {}))


def test_a_sentence_is_said_once_a_job_and_names_the_inputs(caplog: pytest.LogCaptureFixture) -> None:
    unseen, latent = Unseen(), {"samples": PICTURE}
    sides = {"positive": [[MASK, EDIT], [MASK, EDIT]], "negative": [[MASK, EDIT]]}
    first, second, third = Run("1", print, job="a"), Run("2", print, job="a"), Run("1", print, job="b")
    with caplog.at_level(logging.WARNING):
        unseen.tell(model(4), sides, latent, first)
        unseen.tell(model(4), sides, latent, second)
        assert len(caplog.messages) == 1
        unseen.tell(model(4), sides, latent, third)
    assert len(caplog.messages) == 2
    assert caplog.messages[0].startswith("positive and negative: the picture to edit has no effect")
    caplog.clear()
    unseen.tell(model(4), {"positive": "no conditioning"}, latent, third)
    assert not caplog.messages
