"""The judge finds the right icon among others, also when the picture is poor, and counts ranks from 0."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from engine.training.dataset import Icons
from engine.training.judge import Judge, degraded, features, questions
from engine.training.vocabulary import core_subjects, reduced_concepts


def drawn_icons() -> Icons:
    """Twelve shapes in different colours: enough for a ranking that can fail."""
    colours = ["red", "green", "blue", "orange"]
    pictures = []
    for shape in range(3):
        for colour in colours:
            picture = Image.new("RGBA", (128, 128), (0, 0, 0, 0))
            pen = ImageDraw.Draw(picture)
            box = (16, 16, 112, 112)
            if shape == 0:
                pen.ellipse(box, fill=colour)
            elif shape == 1:
                pen.rectangle(box, fill=colour)
            else:
                pen.polygon([(64, 10), (115, 110), (13, 110)], fill=colour)
            pictures.append(np.asarray(picture))
    return Icons(np.stack(pictures), ("flat",) * 12, tuple(f"S{i}" for i in range(12)))


def over_white(icons: Icons) -> torch.Tensor:
    layers = icons.layers()
    return layers[:, :3] + 1 - layers[:, 3:]


def test_poor_copies_of_icons_are_nearest_to_their_own_icon() -> None:
    icons = drawn_icons()
    poor = degraded(over_white(icons), torch.Generator().manual_seed(0))
    score = Judge(icons).score(poor, list(zip(icons.subjects, icons.styles, strict=True)))
    assert score.top1 >= 0.9
    assert score.top5 == 1.0


def test_the_wrong_subject_ranks_behind_the_right_one() -> None:
    icons = drawn_icons()
    ranks = Judge(icons).rank(over_white(icons)[:1], [("S5", "flat")])
    assert ranks[0] > 0


def test_a_picture_of_noise_is_not_recognised() -> None:
    icons = drawn_icons()
    noise = torch.rand(12, 3, 128, 128, generator=torch.Generator().manual_seed(1))
    score = Judge(icons).score(noise, list(zip(icons.subjects, icons.styles, strict=True)))
    assert score.top1 < 0.5


def test_features_have_length_one_at_any_picture_size() -> None:
    pictures = over_white(drawn_icons())
    large = torch.nn.functional.interpolate(pictures, scale_factor=2.0)
    assert torch.allclose(features(pictures).norm(dim=1), torch.ones(12), atol=1e-5)
    assert torch.allclose(features(large), features(pictures), atol=1e-4)


def test_an_icon_itself_has_distance_zero() -> None:
    icons = drawn_icons()
    assert Judge(icons).distances(over_white(icons)).abs().max() < 1e-5


@pytest.mark.parametrize("recipe", ["full", "reduced"])
def test_there_are_100_fixed_prompts_about_known_subjects(recipe: str) -> None:
    asked = questions(recipe)
    assert len({question.prompt for question in asked}) == 100
    assert {question.subject for question in asked} <= set(core_subjects())


def test_the_reduced_prompts_ask_only_for_what_the_reduced_model_learns() -> None:
    names = {concept.subject: concept.names for concept in reduced_concepts()}
    for question in questions("reduced"):
        assert question.prompt.split(", ")[0] in names[question.subject]
